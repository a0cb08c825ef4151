//! Black-box tests: the built server, driven over HTTP as the directory, operators and engineers
//! drive it.

mod admin;
mod cases;
mod concurrency;
mod crash;
mod cycle;
mod durability;
mod entra_cases;
mod interop;
mod limits;
mod server;
mod tenancy;
mod tidy;
