//! A regular expression of Go's `regexp`, as one of the crate `regex`.
//!
//! BuildKit turns a line of an ignore file into such an expression, and much of what users write gets into it unescaped: `\d` is a digit there, `|` an
//! alternative, `{2}` a repetition. Both dialects stem from RE2 and differ in classes, escapes, and in what is Unicode.

use regex::bytes::{Regex, RegexBuilder};

/// Bytes that a compiled expression may take.
const SIZE_LIMIT: usize = 64 << 20;
/// Go repeats nothing more often.
const MOST_REPEATS: u32 = 1000;

/// What `[:…:]` can name in a class.
const NAMED_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// What Go's `regexp.Compile` makes of this text; `None` where it refuses it.
pub(super) fn compile(text: &str) -> Option<Regex> {
    let mut translator = Translator {
        rest: text,
        regex: String::new(),
    };
    translator.expression()?;
    RegexBuilder::new(&translator.regex)
        .size_limit(SIZE_LIMIT)
        .build()
        .ok()
}

struct Translator<'a> {
    rest: &'a str,
    regex: String,
}

/// What stands before the place that is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing that could be repeated.
    Nothing,
    /// Something that could be.
    Operand,
    /// A repetition, which Go does not repeat.
    Repetition,
}

impl Translator<'_> {
    fn expression(&mut self) -> Option<()> {
        let mut before = Before::Nothing;
        while let Some(char) = self.next() {
            before = match char {
                '^' | '$' | '.' => {
                    self.regex.push(char);
                    Before::Operand
                }
                '(' | '|' => {
                    self.regex.push_str(if char == '(' { "(?:" } else { "|" });
                    Before::Nothing
                }
                ')' => {
                    self.regex.push(')');
                    Before::Operand
                }
                '*' | '?' => {
                    (before == Before::Operand).then_some(())?;
                    self.regex.push(char);
                    Before::Repetition
                }
                '{' => match self.repetition()? {
                    Some(repetition) => {
                        (before == Before::Operand).then_some(())?;
                        self.regex.push_str(&repetition);
                        Before::Repetition
                    }
                    None => self.literal('{'),
                },
                '[' => {
                    self.class()?;
                    Before::Operand
                }
                '\\' => self.escaped(before)?,
                other => self.literal(other),
            };
        }
        Some(())
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let char = chars.next()?;
        self.rest = chars.as_str();
        Some(char)
    }

    fn eat(&mut self, text: &str) -> bool {
        let rest = self.rest.strip_prefix(text);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn literal(&mut self, char: char) -> Before {
        self.regex.push_str(&regex::escape(char.encode_utf8(&mut [0; 4])));
        Before::Operand
    }

    /// Behind `{`: `2}`, `2,}` or `2,3}`, taken; `Some(None)` if it is none of these and the brace stands for itself, `None` if it asks for too much.
    #[expect(
        clippy::option_option,
        reason = "refused, literal, repetition: each is one of three"
    )]
    fn repetition(&mut self) -> Option<Option<String>> {
        let Some((inside, rest)) = self.rest.split_once('}') else {
            return Some(None);
        };
        let (least, most) = match inside.split_once(',') {
            None => (inside, Some(inside)),
            Some((least, "")) => (least, None),
            Some((least, most)) => (least, Some(most)),
        };
        let is_number = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_digit())
                && (text.len() == 1 || !text.starts_with('0'))
        };
        if !is_number(least) || !most.is_none_or(is_number) {
            return Some(None);
        }
        let number = |text: &str| text.parse().ok().filter(|&number: &u32| number <= MOST_REPEATS);
        let (least, most) = (number(least)?, most.map(|most| number(most).ok_or(())));
        self.rest = rest;
        match most {
            None => Some(Some(format!("{{{least},}}"))),
            Some(Ok(most)) if least <= most => Some(Some(format!("{{{least},{most}}}"))),
            Some(_) => None,
        }
    }

    /// Behind a `\` outside of a class.
    fn escaped(&mut self, before: Before) -> Option<Before> {
        if self.eat("Q") {
            // Up to `\E`, or to the end, all stands for itself.
            let (literal, rest) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
            self.rest = rest;
            self.regex.push_str(&regex::escape(literal));
            let nothing = literal.is_empty() && before == Before::Nothing;
            return Some(if nothing { Before::Nothing } else { Before::Operand });
        }
        for (escape, regex) in [("A", r"\A"), ("z", r"\z"), ("b", r"(?-u:\b)"), ("B", r"(?-u:\B)")] {
            if self.eat(escape) {
                self.regex.push_str(regex);
                return Some(Before::Operand);
            }
        }
        if let Some(class) = self.escaped_class()? {
            self.regex.push_str(&class);
        } else {
            let char = self.escaped_char()?;
            self.literal(char);
        }
        Some(Before::Operand)
    }

    /// Behind a `\`: a class of characters, as a class in brackets.
    #[expect(
        clippy::option_option,
        reason = "refused, no class, class: each is one of three"
    )]
    fn escaped_class(&mut self) -> Option<Option<String>> {
        for (escape, class) in [
            ("d", "[0-9]"),
            ("D", "[^0-9]"),
            ("s", r"[\t\n\x0C\r ]"),
            ("S", r"[^\t\n\x0C\r ]"),
            ("w", "[0-9A-Za-z_]"),
            ("W", "[^0-9A-Za-z_]"),
        ] {
            if self.eat(escape) {
                return Some(Some(class.to_owned()));
            }
        }
        let mut negated = match self.rest.chars().next() {
            Some('p') => false,
            Some('P') => true,
            _ => return Some(None),
        };
        self.next();
        let mut name = if self.eat("{") {
            let (name, rest) = self.rest.split_once('}')?;
            self.rest = rest;
            name.to_owned()
        } else {
            self.next()?.to_string()
        };
        if let Some(rest) = name.strip_prefix('^') {
            negated = !negated;
            name = rest.to_owned();
        }
        let known = !name.is_empty()
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        let letter = if negated { 'P' } else { 'p' };
        known.then(|| Some(format!("[\\{letter}{{{name}}}]")))
    }

    /// Behind a `\`: one character.
    fn escaped_char(&mut self) -> Option<char> {
        let char = self.next()?;
        match char {
            'a' => Some('\x07'),
            'f' => Some('\x0C'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\x0B'),
            'x' => self.hexadecimal(),
            '0'..='7' => self.octal(char),
            other => (other.is_ascii() && !other.is_ascii_alphanumeric()).then_some(other),
        }
    }

    /// Behind `\x`: two digits, or any number of them in braces.
    fn hexadecimal(&mut self) -> Option<char> {
        let digits = if self.eat("{") {
            let (digits, rest) = self.rest.split_once('}')?;
            self.rest = rest;
            digits
        } else {
            let (digits, rest) = self.rest.split_at_checked(2)?;
            self.rest = rest;
            digits
        };
        // `from_str_radix` takes a sign, too.
        let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_hex.then(|| u32::from_str_radix(digits, 16).ok().and_then(char::from_u32))?
    }

    /// Behind `\` and this digit: up to two more. A single one would be a back reference, which Go has not.
    fn octal(&mut self, first: char) -> Option<char> {
        let mut digits = first.to_string();
        while digits.len() < 3
            && let Some(digit) = self
                .rest
                .chars()
                .next()
                .filter(|digit| ('0'..='7').contains(digit))
        {
            self.next();
            digits.push(digit);
        }
        (first == '0' || digits.len() > 1)
            .then(|| u32::from_str_radix(&digits, 8).ok().and_then(char::from_u32))?
    }

    /// Behind `[`.
    fn class(&mut self) -> Option<()> {
        let mut class = "[".to_owned();
        if self.eat("^") {
            class.push('^');
        }
        let mut first = true;
        while first || !self.eat("]") {
            first = false;
            let named = self.rest.strip_prefix("[:");
            if let Some((name, rest)) = named.and_then(|rest| rest.split_once(":]")) {
                self.rest = rest;
                let known = NAMED_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name));
                known.then(|| class.extend(["[:", name, ":]"]))?;
                continue;
            }
            let before = self.rest;
            if self.eat("\\") {
                if let Some(inner) = self.escaped_class()? {
                    class.push_str(&inner);
                    continue;
                }
                self.rest = before;
            }
            let low = self.class_char()?;
            let mut high = low;
            if self.rest.len() >= 2 && self.rest.starts_with('-') && !self.rest.starts_with("-]") {
                self.next();
                high = self.class_char()?;
            }
            (low <= high).then_some(())?;
            let edge = |char: char| regex::escape(char.encode_utf8(&mut [0; 4]));
            class.extend([edge(low), "-".to_owned(), edge(high)]);
        }
        class.push(']');
        self.regex.push_str(&class);
        Some(())
    }

    fn class_char(&mut self) -> Option<char> {
        if self.eat("\\") {
            self.escaped_char()
        } else {
            self.next()
        }
    }
}
