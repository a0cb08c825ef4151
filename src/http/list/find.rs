//! Finding: which resources a query means, in which order.

use std::ops::ControlFlow;

use access::{GroupId, UserId};
use scim::filter::{Filter, Lookup, MemberUse};
use scim::list::{ListQuery, SortKey, sort_key};
use scim::path::AttributePath;
use scim::schema::ResourceType;
use serde_json::{Map, Value};
use store::snapshot::Member;
use store::{ReadError, Record};

use crate::http::error::Failure;
use crate::http::resource::Renderer;

/// Resources with one externalId that are looked at; it is meant to be unique.
const SAME_EXTERNAL_ID_MAX: usize = 1_000;

type Id = (ResourceType, [u8; 16]);

/// A query, understood.
pub(super) struct Query {
    parts: Vec<Part>,
    sorted: bool,
    descending: bool,
}

/// A query as it concerns one resource type.
struct Part {
    resource_type: ResourceType,
    filter: Option<Filter>,
    sort_by: Option<AttributePath>,
}

/// What was found.
pub(super) struct Found {
    /// How many there are in all.
    pub(super) total: usize,
    /// Those of the page.
    pub(super) page: Vec<Id>,
}

impl Query {
    /// Understands a query for these resource types. An attribute that only some of them have
    /// finds nothing in the others; one that none has is refused (RFC 7644 section 3.4.2.1).
    pub(super) fn compile(
        resource_types: &[ResourceType],
        query: &ListQuery,
    ) -> Result<Self, Failure> {
        let mut parts = Vec::new();
        let mut refusal = None;
        for resource_type in resource_types {
            let filter = query.filter.as_deref().map(|text| Filter::parse(*resource_type, text));
            let sort_by =
                query.sort_by.as_deref().map(|path| AttributePath::parse(*resource_type, path));
            match (filter.transpose(), sort_by.transpose()) {
                (Ok(filter), sort_by) if sort_by.is_ok() || resource_types.len() > 1 => {
                    let sort_by = sort_by.unwrap_or_default();
                    parts.push(Part { resource_type: *resource_type, filter, sort_by });
                }
                (Err(error), _) | (_, Err(error)) => refusal = Some(error),
                (Ok(_), Ok(_)) => {}
            }
        }
        match refusal {
            Some(error) if parts.is_empty() => Err(error.into()),
            _ => Ok(Self { parts, sorted: query.sort_by.is_some(), descending: query.descending }),
        }
    }

    /// Whether it takes reading all resources of a type.
    pub(super) fn needs_scan(&self) -> bool {
        let by_index = |filter: &Filter| filter.lookup().is_some();
        self.sorted
            || self.parts.iter().any(|part| part.filter.as_ref().is_some_and(|f| !by_index(f)))
    }

    /// Finds what it means; of that, `count` after the first `skip`.
    pub(super) fn find(
        &self,
        renderer: &Renderer<'_>,
        skip: usize,
        count: usize,
    ) -> Result<Found, Failure> {
        if let [part] = self.parts.as_slice()
            && part.filter.is_none()
            && !self.sorted
        {
            return Ok(part.page_of_all(renderer, skip, count)?);
        }
        let mut matches: Vec<(SortKey, Id)> = Vec::new();
        for part in &self.parts {
            part.collect(renderer, &mut matches)?;
        }
        if self.sorted {
            // Stable: those that sort alike stay in the order of their creation.
            matches.sort_by(
                |(one, _), (other, _)| {
                    if self.descending { other.cmp(one) } else { one.cmp(other) }
                },
            );
        }
        let total = matches.len();
        let page = matches.into_iter().skip(skip).take(count).map(|(_, id)| id).collect();
        Ok(Found { total, page })
    }
}

