//! A line of the table.

use super::class::FailureClass;
use super::kind::FailureKind;
use super::place::Place;
use super::symptom::{Source, Symptom};
use super::trouble::Trouble;

/// A line of the table: at one of these places, with all of these signs, a failure is of this kind and class.
#[derive(Debug)]
pub struct Rule {
    /// Its name, like no other's.
    pub name: &'static str,
    /// Where it applies.
    pub at: &'static [Place],
    /// What must be seen; all of it.
    pub signs: &'static [Sign],
    /// What failed.
    pub kind: FailureKind,
    /// Whether it passes.
    pub class: FailureClass,
    /// What to do about it; empty for nothing. Words in braces are filled in, see [`Rule::mend`].
    pub mend: &'static str,
}

/// Something to be seen of a failure.
#[derive(Debug, Clone, Copy)]
pub enum Sign {
    /// The status lies in one of these ranges, both ends included.
    Status(&'static [(u16, u16)]),
    /// One of these codes of a registry.
    Code(&'static [&'static str]),
    /// One of these troubles.
    Trouble(&'static [Trouble]),
    /// The program ended with this code.
    Exit(i32),
    /// What was said is this, whole.
    Is(&'static str),
    /// One of these texts, in lower case, is in what was said.
    Says(&'static [&'static str]),
    /// One of these texts, in lower case, is in the end of the log of the `RUN`, or in what was said of it.
    Logs(&'static [&'static str]),
    /// The build read its cache from a registry.
    CacheRead,
    /// This is known of the source.
    Source(Source),
}

impl Rule {
    /// Whether it decides.
    #[must_use]
    pub fn fits(&self, symptom: &Symptom<'_>) -> bool {
        self.at.contains(&symptom.place) && self.signs.iter().all(|sign| sign.seen(symptom))
    }

    /// What to do about it, with `{host}` and the like filled in; `None` for nothing. What has no value stays out in capital letters: `HOST`.
    #[must_use]
    pub fn mend(&self, values: &[(&str, &str)]) -> Option<String> {
        if self.mend.is_empty() {
            return None;
        }
        let mut text = self.mend.to_owned();
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), value);
        }
        for name in ["host", "repository", "may", "name"] {
            text = text.replace(&format!("{{{name}}}"), &name.to_uppercase());
        }
        Some(text)
    }
}

impl Sign {
    fn seen(&self, symptom: &Symptom<'_>) -> bool {
        let holds = |text: &str, needles: &[&str]| {
            let low = text.to_lowercase();
            needles.iter().any(|needle| low.contains(needle))
        };
        match self {
            Self::Status(ranges) => symptom
                .status
                .is_some_and(|status| ranges.iter().any(|(from, to)| (*from..=*to).contains(&status))),
            Self::Code(codes) => symptom.codes.iter().any(|code| codes.contains(&code.as_str())),
            Self::Trouble(troubles) => symptom.trouble.is_some_and(|trouble| troubles.contains(&trouble)),
            Self::Exit(code) => symptom.exit_code == Some(*code),
            Self::Is(text) => symptom.text.eq_ignore_ascii_case(text),
            Self::Says(texts) => holds(symptom.text, texts),
            Self::Logs(texts) => holds(symptom.log, texts) || holds(symptom.text, texts),
            Self::CacheRead => symptom.cache_read,
            Self::Source(source) => symptom.source == *source,
        }
    }
}
