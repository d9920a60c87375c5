//! Where tags go: the family's repository, that of its machine tags, those of its variants.

use super::Resolver;
use crate::config::document::{Field, Placed};
use crate::domain::Repository;

const REPOSITORY: &str =
    "write `[HOST[:PORT]/]PATH` in lower case and without a tag, for example `docker.io/acme/devbox`";

impl Resolver<'_, '_> {
    /// Where tags go: flag, variable, file.
    pub(super) fn repository(&mut self) -> Option<Repository> {
        let field = self.raw.family.value().map(|family| &family.repository);
        if let Some(repository) = &self.overrides.repository {
            return Some(repository.clone());
        }
        if let Some(text) = self.environment.get(VARIABLE) {
            let parsed = text.parse();
            if parsed.is_err() {
                let message = format!("`{VARIABLE}`: `{text}` is not a repository");
                self.reader.error_outside(message, Some(REPOSITORY.to_owned()));
            }
            return parsed.ok();
        }
        match field {
            Some(Field::Given(given)) => self.read_repository(given),
            Some(Field::Absent) => {
                let hint = format!("add it, or give `--repository` or `{VARIABLE}`");
                let message = "`[family] repository` is missing".to_owned();
                match self.raw.family.span() {
                    Some(span) => self.reader.error(span, message, Some(hint)),
                    None => self.reader.error_outside(message, Some(hint)),
                }
                None
            }
            Some(Field::Bad) | None => None,
        }
    }

    /// Where machine tags go, when not to the family's repository.
    pub(super) fn work_repository(&mut self, family: Option<&Repository>) -> Option<Repository> {
        let given = self.raw.family.value()?.work_repository.given()?;
        self.other_repository(given, family)
    }

    /// A repository beside that of the family, which must be on the same registry. Who sends the family to another repository sends all of it
    /// there: what tries a release out must write nothing into the real repositories.
    pub(super) fn other_repository(
        &mut self,
        given: &Placed<String>,
        family: Option<&Repository>,
    ) -> Option<Repository> {
        if let Some(said) = self.says_repository() {
            let message = format!(
                "{} is not used: {said} sends every tag to its repository",
                given.label
            );
            self.reader.warning(&given.span, message, None);
            return None;
        }
        let (other, family) = (self.read_repository(given)?, family?);
        if other.host() != family.host() {
            let message = format!(
                "{}: `{}` is on another registry than `{family}`",
                given.label, given.value
            );
            let hint = format!("name a repository on `{}`", family.host());
            self.error(&given.span, message, hint);
            return None;
        }
        (other != *family).then_some(other)
    }

    /// Where releases are copied to.
    pub(super) fn mirrors(&mut self, family: Option<&Repository>) -> Vec<Repository> {
        let raw = self.raw;
        let Some(list) = raw.family.value().and_then(|family| family.mirrors.given()) else {
            return Vec::new();
        };
        if let Some(said) = self.says_repository() {
            let message = format!(
                "{} are not used: {said} sends every tag to its repository",
                list.label
            );
            self.reader.warning(&list.span, message, None);
            return Vec::new();
        }
        let mut mirrors = Vec::new();
        for given in &list.value {
            let Some(mirror) = self.read_repository(given) else {
                continue;
            };
            if Some(&mirror) == family || mirrors.contains(&mirror) {
                let message = format!("{}: `{}` gets every release already", given.label, given.value);
                self.error(&given.span, message, "leave it out".to_owned());
                continue;
            }
            mirrors.push(mirror);
        }
        mirrors
    }

    /// What says which repository to take instead of the file.
    fn says_repository(&self) -> Option<&'static str> {
        if self.overrides.repository.is_some() {
            return Some("`--repository`");
        }
        self.environment.get(VARIABLE).map(|_| "`SPLITBASE_REPOSITORY`")
    }

    fn read_repository(&mut self, given: &Placed<String>) -> Option<Repository> {
        let text = self.fill_in_all(given)?;
        let parsed = text.parse::<Repository>();
        if parsed.is_err() {
            // What the environment holds is nobody's business.
            let filled = if text == given.value {
                ""
            } else {
                ", with its variables filled in,"
            };
            let message = format!("{}: `{}`{filled} is not a repository", given.label, given.value);
            self.error(&given.span, message, REPOSITORY.to_owned());
        }
        parsed.ok()
    }
}

const VARIABLE: &str = "SPLITBASE_REPOSITORY";
