//! The expressions of workflows, as GitHub's runner and Gitea's (act) evaluate them: those forms that `splitbase ci` writes, and no other.

use std::collections::BTreeMap;

/// What an expression is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Null,
    Bool(bool),
    Text(String),
}

impl Value {
    /// What becomes of it in a text: nothing is empty.
    fn text(&self) -> String {
        match self {
            Self::Null => String::new(),
            Self::Bool(yes) => yes.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// What a forge knows when a job runs: `github.token`, `inputs.version` and the like. What it does not know of these contexts is null.
#[derive(Debug, Clone, Default)]
pub struct Known(BTreeMap<String, Value>);

impl Known {
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// A value of `env`, which is text or one expression, as the step gets it.
    ///
    /// # Panics
    /// The expression is of another form, or asks for what a runner has not: then neither forge's answer is known here.
    pub fn value(&self, value: &str) -> String {
        let Some(expression) = value.strip_prefix("${{").and_then(|rest| rest.strip_suffix("}}")) else {
            assert!(!value.contains("${{"), "text and an expression: `{value}`");
            return value.to_owned();
        };
        let mut rest = expression.trim();
        let left = self.operand(&mut rest);
        let Some(mut right) = rest.trim_start().strip_prefix("==") else {
            assert_eq!(rest.trim(), "", "what is behind it: `{expression}`");
            return left.text();
        };
        let other = self.operand(&mut right);
        assert_eq!(right.trim(), "", "what is behind it: `{expression}`");
        // Of two kinds, both become numbers, and forges are not of one mind on what a number of an input is.
        let (Value::Text(left), Value::Text(other)) = (&left, &other) else {
            panic!("only texts are compared alike everywhere: `{expression}`");
        };
        Value::Bool(left.to_lowercase() == other.to_lowercase()).text()
    }

    /// Takes a text in quotes, a call of `format`, or a name off the front.
    fn operand(&self, rest: &mut &str) -> Value {
        let from = rest.trim_start();
        if let Some(quoted) = from.strip_prefix('\'') {
            let (text, after) = quoted
                .split_once('\'')
                .unwrap_or_else(|| panic!("no end: `{from}`"));
            assert!(!after.starts_with('\''), "a quote within: `{from}`");
            *rest = after;
            return Value::Text(text.to_owned());
        }
        if let Some(mut arguments) = from.strip_prefix("format(") {
            let mut text = self.operand(&mut arguments).text();
            for number in 0.. {
                let after = arguments.trim_start();
                if let Some(after) = after.strip_prefix(')') {
                    *rest = after;
                    return Value::Text(text);
                }
                arguments = after.strip_prefix(',').unwrap_or_else(|| panic!("`{from}`"));
                let value = self.operand(&mut arguments).text();
                text = text.replace(&format!("{{{number}}}"), &value);
            }
        }
        let is_name = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
        let end = from.find(|letter| !is_name(letter)).unwrap_or(from.len());
        let (name, after) = from.split_at(end);
        *rest = after;
        let context = name.split('.').next().unwrap_or_default();
        assert!(
            ["github", "inputs", "secrets"].contains(&context) && name != context,
            "no such context: `{from}`"
        );
        self.0.get(name).cloned().unwrap_or(Value::Null)
    }
}
