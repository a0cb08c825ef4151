//! Whom a holder means: by SCIM id, externalId, userName, then primary e-mail address.
//!
//! The holders are gathered first and every account is looked at once, so that the work is one
//! scan and the memory that of the holders, however many accounts there are.
//!
//! Who is deleted can still hold something, so deleted accounts match too, but only what no other
//! account does: a name may have been given to somebody new. Entra renames a user that it soft
//! deletes: 32 hexadecimal digits come in front of the userName and the address. Those are looked
//! through where the user is disabled or deleted.

use std::collections::HashMap;

use scim::casefold::fold;

use crate::account::{Account, Status};
use crate::id::UserId;

/// Digits that Entra puts in front of the name of a user that it soft deletes.
const SOFT_DELETED_DIGITS: usize = 32;

/// How a holder was found; earlier ones win.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Id,
    ExternalId,
    UserName,
    Email,
    FormerName,
}

/// A match; the smaller one wins: another way than by id counts less for a deleted account.
type Rank = (bool, Way);

/// Holders to find the accounts of.
#[derive(Debug, Default)]
pub struct Holders {
    /// By the text as sent.
    exact: HashMap<String, Option<(Rank, UserId)>>,
    /// By the folded text, for names and addresses, which have no case.
    folded: HashMap<String, Option<(Rank, UserId)>>,
}

impl Holders {
    /// Adds a holder, as sent.
    pub fn add(&mut self, holder: &str) {
        self.exact.entry(holder.to_owned()).or_default();
        self.folded.entry(fold(holder)).or_default();
    }

    /// Whether there is nobody to find.
    pub fn is_empty(&self) -> bool {
        self.exact.is_empty()
    }

    /// Looks at an account. Accounts must come oldest first: of two that match equally well the
    /// first one counts, or of deleted ones the last.
    pub fn see(&mut self, account: &Account) {
        let gone = account.status == Status::Deleted;
        let id = account.id.to_string();
        note(self.exact.get_mut(&id), (false, Way::Id), account.id);
        if let Some(external_id) = &account.external_id {
            note(self.exact.get_mut(external_id), (gone, Way::ExternalId), account.id);
        }
        let names =
            [(Some(&account.user_name), Way::UserName), (account.email.as_ref(), Way::Email)];
        for (name, way) in names {
            let Some(name) = name else { continue };
            let name = fold(name);
            note(self.folded.get_mut(&name), (gone, way), account.id);
            if account.status != Status::Active
                && let Some(former) = former_name(&name)
            {
                note(self.folded.get_mut(former), (gone, Way::FormerName), account.id);
            }
        }
    }

    /// The account that a holder means, of those seen.
    pub fn account_of(&self, holder: &str) -> Option<UserId> {
        let exact = self.exact.get(holder).copied().flatten();
        // A SCIM id is sent as an identifier, whose letters have no case.
        let id = holder.parse::<UserId>().ok().map(|id| id.to_string());
        let by_id = id.and_then(|id| self.exact.get(&id).copied().flatten());
        let folded = self.folded.get(&fold(holder)).copied().flatten();
        let best = exact.into_iter().chain(by_id).chain(folded).min_by_key(|(rank, _)| *rank);
        best.map(|(_, account)| account)
    }
}

fn note(place: Option<&mut Option<(Rank, UserId)>>, rank: Rank, account: UserId) {
    let Some(place) = place else { return };
    let better = place.is_none_or(|(best, _)| rank < best || (rank == best && rank.0));
    if better {
        *place = Some((rank, account));
    }
}

/// The name without the digits of a soft delete.
fn former_name(name: &str) -> Option<&str> {
    let (digits, rest) = name.split_at_checked(SOFT_DELETED_DIGITS)?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    (all_digits && !rest.is_empty()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::Timestamp;

    use super::*;
    use crate::account::{Rule, Why};

    fn account(number: u8, status: Status, texts: [&str; 3]) -> Account {
        let [external_id, user_name, email] = texts.map(str::to_owned);
        let why = Why {
            rule: Rule::Default,
            mapping: None,
            group: None,
            since: Timestamp::UNIX_EPOCH,
            wave: None,
            request: None,
        };
        Account {
            id: UserId::from_bytes([number; 16]),
            user_name,
            external_id: Some(external_id).filter(|text| !text.is_empty()),
            display_name: String::new(),
            email: Some(email).filter(|text| !text.is_empty()),
            status,
            status_since: Timestamp::UNIX_EPOCH,
            role: None,
            lock: None,
            shadow: None,
            withheld: None,
            why,
            fields: BTreeMap::new(),
            created_at: Timestamp::UNIX_EPOCH,
            revision: 1,
        }
    }

    /// The number of the account that the holder means.
    fn found(accounts: &[Account], holder: &str) -> Option<u8> {
        let mut holders = Holders::default();
        holders.add(holder);
        for account in accounts {
            holders.see(account);
        }
        holders.account_of(holder).map(|id| id.as_bytes()[0])
    }

    #[test]
    fn a_holder_is_found_in_four_ways_in_their_order() {
        let id = UserId::from_bytes([1; 16]).to_string();
        let accounts = [
            account(1, Status::Active, ["e1", "ada", "ada@x"]),
            account(2, Status::Active, ["ada", "e1", "e1"]),
            account(3, Status::Active, [&id, "bob", "ADA@x"]),
            account(4, Status::Active, ["", "ada@x", "bob"]),
        ];

        assert_eq!(found(&accounts, &id), Some(1));
        assert_eq!(found(&accounts, "e1"), Some(1));
        assert_eq!(found(&accounts, "ada"), Some(2));
        // Names have no case; an externalId has.
        assert_eq!(found(&accounts, "ADA"), Some(1));
        assert_eq!(found(&accounts, "BOB"), Some(3));
        assert_eq!(found(&accounts, "Ada@X"), Some(4));
        assert_eq!(found(&accounts[..3], "Ada@X"), Some(1));
        assert_eq!(found(&accounts, "eve"), None);
    }

    #[test]
    fn who_is_deleted_is_found_where_nobody_else_is() {
        let accounts = [
            account(1, Status::Deleted, ["", "ada", ""]),
            account(2, Status::Deleted, ["", "ada", ""]),
        ];
        assert_eq!(found(&accounts, "ada"), Some(2));

        let anew = account(3, Status::Active, ["", "bob", "ada"]);
        let accounts: Vec<_> = accounts.into_iter().chain([anew]).collect();
        assert_eq!(found(&accounts, "ada"), Some(3));
        assert_eq!(found(&accounts, &UserId::from_bytes([1; 16]).to_string()), Some(1));
    }

    #[test]
    fn who_was_renamed_by_a_soft_delete_is_found_by_the_former_name() {
        let renamed = "0123456789abcdef0123456789ABCDEFada@x";
        let disabled = account(1, Status::Disabled, ["", renamed, ""]);
        assert_eq!(found(std::slice::from_ref(&disabled), "Ada@x"), Some(1));
        assert_eq!(found(&[account(1, Status::Active, ["", renamed, ""])], "ada@x"), None);
        let anew = account(2, Status::Active, ["", "", "ada@x"]);
        assert_eq!(found(&[disabled, anew], "ada@x"), Some(2));
    }
}
