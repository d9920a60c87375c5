//! The reader: walks tables and collects what is wrong.

use super::secrecy::secrets_in;
use super::source::Source;
use super::{Field, FromToml, Node, Placed, Span, Table, did_you_mean};
use crate::config::{Problem, Severity};
use camino::Utf8Path;
use toml::de::{DeTable, DeValue};

/// A key that is known but whose capability comes with a later version, and what to do without it.
pub(in crate::config) type Later = (&'static str, &'static str);

struct Pending {
    span: Option<Span>,
    severity: Severity,
    message: String,
    hint: Option<String>,
}

/// Walks a document and collects what is wrong with it.
pub(in crate::config) struct Reader<'s> {
    file: &'s Utf8Path,
    source: Source<'s>,
    pending: Vec<Pending>,
    hidden: Vec<Span>,
}

impl<'s> Reader<'s> {
    pub(in crate::config) fn new(file: &'s Utf8Path, text: &'s str) -> Self {
        Self {
            file,
            source: Source::new(text),
            pending: Vec::new(),
            hidden: Vec::new(),
        }
    }

    /// Reads the whole document. A document that is not TOML is one problem.
    pub(in crate::config) fn document<T: FromToml>(&mut self) -> Option<T> {
        match DeTable::parse(self.source.text) {
            Ok(table) => {
                let secrets = secrets_in(table.get_ref());
                let root = DeValue::Table(table.into_inner());
                let node = Node {
                    table: "",
                    name: "",
                    key: 0..0,
                    span: 0..0,
                    value: &root,
                    is_item: false,
                };
                let read = T::read(&node, self);
                self.refuse_secrets(secrets);
                read
            }
            Err(error) => {
                let message = format!("not TOML: {}", error.message().replace('\n', ", "));
                self.error(&error.span().unwrap_or(0..0), message, None);
                None
            }
        }
    }

    /// Notes strings that look like secrets and that nobody has noted yet.
    fn refuse_secrets(&mut self, secrets: Vec<Span>) {
        for span in secrets {
            if self.hidden.contains(&span) {
                continue;
            }
            self.hide(&span);
            let message =
                "this looks like a secret, and others can read this file, command lines and plans".to_owned();
            let hint = "put it into a variable that the program reads by itself, or into `[build] secrets`";
            self.error(&span, message, Some(hint.to_owned()));
        }
    }

    /// Notes an error.
    pub(in crate::config) fn error(&mut self, span: &Span, message: String, hint: Option<String>) {
        self.note(Some(span.clone()), Severity::Error, message, hint);
    }

    /// Notes an error that has no place in the file.
    pub(in crate::config) fn error_outside(&mut self, message: String, hint: Option<String>) {
        self.note(None, Severity::Error, message, hint);
    }

    /// Notes a warning.
    pub(in crate::config) fn warning(&mut self, span: &Span, message: String, hint: Option<String>) {
        self.note(Some(span.clone()), Severity::Warning, message, hint);
    }

    fn note(&mut self, span: Option<Span>, severity: Severity, message: String, hint: Option<String>) {
        self.pending.push(Pending {
            span,
            severity,
            message,
            hint,
        });
    }

    /// Blots a stretch of the document out of every line that is shown.
    pub(in crate::config) fn hide(&mut self, span: &Span) {
        self.hidden.push(span.clone());
    }

    /// The stretch of `length` bytes from byte `offset` of a string value; the whole value where escapes make them differ.
    pub(in crate::config) fn within(&self, span: &Span, text: &str, offset: usize, length: usize) -> Span {
        match self.source.slice(span).find(text) {
            Some(at) if !text.is_empty() => {
                let start = span.start + at + offset;
                start..start + length
            }
            _ => span.clone(),
        }
    }

    /// Notes that a value is of the wrong kind.
    pub(in crate::config) fn mismatch(&mut self, node: &Node<'_>, wanted: &str, hint: Option<String>) {
        let item = if node.is_item { "an item of " } else { "" };
        let message = format!(
            "{item}{} is {}, where {wanted} is needed",
            node.label(),
            node.kind()
        );
        // A table's own span is its first header; its key is the better place.
        let span = if node.value.is_table() && !node.key.is_empty() {
            &node.key
        } else {
            &node.span
        };
        self.error(&span.clone(), message, hint);
    }

