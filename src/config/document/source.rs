//! The text of a document, and places in it.

use super::secrecy::secret_values;
use crate::config::Place;
use std::ops::Range;

/// A stretch of a document, in bytes.
pub(in crate::config) type Span = Range<usize>;

/// The text of a document with the starts of its lines.
pub(super) struct Source<'s> {
    pub(super) text: &'s str,
    starts: Vec<usize>,
}

impl<'s> Source<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        let starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self { text, starts }
    }

    /// The text between two places, which need not lie between characters.
    pub(super) fn slice(&self, span: &Span) -> &'s str {
        let (start, end) = (self.floor(span.start), self.floor(span.end));
        self.text.get(start..end).unwrap_or_default()
    }

    fn floor(&self, at: usize) -> usize {
        let mut at = at.min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }

    /// The document's lines as they may be shown: what looks like a secret, and the `hidden` stretches, are blotted out. One character
    /// stays one character.
    pub(super) fn shown_lines(&self, hidden: &[Span]) -> Vec<String> {
        let mut spans = secret_values(self.text);
        spans.extend_from_slice(hidden);
        spans.sort_by_key(|span| span.start);
        let mut spans = spans.into_iter().peekable();
        let mut reach = 0;
        let mut shown = String::with_capacity(self.text.len());
        for (at, character) in self.text.char_indices() {
            while let Some(span) = spans.next_if(|span| span.start <= at) {
                reach = reach.max(span.end);
            }
            shown.push(if at < reach && !matches!(character, '\n' | '\r') {
                '*'
            } else {
                character
            });
        }
        shown
            .split('\n')
            .map(|line| line.strip_suffix('\r').unwrap_or(line).to_owned())
            .collect()
    }

    /// The place of a stretch; one that goes over several lines ends with its first.
    pub(super) fn place(&self, span: &Span, shown: &[String]) -> Place {
        let at = self.floor(span.start);
        let index = self
            .starts
            .partition_point(|start| *start <= at)
            .saturating_sub(1);
        let start = self.starts.get(index).copied().unwrap_or(0);
        let stretch = self.slice(&(at..span.end));
        let stretch = stretch.split(['\n', '\r']).next().unwrap_or_default();
        Place {
            line: index + 1,
            column: self.slice(&(start..at)).chars().count() + 1,
            length: stretch.chars().count().max(1),
            text: shown.get(index).cloned().unwrap_or_default(),
        }
    }
}
