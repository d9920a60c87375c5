//! Which tags go where, for a person who is to agree to it.

use super::style::{FAINT, HEADING, NAME, paint};
use super::summary::short;
use super::table::{Cell, Table};
use super::text;
use crate::domain::{Digest, ImageId, PublicTag};
use crate::plan::{Action, Plan};

/// One line for each release tag and alias: old → new.
#[must_use]
pub fn moves(plan: &Plan) -> String {
    let mut table = Table::default();
    for step in &plan.steps {
        let index = |image: &ImageId| {
            let image = plan.images.iter().find(|known| known.image == *image);
            image.and_then(|image| image.digest)
        };
        let (tag, from, to): (&PublicTag, _, _) = match &step.action {
            Action::Tag(tag) => (&tag.tag, tag.replaces, index(&tag.image)),
            Action::Alias(alias) => (&alias.alias, alias.from, index(&alias.image)),
            Action::Move(step) => (&step.tag, step.from, step.to),
            _ => continue,
        };
        table.row([
            Cell::new(tag.to_string()).style(NAME),
            digest(from).into(),
            format!("→ {}", digest(to)).into(),
            Cell::new(text::clean(&step.why)).style(FAINT),
        ]);
    }
    let table = table.render("  ");
    if table.is_empty() {
        return String::new();
    }
    format!("\n{}\n{table}", paint(HEADING, "old → new"))
}

fn digest(digest: Option<Digest>) -> String {
    digest.map_or_else(|| "nothing".to_owned(), |digest| short(&digest))
}
