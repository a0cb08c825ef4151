//! The promises of the protocol, each as a test: what Entra sends, what the RFCs say, and laws
//! that hold for anything.

#[cfg(test)]
mod bulk;
#[cfg(test)]
mod discovery;
#[cfg(test)]
mod filter;
#[cfg(test)]
mod laws;
#[cfg(test)]
mod list;
#[cfg(test)]
mod patch_active;
#[cfg(test)]
mod patch_extension;
#[cfg(test)]
mod patch_group;
#[cfg(test)]
mod patch_refused;
#[cfg(test)]
mod patch_user;
#[cfg(test)]
mod projection;
#[cfg(test)]
mod resource;
#[cfg(test)]
mod stored;
#[cfg(test)]
mod support;
