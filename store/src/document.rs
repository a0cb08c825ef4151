//! Documents: small things of a tenant that need no index of their own.
//!
//! A document is a value kept as JSON under a key within its [`Collection`]; keys sort within the
//! collection. What changes one is audited like every other change, unless the collection says
//! that its documents are no more than somebody's notes on how far it has come.

use access::{Hold, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::changeset::Operation;
use crate::key::{Key, TenantKey};
use crate::kv::ReadError;
use crate::snapshot::encode_json;
use crate::table::Table;

macro_rules! collections {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $audited:literal, $secrets:expr;)*) => {
        /// A kind of document. The number is part of keys on disk: never reuse one.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Collection {
            $($(#[$doc])* $variant = $number,)*
        }

        impl Collection {
            /// Every collection.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// What the audit log calls one of its documents.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Whether changes of its documents are audited.
            pub const fn is_audited(self) -> bool {
                match self { $(Self::$variant => $audited,)* }
            }

            /// Keys of its documents whose values are secret: the audit log says that they
            /// changed, and not to what.
            pub const fn secret_keys(self) -> &'static [&'static str] {
                match self { $(Self::$variant => $secrets,)* }
            }
        }
    };
}

collections! {
    /// Mass changes that wait, or waited, for an operator.
    Holds = 1, "hold", true, &[];
    /// Receivers of events, as operators set them.
    Webhooks = 2, "webhook", true, &["secrets"];
    /// How far each webhook has come.
    WebhookPositions = 3, "webhook_position", false, &[];
    /// Events that wait for a webhook, that it gave up, and that it delivered lately.
    Deliveries = 4, "delivery", false, &[];
    /// Of which tokens' expiry the feed has told.
    TokenWarnings = 10, "token_warning", false, &[];
    /// When tokens were last used.
    TokenUses = 11, "token_use", false, &[];
    /// OAuth clients.
    OAuthClients = 12, "oauth_client", true, &["secret_sha256"];
    /// Access tokens of OAuth clients.
    AccessTokens = 13, "access_token", false, &["secret_sha256"];
    /// Addresses that open a tenant's web pages.
    SetupLinks = 16, "setup_link", true, &["secret_sha256"];
    /// Who holds what, a row an asset. Its list is audited, as one.
    Assets = 6, "asset", false, &[];
    /// The list of equipment that counts.
    EquipmentLists = 7, "equipment_list", true, &[];
    /// How far the reporter has come.
    ReporterPositions = 8, "reporter_position", false, &[];
    /// What has been told of accounts that are disabled and still hold something.
    EquipmentNotices = 9, "equipment_notice", false, &[];
    /// What came, counted hour by hour, and when the directory was heard.
    Traffic = 14, "traffic", false, &[];
    /// The names of the attributes that came.
    SentNames = 15, "sent_names", false, &[];
}

impl Collection {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().copied().find(|collection| *collection as u8 == number)
    }
}

/// Where a document is within its collection.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct DocumentKey(Vec<u8>);

impl DocumentKey {
    /// The key that is this identifier's 16 bytes.
    pub fn id(id: &[u8; 16]) -> Self {
        Self(id.to_vec())
    }

    /// The key of what belongs to this user.
    pub fn user(user: UserId) -> Self {
        Self::id(user.as_bytes())
    }

    /// The key that is this text; text over 250 bytes stands there as its SHA-256.
    pub fn text(text: &str) -> Self {
        Self(Key::empty().text(text).done())
    }

    /// The same key, then a number. Smaller numbers sort first.
    #[must_use]
    pub fn then_number(mut self, number: u64) -> Self {
        self.0.extend_from_slice(&number.to_be_bytes());
        self
    }

    /// The same key, then an identifier.
    #[must_use]
    pub fn then_id(mut self, id: &[u8; 16]) -> Self {
        self.0.extend_from_slice(id);
        self
    }

    /// The same key, then a text, as [`DocumentKey::text`].
    #[must_use]
    pub fn then_text(mut self, text: &str) -> Self {
        self.0.extend(Key::empty().text(text).done());
        self
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Something that is kept as a document.
pub trait Document: Serialize + DeserializeOwned {
    /// Its kind.
    const COLLECTION: Collection;

    /// Where it is in the collection.
    fn key(&self) -> DocumentKey;
}

/// A document as read, with what tells whether it has changed since.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<D> {
    /// The document.
    pub value: D,
    /// A hash of what was read; see [`crate::Requirement::Document`].
    pub revision: u64,
}

/// A hash of a document as kept.
pub(crate) fn revision_of(payload: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(payload)
}

pub(crate) fn collection_prefix(tenant: TenantKey, collection: Collection) -> Key {
    Key::tenant(tenant).byte(collection as u8)
}

pub(crate) fn row_key(tenant: TenantKey, collection: Collection, key: &DocumentKey) -> Vec<u8> {
    let mut row = collection_prefix(tenant, collection).done();
    row.extend_from_slice(&key.0);
    row
}

impl Document for Hold {
    const COLLECTION: Collection = Collection::Holds;

    fn key(&self) -> DocumentKey {
        DocumentKey::id(self.id.as_bytes())
    }
}

impl Operation {
    /// Keeps a document, in place of the one that has its key.
    pub fn put<D: Document>(document: &D) -> Result<Self, ReadError> {
        let json = encode_json(Table::Documents, document)?;
        Ok(Self::PutDocument { collection: D::COLLECTION, key: document.key(), json })
    }

    /// Deletes the document with this key. One that is not there is no error.
    pub const fn delete<D: Document>(key: DocumentKey) -> Self {
        Self::DeleteDocument { collection: D::COLLECTION, key }
    }
}
