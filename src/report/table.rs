//! Columns that stand under one another, whatever the script they are written in.

use super::style::{PLAIN, paint};
use super::text;
use anstyle::Style;

/// One cell: its text and style.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
    right: bool,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            style: PLAIN,
            right: false,
        }
    }

    pub(crate) const fn style(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    /// Set flush right: numbers.
    pub(crate) const fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// Rows of cells.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The rows as lines, each behind `indent`, two spaces between columns, nothing behind the last one.
    pub(crate) fn lines(&self, indent: &str) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns)
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells.map(|cell| text::width(&cell.text)).max().unwrap_or(0)
            })
            .collect();
        self.rows.iter().map(|row| line(row, &widths, indent)).collect()
    }

    /// The rows as one text.
    pub(crate) fn render(&self, indent: &str) -> String {
        self.lines(indent).into_iter().map(|line| line + "\n").collect()
    }
}

fn line(row: &[Cell], widths: &[usize], indent: &str) -> String {
    let used = row
        .iter()
        .rposition(|cell| !cell.text.is_empty())
        .map_or(0, |last| last + 1);
    let mut line = indent.to_owned();
    for (index, (cell, width)) in row.iter().take(used).zip(widths).enumerate() {
        let fill = " ".repeat(width.saturating_sub(text::width(&cell.text)));
        let painted = paint(cell.style, &cell.text);
        if index > 0 {
            line.push_str("  ");
        }
        if cell.right {
            line.push_str(&fill);
        }
        line.push_str(&painted);
        if !cell.right && index + 1 < used {
            line.push_str(&fill);
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_under_one_another() {
        let mut table = Table::default();
        table.row(["日本".into(), "a".into(), Cell::new("1.0").right(), "x".into()]);
        table.row(["abcdef".into(), "".into(), Cell::new("10.0").right(), "".into()]);
        insta::assert_snapshot!(table.render("|"), @r"
        |日本    a   1.0  x
        |abcdef     10.0
        ");
    }
}
