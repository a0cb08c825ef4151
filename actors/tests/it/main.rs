//! The actor system with a memory store and a paused clock: days pass in milliseconds.

#[cfg(test)]
mod at_once;
#[cfg(test)]
mod equipment;
#[cfg(test)]
mod failure;
#[cfg(test)]
mod holds;
#[cfg(test)]
mod housekeeping;
#[cfg(test)]
mod load;
#[cfg(test)]
mod mappings;
#[cfg(test)]
mod operator;
#[cfg(test)]
mod previews;
#[cfg(test)]
mod protected;
#[cfg(test)]
mod receiver;
#[cfg(test)]
mod recorder;
mod restart;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod stores;
#[cfg(test)]
mod sweeps;
#[cfg(test)]
mod tenancy;
#[cfg(test)]
mod test_tenant;
#[cfg(test)]
mod traffic;
#[cfg(test)]
mod waves;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod webhooks_poison;
#[cfg(test)]
mod why;