impl Part {
    fn page_of_all(
        &self,
        renderer: &Renderer<'_>,
        skip: usize,
        count: usize,
    ) -> Result<Found, ReadError> {
        let key = renderer.shared.key;
        let counts = renderer.snapshot.counts(key)?;
        let total = match self.resource_type {
            ResourceType::User => counts.users,
            ResourceType::Group => counts.groups,
        };
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        let mut page = Vec::new();
        let mut left = skip;
        if skip < total && count > 0 {
            renderer.snapshot.resource_ids(key, self.resource_type, None, |id| {
                if left > 0 {
                    left -= 1;
                } else {
                    page.push((self.resource_type, id));
                }
                if page.len() >= count { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
        }
        Ok(Found { total, page })
    }

    fn collect(
        &self,
        renderer: &Renderer<'_>,
        matches: &mut Vec<(SortKey, Id)>,
    ) -> Result<(), Failure> {
        if let Some(lookup) = self.filter.as_ref().and_then(Filter::lookup) {
            let found = self.look_up(renderer, lookup)?;
            // An id is compared here as well: ours are found in either case.
            let is_match = self.sort_by.is_none()
                && !matches!(lookup, Lookup::Id(_))
                && self.filter.as_ref().is_some_and(Filter::is_lookup);
            if is_match {
                let id = |id| (SortKey::Missing, (self.resource_type, id));
                matches.extend(found.into_iter().map(id));
                return Ok(());
            }
            for id in found {
                if let Some(record) = self.record(renderer, id)? {
                    matches.extend(self.examine(renderer, id, &record)?);
                }
            }
            return Ok(());
        }
        let mut failed = None;
        renderer.snapshot.resources(
            renderer.shared.key,
            self.resource_type,
            None,
            |id, record| match self.examine(renderer, id, &record) {
                Ok(found) => {
                    matches.extend(found);
                    ControlFlow::Continue(())
                }
                Err(error) => {
                    failed = Some(error);
                    ControlFlow::Break(())
                }
            },
        )?;
        failed.map_or(Ok(()), |error: ReadError| Err(error.into()))
    }

    /// The resources that an index names.
    fn look_up(
        &self,
        renderer: &Renderer<'_>,
        lookup: Lookup<'_>,
    ) -> Result<Vec<[u8; 16]>, ReadError> {
        let (snapshot, key) = (renderer.snapshot, renderer.shared.key);
        Ok(match lookup {
            Lookup::Id(id) => {
                let id = id.parse::<UserId>().ok();
                id.map(|id| *id.as_bytes()).into_iter().collect()
            }
            Lookup::UserName(name) => {
                let id = snapshot.user_by_name(key, name)?;
                id.map(|id| *id.as_bytes()).into_iter().collect()
            }
            Lookup::DisplayName(name) => {
                let id = snapshot.group_by_name(key, name)?;
                id.map(|id| *id.as_bytes()).into_iter().collect()
            }
            Lookup::ExternalId(external_id) => snapshot.by_external_id(
                key,
                self.resource_type,
                external_id,
                SAME_EXTERNAL_ID_MAX,
            )?,
        })
    }

    fn record(&self, renderer: &Renderer<'_>, id: [u8; 16]) -> Result<Option<Record>, ReadError> {
        let (snapshot, key) = (renderer.snapshot, renderer.shared.key);
        match self.resource_type {
            ResourceType::User => snapshot.user(key, UserId::from_bytes(id)),
            ResourceType::Group => snapshot.group(key, GroupId::from_bytes(id)),
        }
    }

    /// The resource's place, if it matches.
    fn examine(
        &self,
        renderer: &Renderer<'_>,
        id: [u8; 16],
        record: &Record,
    ) -> Result<Option<(SortKey, Id)>, ReadError> {
        let full = self.full(renderer, id, record)?;
        if self.filter.as_ref().is_some_and(|filter| !filter.matches(&full)) {
            return Ok(None);
        }
        let key = match &self.sort_by {
            Some(path) => sort_key(self.resource_type, path, &full),
            None => SortKey::Missing,
        };
        Ok(Some((key, (self.resource_type, id))))
    }

    fn full(
        &self,
        renderer: &Renderer<'_>,
        id: [u8; 16],
        record: &Record,
    ) -> Result<Map<String, Value>, ReadError> {
        let filter = self.filter.as_ref();
        match self.resource_type {
            ResourceType::User => {
                let with_groups = filter.is_some_and(Filter::uses_groups);
                // Nobody filters or sorts by a version, but it may be asked.
                let with_meta = filter.is_some_and(|filter| filter.uses_attribute("meta"))
                    || self.sort_by.as_ref().is_some_and(|path| path.to_string().contains("meta"));
                renderer.full_user(UserId::from_bytes(id), record, (with_groups, with_meta))
            }
            ResourceType::Group => {
                let id = GroupId::from_bytes(id);
                let members = self.members_in_question(renderer, id)?;
                renderer.full_group(id, record, &members)
            }
        }
    }

    /// The members that the filter asks about: a filter that names certain members costs a look-up
    /// for each, however many the group has.
    fn members_in_question(
        &self,
        renderer: &Renderer<'_>,
        group: GroupId,
    ) -> Result<Vec<Member>, ReadError> {
        let (snapshot, key) = (renderer.snapshot, renderer.shared.key);
        match self.filter.as_ref().map(Filter::member_use) {
            None | Some(MemberUse::None) => Ok(Vec::new()),
            Some(MemberUse::All) => snapshot.members(key, group, None, usize::MAX),
            Some(MemberUse::Only(values)) => {
                let mut found = Vec::new();
                for value in values {
                    if let Ok(id) = value.parse::<UserId>() {
                        found.extend(snapshot.member(key, group, id.as_bytes())?);
                    }
                }
                Ok(found)
            }
        }
    }
}
