//! Laws about which group a mapping by name means.

use access::GroupId;
use proptest::prelude::*;

use crate::history::{Act, Step, steps};
use crate::tenant::{NAMES, Tenant};

fn exists(tenant: &Tenant, group: GroupId) -> bool {
    tenant.groups.values().any(|known| known.id == group)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    /// Renames keep a binding, whoever takes the name; deletion gives it to the group of that name,
    /// and so does the first one to come.
    #[test]
    fn a_mapping_stays_with_its_group_until_it_is_deleted(history in steps()) {
        let mut tenant = Tenant::new(true);
        for step in &history {
            let before = tenant.clone();
            match step {
                Step::Request(request) => tenant.request(request),
                Step::Act(act) => tenant.act(act),
                Step::Settle => tenant.settle(),
            }
            for name in (0..NAMES).map(Tenant::name) {
                let mapped = |at: &Tenant| {
                    at.settings.role_mappings.iter().any(|mapping| mapping.group.as_ref() == Some(&name))
                };
                let expected = match before.bindings.get(&name) {
                    _ if !mapped(&tenant) => None,
                    Some(bound) if exists(&tenant, bound) => Some(bound),
                    _ => tenant.named(&name),
                };
                prop_assert_eq!(tenant.bindings.get(&name), expected, "{} after {:?}", name, step);
            }
        }
    }

    /// A group gives its members a role by one binding at most, and two bindings to one group count
    /// in the order of the mappings.
    #[test]
    fn the_first_mapping_that_means_a_group_gives_its_role(history in steps()) {
        let mut tenant = Tenant::new(true);
        for step in &history {
            match step {
                Step::Request(request) => tenant.request(request),
                Step::Act(act @ Act::Map(_)) => tenant.act(act),
                Step::Act(_) | Step::Settle => {}
            }
        }
        let rules = tenant.rules();
        for group in tenant.groups.values() {
            let mut names = tenant.settings.role_mappings.iter();
            let first = names.find(|mapping| {
                mapping.group.as_deref().and_then(|name| tenant.bindings.get(name)) == Some(group.id)
            });
            prop_assert_eq!(rules.role_of(group.id), first.map(|mapping| mapping.role.as_str()));
        }
    }
}
