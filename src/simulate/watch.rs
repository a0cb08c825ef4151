//! What a simulation tells whoever watches it, while it goes on.
//!
//! Watching never changes what is sent. Calls come from several tasks at the same time and must be
//! cheap: one for every answer. How it is shown is not in here.

/// Which kind of cycle a wave is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cycle {
    /// The first: everything is matched or created, then tied together.
    Initial,
    /// A later one: what has changed since.
    Incremental,
    /// One that was recorded elsewhere.
    Replayed,
}

impl Cycle {
    /// Its name in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Incremental => "incremental",
            Self::Replayed => "replayed",
        }
    }
}

/// Sees a simulation go on. Tenants count from 0, waves from 1.
pub trait Watch: Send + Sync {
    /// A tenant's wave begins. `requests_planned` is what it takes if nothing has to be tried
    /// again.
    fn wave_began(&self, tenant: usize, number: usize, cycle: Cycle, requests_planned: u64);

    /// A request of the tenant was answered, or will not be.
    fn answered(&self, tenant: usize);

    /// The last request of a tenant's wave was answered.
    fn wave_ended(&self, tenant: usize, number: usize);

    /// Something that a person may want to read, such as that a wave settled. One line, without a
    /// line break at its end.
    fn line(&self, text: &str);
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn wave_began(&self, _: usize, _: usize, _: Cycle, _: u64) {}

    fn answered(&self, _: usize) {}

    fn wave_ended(&self, _: usize, _: usize) {}

    fn line(&self, _: &str) {}
}
