//! The laws of roles, over random histories of a small tenant. Nothing here but pure functions: no
//! store, no actors, no clock.

#[cfg(test)]
mod bindings;
#[cfg(test)]
mod history;
#[cfg(test)]
mod roles;
#[cfg(test)]
mod tenant;
