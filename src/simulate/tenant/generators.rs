//! Where one tenant's chance comes from.
//!
//! Everything that is drawn has a generator of its own, made of the seed, the tenant and the wave.
//! So nothing depends on how much was drawn before: a request that failed adds requests to the next
//! wave, and changes nothing of what happens in the directory.

use rand::{Rng as _, SeedableRng as _};
use rand_pcg::Pcg64Mcg;

/// Sets seeds apart from each other: the golden ratio in 64 bits.
const SEED_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// What is drawn wave by wave.
#[derive(Debug, Clone, Copy)]
enum Purpose {
    Connection = 1,
    Churn = 2,
    Plan = 3,
}

/// The generators of one tenant.
#[derive(Debug)]
pub(super) struct Generators {
    seed: u64,
}

impl Generators {
    /// Of a tenant, from 0.
    pub(super) fn new(seed: u64, tenant: usize) -> Self {
        Self { seed: apart(seed, tenant as u64) }
    }

    /// Draws the directory at the beginning.
    pub(super) fn directory(&self) -> Pcg64Mcg {
        Pcg64Mcg::seed_from_u64(self.seed)
    }

    /// Draws names that the test of the connection asks for.
    pub(super) fn connection(&self) -> Pcg64Mcg {
        self.derived(Purpose::Connection, 0)
    }

    /// Draws what happens before a wave.
    pub(super) fn churn(&self, wave: usize) -> Pcg64Mcg {
        self.derived(Purpose::Churn, wave)
    }

    /// Draws the order of a wave's requests.
    pub(super) fn plan(&self, wave: usize) -> Pcg64Mcg {
        self.derived(Purpose::Plan, wave)
    }

    fn derived(&self, purpose: Purpose, wave: usize) -> Pcg64Mcg {
        let mut random = self.directory();
        for step in [purpose as u64, wave as u64] {
            random = Pcg64Mcg::seed_from_u64(apart(random.next_u64(), step));
        }
        random
    }
}

fn apart(seed: u64, step: u64) -> u64 {
    seed.wrapping_add(SEED_STEP.wrapping_mul(step))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_generators_draw_the_same() {
        let mut first: BTreeSet<u64> = BTreeSet::new();
        for tenant in 0..10 {
            let generators = Generators::new(1, tenant);
            let fixed = [generators.directory(), generators.connection()];
            let of_waves =
                (1..100).flat_map(|wave| [generators.churn(wave), generators.plan(wave)]);
            first.extend(fixed.into_iter().chain(of_waves).map(|mut one| one.next_u64()));
        }

        assert_eq!(first.len(), 10 * (2 + 2 * 99));
    }
}