    /// Takes a value as a table with these keys: notes the keys that are not known, not supported yet or missing.
    pub(in crate::config) fn table<'n>(
        &mut self,
        node: &Node<'n>,
        known: &[&str],
        needed: &[&str],
        later: &[Later],
    ) -> Option<Table<'n>> {
        let DeValue::Table(entries) = node.value else {
            self.mismatch(node, "a table", None);
            return None;
        };
        let table = Table {
            path: node.path(),
            entries,
        };
        for (key, value) in entries {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let label = Node {
                table: &table.path,
                name,
                key: key.span(),
                span: value.span(),
                value: value.get_ref(),
                is_item: false,
            }
            .label();
            if let Some((_, hint)) = later.iter().find(|(later, _)| *later == name) {
                self.error(
                    &key.span(),
                    format!("{label} is not supported yet"),
                    Some((*hint).to_owned()),
                );
                continue;
            }
            let hint = did_you_mean(name, known.iter().copied())
                .unwrap_or_else(|| format!("known here: `{}`", known.join("`, `")));
            self.error(&key.span(), format!("{label} is not a known key"), Some(hint));
        }
        for needed in needed.iter().filter(|needed| entries.get(**needed).is_none()) {
            let label = if table.path.is_empty() {
                format!("`{needed}`")
            } else {
                format!("`[{}] {needed}`", table.path)
            };
            let (span, hint) = if node.key.is_empty() {
                let (span, hint) = self.missing_at_top(needed);
                (span, Some(hint))
            } else {
                (node.key.clone(), None)
            };
            self.error(&span, format!("{label} is missing"), hint);
        }
        Some(table)
    }

    /// Where something belongs that the document itself lacks, and what to write there: `schema` is its first line, tables can follow what it has.
    fn missing_at_top(&self, name: &str) -> (Span, String) {
        let end = self.source.text.len();
        match name {
            "schema" => (0..0, "begin the file with `schema = 1`".to_owned()),
            "variants" => (end..end, "add a table for each: `[variants.NAME]`".to_owned()),
            table => (end..end, format!("add a table `[{table}]`")),
        }
    }

    /// Reads the value of one key.
    pub(in crate::config) fn field<T: FromToml>(&mut self, table: &Table<'_>, name: &str) -> Field<T> {
        let Some((key, value)) = table.entries.get_key_value(name) else {
            return Field::Absent;
        };
        self.value(&Node {
            table: &table.path,
            name,
            key: key.span(),
            span: value.span(),
            value: value.get_ref(),
            is_item: false,
        })
    }

    /// Reads a value.
    pub(in crate::config) fn value<T: FromToml>(&mut self, node: &Node<'_>) -> Field<T> {
        match T::read(node, self) {
            Some(value) => Field::Given(Placed {
                value,
                span: node.span.clone(),
                label: node.label(),
            }),
            None => Field::Bad,
        }
    }

    /// What is wrong, in the order of the file; what was noted twice stands once.
    pub(in crate::config) fn finish(mut self) -> Vec<Problem> {
        if self.pending.is_empty() {
            return Vec::new();
        }
        let start = |pending: &Pending| pending.span.as_ref().map_or(0, |span| span.start + 1);
        self.pending.sort_by(|left, right| {
            let weight = |pending: &Pending| (start(pending), pending.severity);
            weight(left)
                .cmp(&weight(right))
                .then_with(|| left.message.cmp(&right.message))
        });
        self.pending
            .dedup_by(|left, right| left.span == right.span && left.message == right.message);
        let shown = self.source.shown_lines(&self.hidden);
        let (file, source) = (self.file, &self.source);
        self.pending
            .into_iter()
            .map(|pending| Problem {
                file: file.to_owned(),
                place: pending.span.map(|span| source.place(&span, &shown)),
                severity: pending.severity,
                message: pending.message,
                hint: pending.hint,
            })
            .collect()
    }
}
