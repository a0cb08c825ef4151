//! A tenant's tokens, and the operator's.

use access::{Author, TokenId};
use jiff::Timestamp;
use store::tenant::Token;
use store::{Changeset, Operation, TenantKey};

use super::Service;
use crate::error::ChangeError;

impl Service {
    /// Keeps a new token of a tenant.
    pub async fn create_token(
        &self,
        tenant: TenantKey,
        token: Token,
        author: Author,
    ) -> Result<(), ChangeError> {
        self.commit(tenant, Operation::PutToken(Box::new(token)), author).await
    }

    /// Keeps a new token of a tenant in place of another one, which ends at `ends_at`, or when it
    /// would anyway, if that is earlier.
    pub async fn replace_token(
        &self,
        tenant: TenantKey,
        token: Token,
        replaced: TokenId,
        ends_at: Timestamp,
        author: Author,
    ) -> Result<(), ChangeError> {
        let change = Changeset::new(tenant, self.clock.now(), None)
            .by(author)
            .with(Operation::PutToken(Box::new(token)))
            .with(Operation::ExpireToken { token: replaced, at: ends_at });
        self.wait_for(change).await
    }

    /// Deletes a token: from now on it opens nothing.
    pub async fn delete_token(
        &self,
        tenant: TenantKey,
        token: TokenId,
        author: Author,
    ) -> Result<(), ChangeError> {
        self.commit(tenant, Operation::DeleteToken(token), author).await
    }

    /// Keeps the hash of the operator token.
    pub async fn keep_operator_token(&self, sha256: [u8; 32]) -> Result<(), ChangeError> {
        let keep = Operation::PutOperatorToken(sha256);
        self.commit(TenantKey::SERVICE, keep, Author::service()).await
    }
}
