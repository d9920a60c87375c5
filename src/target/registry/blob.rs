//! Reading blobs. They often lie on another host, to which the registry sends on.

use super::Registry;
use super::auth::Access;
use super::exchange::Request;
use super::failure::Operation;
use crate::domain::{Digest, Repository};
use crate::target::TargetError;
use bytes::Bytes;
use reqwest::Method;

impl Registry {
    pub(super) async fn read_blob(
        &self,
        repository: &Repository,
        digest: &Digest,
        limit: usize,
    ) -> Result<Bytes, TargetError> {
        let operation = Operation::read(repository, format_args!("blob `{digest}`"));
        let request = Request::new(Method::GET, repository, Access::Pull, format!("blobs/{digest}"));
        self.retrying(|| async {
            let answer = self.checked(&operation, &request).await?;
            let body = answer.body(&operation, limit).await?;
            let read = Digest::of(&body);
            if read == *digest {
                Ok(body)
            } else {
                Err(operation.permanent(format!("the body has the digest {read}")))
            }
        })
        .await
    }
}
