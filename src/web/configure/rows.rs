//! Rows of role mappings with what is known of their groups.

use std::collections::HashMap;
use std::ops::ControlFlow;

use access::GroupId;
use actors::Tenant;
use actors::config::ActiveConfig;
use scim::schema::ResourceType;
use store::{ReadError, Snapshot};

use super::form::{RulesForm, TypedMapping};
use crate::web::filters;

/// Groups that are offered to choose from.
const GROUPS_OFFERED_MAX: usize = 1_000;

/// A row as it is shown.
pub(super) struct Row {
    /// From 1.
    pub(super) place: usize,
    pub(super) is_by_id: bool,
    pub(super) group: String,
    pub(super) role: String,
    pub(super) meaning: Meaning,
    pub(super) group_error: Option<String>,
    pub(super) role_error: Option<String>,
}

/// What a mapping means now.
pub(super) enum Meaning {
    /// The row is empty.
    Nothing,
    /// It means this group.
    Bound { name: String, members: String },
    /// No such group was pushed yet.
    Unbound,
    /// It means the same group as an earlier row, which wins.
    Shadowed { by: usize },
}

/// A group to choose.
pub(super) struct Offered {
    pub(super) name: String,
    pub(super) members: String,
}

/// The rows of a form, and an empty one for who has no script.
pub(super) fn rows(
    tenant: &Tenant,
    config: &ActiveConfig,
    form: &RulesForm,
) -> Result<Vec<Row>, ReadError> {
    let snapshot = tenant.shared().snapshot()?;
    let mut seen: HashMap<GroupId, usize> = HashMap::new();
    let mut rows = Vec::with_capacity(form.mappings.len().saturating_add(1));
    for (at, mapping) in form.mappings.iter().enumerate() {
        let place = at.saturating_add(1);
        let group = group_of(tenant, &snapshot, config, mapping)?;
        let record = match group {
            Some(group) => snapshot.group(tenant.key(), group)?.map(|record| (group, record)),
            None => None,
        };
        let meaning = match record {
            None => Meaning::Unbound,
            Some((group, record)) => {
                if let Some(by) = seen.get(&group) {
                    Meaning::Shadowed { by: *by }
                } else {
                    seen.insert(group, place);
                    Meaning::Bound { name: record.name, members: counted(record.members) }
                }
            }
        };
        let error = |part: &str| form.error_of(&format!("role_mappings[{at}]{part}"));
        let of_group = error("").or_else(|| error(".group")).or_else(|| error(".group_id"));
        rows.push(Row {
            place,
            is_by_id: mapping.is_by_id,
            group: mapping.group.clone(),
            role: mapping.role.clone(),
            meaning,
            group_error: of_group.map(str::to_owned),
            role_error: error(".role").map(str::to_owned),
        });
    }
    rows.push(Row::empty(rows.len().saturating_add(1)));
    Ok(rows)
}

/// Groups that were pushed, by name, and whether there are more.
pub(super) fn offered(tenant: &Tenant) -> Result<(Vec<Offered>, bool), ReadError> {
    let mut groups: Vec<Offered> = Vec::new();
    let snapshot = tenant.shared().snapshot()?;
    snapshot.resources(tenant.key(), ResourceType::Group, None, |_, record| {
        groups.push(Offered { name: record.name, members: counted(record.members) });
        if groups.len() > GROUPS_OFFERED_MAX {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    let more = groups.len() > GROUPS_OFFERED_MAX;
    groups.truncate(GROUPS_OFFERED_MAX);
    groups.sort_by(|one, other| one.name.cmp(&other.name));
    Ok((groups, more))
}

fn counted(members: u32) -> String {
    match members {
        1 => "1 member".to_owned(),
        more => format!("{} members", filters::grouped(&more.to_string())),
    }
}

/// The group that a mapping means: as it is bound, or would be once it is saved.
fn group_of(
    tenant: &Tenant,
    snapshot: &Snapshot,
    config: &ActiveConfig,
    mapping: &TypedMapping,
) -> Result<Option<GroupId>, ReadError> {
    if mapping.is_by_id {
        return Ok(mapping.group.trim().parse().ok());
    }
    match config.bindings.get(&mapping.group) {
        Some(bound) => Ok(Some(bound)),
        None => snapshot.group_by_name(tenant.key(), mapping.group.trim()),
    }
}

impl Row {
    /// One that nothing was typed into.
    pub(super) fn empty(place: usize) -> Self {
        Self {
            place,
            is_by_id: false,
            group: String::new(),
            role: String::new(),
            meaning: Meaning::Nothing,
            group_error: None,
            role_error: None,
        }
    }
}
