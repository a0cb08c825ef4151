//! Black-box tests: the built server, driven over HTTP as the directory, operators and engineers
//! drive it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "all of this is tests, their helpers included"
)]

mod admin;
mod brakes;
mod cases;
mod cli;
mod concurrency;
mod crash;
mod cycle;
mod demo;
mod durability;
mod entra_cases;
mod equipment;
mod health;
mod interop;
mod limits;
mod metrics;
mod openapi;
mod replay;
mod requests;
mod server;
mod simulate;
mod tenancy;
mod tidy;
mod tokens;
mod traces;
mod web;
mod webhooks;
