//! Who waits for whom: recorded requests in lanes.
//!
//! Requests about one resource share a lane and so keep their order; lanes go side by side. Whatever
//! needs an id waits until the create that makes it was answered. A request waits for earlier ones
//! alone, so that no two can wait for each other.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::recording::{LeftOut, Step};
use super::rewrite::{ids_in, ids_in_body};

/// What is sent, lane by lane.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) lanes: Vec<Vec<Planned>>,
}

/// A request in its lane.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) step: Step,
    /// Ids of the recording that must have been made.
    pub(super) needs: Vec<String>,
}

impl Plan {
    /// How many requests there are.
    pub(super) fn requests(&self) -> usize {
        self.lanes.iter().map(Vec::len).sum()
    }

    /// The ids that are made.
    pub(super) fn made(&self) -> impl Iterator<Item = &str> {
        self.lanes.iter().flatten().filter_map(|planned| planned.step.made())
    }
}

/// Puts steps into so many lanes. What is about a user or group that nothing before it makes is
/// left out, unless it was not there the first time either.
pub(super) fn of(steps: Vec<Step>, lanes: usize, left_out: &mut LeftOut) -> Plan {
    let mut plan = Plan { lanes: (0..lanes.max(1)).map(|_| Vec::new()).collect() };
    // The lane of each id that was made so far.
    let mut lane_of: HashMap<String, usize> = HashMap::new();
    for (at, step) in steps.into_iter().enumerate() {
        let about = ids_in(&step.path).first().map(|id| (*id).to_owned());
        let known = about.as_deref().and_then(|id| lane_of.get(id)).copied();
        if about.is_some() && known.is_none() && step.status != 404 {
            left_out.unknown = left_out.unknown.saturating_add(1);
            continue;
        }
        let by_name = || named(&step).map_or(at, |name| hash(&name));
        let lane = known.unwrap_or_else(|| by_name() % plan.lanes.len());
        let mut needs = ids_of(&step);
        needs.retain(|id| lane_of.contains_key(id));
        if let Some(made) = step.made() {
            lane_of.insert(made.to_owned(), lane);
        }
        if let Some(lane) = plan.lanes.get_mut(lane) {
            lane.push(Planned { step, needs });
        }
    }
    plan
}

/// All ids that a request names, each once.
fn ids_of(step: &Step) -> Vec<String> {
    let mut ids: Vec<String> = step.body.as_ref().map(ids_in_body).unwrap_or_default();
    let texts = [Some(step.path.as_str()), step.query.as_deref()];
    ids.extend(texts.into_iter().flatten().flat_map(ids_in).map(str::to_owned));
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// The name that a create gives or a look-up asks for: both go into one lane, so that a second
/// create of a name comes after the first.
fn named(step: &Step) -> Option<String> {
    if step.method == "POST" {
        let text = |key| step.body.as_ref()?.get(key)?.as_str();
        return text("userName").or_else(|| text("displayName")).map(str::to_lowercase);
    }
    let query = step.query.as_deref()?;
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let (_, filter) = pairs.find(|(name, _)| name.eq_ignore_ascii_case("filter"))?;
    let (_, value) = filter.rsplit_once(" eq ")?;
    Some(value.trim_matches('"').to_lowercase())
}

fn hash(text: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    usize::try_from(hasher.finish() >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    const ADA: &str = "01990a5d-b9a0-7c52-8e4a-0d9e8f7a6b5c";
    const STAFF: &str = "01990a5d-b9a0-7c52-8e4a-0d9e8f7a0000";
    const STRANGER: &str = "01990a5d-b9a0-7c52-8e4a-0d9e8f7affff";

    fn step(method: &'static str, path: &str, body: Value, status: u16, made: &str) -> Step {
        Step {
            offset: Duration::ZERO,
            method,
            path: path.to_owned(),
            query: None,
            body: Some(body),
            status,
            resource: Some(made.to_owned()),
        }
    }

    fn add(member: &str) -> Step {
        let value = json!([{"value": member}]);
        let body = json!({"Operations": [{"op": "Add", "path": "members", "value": value}]});
        step("PATCH", &format!("/Groups/{STAFF}"), body, 204, STAFF)
    }

    #[test]
    fn requests_about_one_resource_share_a_lane_in_their_order_and_wait_for_what_they_name() {
        let steps = vec![
            step("POST", "/Users", json!({"userName": "ada"}), 201, ADA),
            step("POST", "/Groups", json!({"displayName": "Staff"}), 201, STAFF),
            add(ADA),
            add(STRANGER),
            step("PATCH", &format!("/Users/{ADA}"), json!({}), 200, ADA),
        ];

        let plan = of(steps, 8, &mut LeftOut::default());

        let lane = |path: &str| -> Vec<&Planned> {
            let holds = |lane: &&Vec<Planned>| lane.iter().any(|one| one.step.path == path);
            let lanes: Vec<&Vec<Planned>> = plan.lanes.iter().filter(holds).collect();
            assert_eq!(lanes.len(), 1, "{path}");
            lanes[0].iter().filter(|one| one.step.path == path).collect()
        };
        let patches = lane(&format!("/Groups/{STAFF}"));
        assert_eq!(patches[0].needs, [STAFF, ADA].map(str::to_owned));
        assert_eq!(patches[1].needs, [STAFF], "nobody waits for what nothing makes");
        assert_eq!(lane(&format!("/Users/{ADA}"))[0].needs, [ADA]);
        assert_eq!(plan.requests(), 5);
        assert_eq!(plan.made().count(), 2);
    }

    #[test]
    fn what_is_about_a_stranger_is_left_out_unless_it_was_not_there_before() {
        let path = format!("/Users/{STRANGER}");
        let mut left_out = LeftOut::default();

        let plan = of(
            vec![
                step("PATCH", &path, json!({}), 200, STRANGER),
                step("GET", &path, json!(null), 404, STRANGER),
            ],
            2,
            &mut left_out,
        );

        assert_eq!((plan.requests(), left_out.unknown), (1, 1));
    }

    #[test]
    fn a_name_is_looked_for_and_made_in_one_lane() {
        let look_up = Step {
            query: Some("filter=userName+eq+%22Ada%22".to_owned()),
            ..step("GET", "/Users", json!(null), 200, "")
        };
        let create = || step("POST", "/Users", json!({"userName": "ada"}), 201, ADA);

        let plan = of(vec![look_up, create(), create()], 64, &mut LeftOut::default());

        assert!(plan.lanes.iter().any(|lane| lane.len() == 3));
    }
}
