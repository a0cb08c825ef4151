//! A tenant's configuration, ready to decide with.

use access::projection::FieldPaths;
use access::settings::Settings;
use access::{Bindings, RoleRules};
use store::tenant::Config;

/// Settings and bindings at one revision, with what is derived from them.
#[derive(Debug)]
pub struct ActiveConfig {
    /// Which revision this is; role decisions are committed only against it.
    pub revision: u64,
    /// Which revision of the settings alone.
    pub settings_revision: u64,
    /// Which revision of the groups' names was seen with it.
    pub group_names: u64,
    /// What the administrator decided.
    pub settings: Settings,
    /// Which groups the mappings mean.
    pub bindings: Bindings,
    /// The rules that these make.
    pub rules: RoleRules,
    /// The field mappings, read.
    pub fields: FieldPaths,
}

impl From<Config> for ActiveConfig {
    fn from(config: Config) -> Self {
        let Config { revision, settings_revision, group_names, settings, bindings } = config;
        let rules = RoleRules::new(&settings, &bindings);
        let fields = FieldPaths::new(&settings);
        Self { revision, settings_revision, group_names, settings, bindings, rules, fields }
    }
}
