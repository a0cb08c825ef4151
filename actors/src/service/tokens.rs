//! A tenant's tokens, and the operator's.

use access::TokenId;
use store::tenant::Token;
use store::{Operation, TenantKey};

use super::Service;
use crate::error::ChangeError;

impl Service {
    /// Keeps a new token of a tenant.
    pub async fn create_token(&self, tenant: TenantKey, token: Token) -> Result<(), ChangeError> {
        self.commit(tenant, Operation::PutToken(Box::new(token))).await
    }

    /// Deletes a token: from now on it opens nothing.
    pub async fn delete_token(&self, tenant: TenantKey, token: TokenId) -> Result<(), ChangeError> {
        self.commit(tenant, Operation::DeleteToken(token)).await
    }

    /// Keeps the hash of the operator token.
    pub async fn keep_operator_token(&self, sha256: [u8; 32]) -> Result<(), ChangeError> {
        self.commit(TenantKey::SERVICE, Operation::PutOperatorToken(sha256)).await
    }
}
