//! A made-up terminal for the tests of the live reporter.

use indicatif::TermLike;
use std::io;
use std::sync::{Arc, Mutex};

/// A terminal of 80 columns as far as indicatif needs one: a grid and a cursor.
#[derive(Debug, Clone, Default)]
pub(super) struct Terminal(Arc<Mutex<Grid>>);

#[derive(Debug, Default)]
struct Grid {
    lines: Vec<Vec<char>>,
    row: usize,
    column: usize,
}

/// Columns of the terminal.
pub(super) const WIDTH: usize = 80;

impl Grid {
    fn put(&mut self, character: char) {
        match character {
            '\n' => (self.row, self.column) = (self.row + 1, 0),
            '\r' => self.column = 0,
            character => {
                if self.column == WIDTH {
                    (self.row, self.column) = (self.row + 1, 0);
                }
                if self.lines.len() <= self.row {
                    self.lines.resize(self.row + 1, Vec::new());
                }
                let line = &mut self.lines[self.row];
                if line.len() <= self.column {
                    line.resize(self.column + 1, ' ');
                }
                line[self.column] = character;
                self.column += 1;
            }
        }
    }

    fn text(&self) -> String {
        let lines: Vec<String> = self
            .lines
            .iter()
            .map(|line| line.iter().collect::<String>().trim_end().to_owned())
            .collect();
        lines.join("\n").trim_end().to_owned()
    }
}

impl Terminal {
    /// What stands on the screen.
    pub(super) fn text(&self) -> String {
        self.0.lock().unwrap().text()
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        80
    }
    fn height(&self) -> u16 {
        24
    }
    fn move_cursor_up(&self, by: usize) -> io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        grid.row = grid.row.checked_sub(by).expect("the cursor stays on the screen");
        Ok(())
    }
    fn move_cursor_down(&self, by: usize) -> io::Result<()> {
        self.0.lock().unwrap().row += by;
        Ok(())
    }
    fn move_cursor_right(&self, by: usize) -> io::Result<()> {
        self.0.lock().unwrap().column += by;
        Ok(())
    }
    fn move_cursor_left(&self, by: usize) -> io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        grid.column = grid.column.saturating_sub(by);
        Ok(())
    }
    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.write_str("\n")
    }
    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        text.chars().for_each(|character| grid.put(character));
        Ok(())
    }
    fn clear_line(&self) -> io::Result<()> {
        let mut grid = self.0.lock().unwrap();
        grid.column = 0;
        let row = grid.row;
        if let Some(line) = grid.lines.get_mut(row) {
            line.clear();
        }
        Ok(())
    }
    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}
