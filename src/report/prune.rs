//! What goes and what stays, for people.

use super::style::{FAINT, HEADING, NAME, ODD, paint};
use super::summary::short;
use super::table::{Cell, Table};
use super::text;
use crate::prune::{Event, Plan};
use crate::target::upkeep::Deletes;
use std::fmt::Write as _;

/// The plan, before anything is deleted. `all` shows what stays too.
#[must_use]
pub fn prune(plan: &Plan, all: bool) -> String {
    let mut shown = String::new();
    let going: usize = plan.deletions.iter().map(|deletion| deletion.tags.len()).sum();
    if going > 0 {
        let how = match plan.deletes {
            Deletes::Tags => "",
            Deletes::Digests => ", each digest with all its tags: this registry deletes no single tag",
        };
        let _ = writeln!(shown, "{}{how}", paint(HEADING, &format!("{going} tags go")));
        let mut table = Table::default();
        for deletion in &plan.deletions {
            for tag in &deletion.tags {
                table.row([
                    Cell::new(tag.to_string()).style(NAME),
                    Cell::new(short(&deletion.digest)).style(FAINT),
                    Cell::new(text::clean(&deletion.why)),
                ]);
            }
        }
        shown += &table.render("  ");
    }
    let bound: Vec<_> = plan.kept.iter().filter(|kept| kept.only_by_digest).collect();
    if !bound.is_empty() && !all {
        let _ = writeln!(
            shown,
            "{}",
            paint(
                ODD,
                &format!(
                    "{} tags that nothing needs stay: they share a digest with what stays, and only digests can be deleted here",
                    bound.len()
                )
            )
        );
    }
    if all {
        let _ = writeln!(
            shown,
            "{}",
            paint(
                HEADING,
                &format!("{} machine tags and records stay", plan.kept.len())
            )
        );
        let mut table = Table::default();
        for kept in &plan.kept {
            table.row([
                Cell::new(kept.tag.to_string()).style(NAME),
                Cell::new(text::clean(&kept.why)),
            ]);
        }
        shown += &table.render("  ");
    } else {
        let _ = writeln!(shown, "{} machine tags and records stay", plan.kept.len());
    }
    shown
}

/// One deletion, as it happens.
#[must_use]
pub fn deletion(event: &Event) -> String {
    let names = |tags: &[crate::domain::Tag]| {
        let names: Vec<String> = tags.iter().map(ToString::to_string).collect();
        names.join(", ")
    };
    match event {
        Event::Deleted { tags, .. } => format!("deleted {}\n", names(tags)),
        Event::Skipped { tags, why, .. } => format!("left    {}: {}\n", names(tags), text::clean(why)),
    }
}
