//! Slackwater: a SCIM sync reconciler. Microsoft Entra's waves in, the right roles out.
//!
//! This crate is the faces: HTTP for the directory ([`http`]), for operators ([`admin`]) and for
//! people ([`web`]), the command line ([`cli`]), configuration, and what is told of it all ([`telemetry`]). What a
//! request means is decided below, in `actors`, `access` and `scim`; how it is kept, in `store`.

pub mod admin;
pub mod answer;
pub mod app;
mod chart;
pub mod cli;
pub mod config;
pub mod egress;
pub mod http;
pub mod logins;
pub mod mail;
pub mod oauth;
pub mod openapi;
pub mod server;
pub mod simulate;
pub mod streams;
pub mod telemetry;
pub mod web;
mod wording;
