//! What users see of a run so far, for whoever has to say it when the run itself no longer can.

use crate::domain::PublicTag;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What runs of this command did to release tags and aliases. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Account(Arc<Mutex<Written>>);

#[derive(Debug, Default)]
struct Written {
    /// Written, moved or deleted, and not answered yet: it may be done or not.
    open: BTreeSet<PublicTag>,
    /// Written, moved or deleted.
    done: BTreeSet<PublicTag>,
}

impl Account {
    fn lock(&self) -> MutexGuard<'_, Written> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on something may have been done to this one.
    pub(super) fn asks(&self, tag: &PublicTag) {
        self.lock().open.insert(tag.clone());
    }

    /// It was done.
    pub(super) fn did(&self, tag: &PublicTag) {
        let mut written = self.lock();
        written.open.remove(tag);
        written.done.insert(tag.clone());
    }

    /// Whether nobody has heard yet what became of this one.
    pub(super) fn is_open(&self, tag: &PublicTag) -> bool {
        self.lock().open.contains(tag)
    }

    /// The run ended well: there is nothing that was cut off.
    pub(super) fn close(&self) {
        *self.lock() = Written::default();
    }

    /// Whether anything that users see was written, or may have been.
    #[must_use]
    pub fn is_published(&self) -> bool {
        let written = self.lock();
        !written.open.is_empty() || !written.done.is_empty()
    }

    /// What was done and what may be, in one line; `None` where nothing was written.
    #[must_use]
    pub fn told(&self) -> Option<String> {
        let written = self.lock();
        let list = |tags: &BTreeSet<PublicTag>, what: &str| {
            let names: Vec<_> = tags.iter().map(|tag| format!("`{tag}`")).collect();
            (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
        };
        let parts = [
            list(&written.done, "done"),
            list(&written.open, "done or not, for the answer did not come"),
        ];
        let parts: Vec<_> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_and_what_may_be_is_told() {
        let account = Account::default();
        let tag = |text: &str| PublicTag::from(text.parse::<crate::domain::Tag>().unwrap());
        assert_eq!((account.is_published(), account.told()), (false, None));
        account.asks(&tag("v1"));
        assert!(account.is_published() && account.is_open(&tag("v1")));
        account.clone().did(&tag("v1"));
        account.asks(&tag("latest"));
        assert_eq!(
            account.told().unwrap(),
            "done: `v1`; done or not, for the answer did not come: `latest`"
        );
        account.close();
        assert!(!account.is_published());
    }
}
