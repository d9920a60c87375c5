//! Colours: which there are, and when.

use crate::environment::Environment;
use anstyle::{AnsiColor, Style};

/// Something that went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Something that failed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something odd.
pub(crate) const ODD: Style = AnsiColor::Yellow.on_default();
/// Something to look at: names of what is meant.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default();
/// Headings.
pub(crate) const HEADING: Style = Style::new().bold();
/// What may be overlooked.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// No style at all.
pub(crate) const PLAIN: Style = Style::new();

/// `text` in `style`.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// When colours are used: `--color`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum ColorMode {
    /// On a terminal, as far as `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR` and `TERM` agree.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

impl ColorMode {
    /// Whether a stream gets colours: a flag counts more than `NO_COLOR`, that more than `CLICOLOR_FORCE`, that more than the terminal.
    #[must_use]
    pub fn wants(self, environment: &Environment, terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto if environment.get("NO_COLOR").is_some() => false,
            Self::Auto
                if environment
                    .get("CLICOLOR_FORCE")
                    .is_some_and(|value| value != "0") =>
            {
                true
            }
            Self::Auto => {
                terminal
                    && environment.get("CLICOLOR") != Some("0")
                    && environment.get("TERM") != Some("dumb")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_decides_on_colours() {
        let wants = |mode: ColorMode, variables: &[(&str, &str)], terminal| {
            mode.wants(&Environment::of(variables.iter().copied()), terminal)
        };
        assert!(wants(ColorMode::Auto, &[], true));
        assert!(!wants(ColorMode::Auto, &[], false));
        assert!(!wants(ColorMode::Auto, &[("NO_COLOR", "1")], true));
        assert!(!wants(
            ColorMode::Auto,
            &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")],
            true
        ));
        assert!(
            wants(ColorMode::Auto, &[("NO_COLOR", "")], true),
            "an empty variable is none"
        );
        assert!(wants(ColorMode::Auto, &[("CLICOLOR_FORCE", "1")], false));
        assert!(!wants(ColorMode::Auto, &[("CLICOLOR_FORCE", "0")], false));
        assert!(!wants(ColorMode::Auto, &[("TERM", "dumb")], true));
        assert!(wants(ColorMode::Always, &[("NO_COLOR", "1")], false));
        assert!(!wants(ColorMode::Never, &[("CLICOLOR_FORCE", "1")], true));
    }
}
