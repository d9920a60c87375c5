//! Finding out whether a registry answers at all, what it says to reading, and what time it has.

use super::Registry;
use super::auth::Access;
use super::exchange::Request;
use super::failure::Operation;
use super::retry::http_date;
use crate::clock;
use crate::domain::Repository;
use crate::target::TargetError;
use reqwest::Method;

/// What a registry that answers let be known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reached {
    /// Whether the repository can be read: 200, or 404 for one that holds nothing yet. Else what the registry said.
    pub readable: Result<bool, TargetError>,
    /// How far its clock is ahead of ours, in seconds, by the header `Date`; `None` without one.
    pub ahead: Option<i64>,
}

impl Registry {
    pub(super) async fn ask_for_tags(&self, repository: &Repository) -> Result<Reached, TargetError> {
        let operation = Operation::read(repository, "the tags");
        let request = Request::new(Method::GET, repository, Access::Pull, "tags/list?n=1");
        let asked = self
            .retrying(|| async {
                let answer = self.exchange(&operation, &request).await?;
                let ahead = answer
                    .header("date")
                    .and_then(http_date)
                    .map(|date| date.as_second() - clock::now().as_second());
                let readable = match answer.status.as_u16() {
                    200..300 => Ok(true),
                    404 => Ok(false),
                    _ => {
                        let error = answer.into_error(&operation).await;
                        if !matches!(error.status, Some(401 | 403)) {
                            return Err(error);
                        }
                        Err(self.redact(error))
                    }
                };
                Ok(Reached { readable, ahead })
            })
            .await;
        match asked {
            // A token server that refuses the credentials: the registry is there.
            Err(error) if matches!(error.status, Some(401 | 403)) => Ok(Reached {
                readable: Err(error),
                ahead: None,
            }),
            asked => asked,
        }
    }
}
