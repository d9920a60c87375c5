//! What `doctor --reclaim` can remove, and what came of it, for people.

use super::style::{BAD, FAINT, HEADING, NAME, paint};
use super::table::{Cell, Table};
use super::text;
use crate::domain::ByteSize;
use crate::reclaim::{Found, Item, Outcome};
use std::fmt::Write as _;

fn size(item: &Item) -> String {
    item.bytes
        .map_or_else(|| "?".to_owned(), |bytes| ByteSize(bytes).to_string())
}

/// All that can go, before anything does.
#[must_use]
pub fn reclaimable(found: &Found) -> String {
    let mut shown = String::new();
    if found.items.is_empty() {
        shown.push_str("nothing can go\n");
    } else {
        let count = text::count(found.items.len(), "thing", "things");
        let head = format!("{count} can go, {} at most", ByteSize(found.bytes()));
        let _ = writeln!(shown, "{}", paint(HEADING, &head));
        let mut table = Table::default();
        for item in &found.items {
            table.row([
                Cell::new(item.kind.word()),
                Cell::new(size(item)).right(),
                Cell::new(text::clean(&item.name)).style(NAME),
                Cell::new(text::clean(&item.why)).style(FAINT),
            ]);
        }
        shown += &table.render("  ");
    }
    for note in &found.notes {
        let _ = writeln!(shown, "{}", text::clean(note));
    }
    shown
}

/// One item, when it was to be removed.
#[must_use]
pub fn reclaimed(item: &Item) -> String {
    let name = text::clean(&item.name);
    match (&item.outcome, &item.message) {
        (Outcome::Failed, why) => {
            let why = why.as_deref().unwrap_or_default();
            format!("{} {name}: {}\n", paint(BAD, "left   "), text::clean(why))
        }
        _ => format!("removed {name} ({})\n", size(item)),
    }
}
