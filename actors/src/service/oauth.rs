//! A tenant's OAuth clients and their access tokens, and its setup links.

use access::{Author, TokenId};
use store::oauth::{self, AccessToken, OAuthClient};
use store::setup_link::{SetupLink, setup_link_key};
use store::{
    Changeset, Collection, Document, DocumentKey, Kept, Operation, Requirement, Snapshot, TenantKey,
};

use super::Service;
use crate::error::ChangeError;

/// Access tokens of one client that are kept at once; the oldest goes for a new one.
const ACCESS_TOKENS_MAX: usize = 256;

impl Service {
    /// Keeps a new client.
    pub async fn create_client(
        &self,
        tenant: TenantKey,
        client: &OAuthClient,
        author: Author,
    ) -> Result<(), ChangeError> {
        self.commit(tenant, Operation::put(client)?, author).await
    }

    /// Deletes a client and its access tokens: from now on they open nothing.
    pub async fn delete_client(
        &self,
        tenant: TenantKey,
        client: TokenId,
        author: Author,
    ) -> Result<(), ChangeError> {
        let snapshot = self.store.snapshot()?;
        let key = oauth::client_key(client);
        let kept: Option<Kept<OAuthClient>> = snapshot.document(tenant, &key)?;
        let kept = kept.ok_or(ChangeError::NotFound)?;
        let tokens = access_tokens(&snapshot, tenant, &key)?;
        drop(snapshot);
        let mut change = Changeset::new(tenant, self.clock.now(), None)
            .by(author)
            .requiring(still(&kept))
            .with(Operation::delete::<OAuthClient>(key));
        // One that was made meanwhile counts no more without its client, and goes when it expires.
        change.operations.extend(tokens.iter().map(delete));
        self.wait_for(change).await
    }

    /// Keeps a new access token of a client that was read as `client`.
    pub async fn keep_access_token(
        &self,
        tenant: TenantKey,
        client: &Kept<OAuthClient>,
        token: &AccessToken,
    ) -> Result<(), ChangeError> {
        let snapshot = self.store.snapshot()?;
        let kept = access_tokens(&snapshot, tenant, &client.value.key())?;
        drop(snapshot);
        let now = self.clock.now();
        let too_many = (kept.len() + 1).saturating_sub(ACCESS_TOKENS_MAX);
        let mut change =
            Changeset::new(tenant, now, None).requiring(still(client)).with(Operation::put(token)?);
        change.operations.extend(kept.iter().take(too_many).map(delete));
        self.wait_for(change).await
    }
}

impl Service {
    /// Keeps a new setup link.
    pub async fn create_setup_link(
        &self,
        tenant: TenantKey,
        link: &SetupLink,
        author: Author,
    ) -> Result<(), ChangeError> {
        self.commit(tenant, Operation::put(link)?, author).await
    }

    /// Deletes a setup link: from now on it opens nothing.
    pub async fn delete_setup_link(
        &self,
        tenant: TenantKey,
        link: TokenId,
        author: Author,
    ) -> Result<(), ChangeError> {
        let operation = Operation::delete::<SetupLink>(setup_link_key(link));
        self.commit(tenant, operation, author).await
    }
}

/// A client's access tokens, oldest first.
fn access_tokens(
    snapshot: &Snapshot,
    tenant: TenantKey,
    client: &DocumentKey,
) -> Result<Vec<AccessToken>, ChangeError> {
    // Made at once, there may be a few more than the limit.
    Ok(snapshot.documents_within(tenant, client, None, 4 * ACCESS_TOKENS_MAX)?)
}

fn still(client: &Kept<OAuthClient>) -> Requirement {
    Requirement::Document {
        collection: Collection::OAuthClients,
        key: client.value.key(),
        revision: Some(client.revision),
    }
}

fn delete(token: &AccessToken) -> Operation {
    Operation::delete::<AccessToken>(token.key())
}
