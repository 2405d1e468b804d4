//! Everything that needs the crate from outside, as one program: one link, one vocabulary.

#![allow(clippy::unwrap_used, missing_docs)]

mod backend;
mod check;
mod cli;
mod completions;
mod configuration;
mod drains;
mod drop_ins;
mod false_helper;
mod properties;
mod roles;
mod run;
mod scenarios;
mod session;
mod shipped;
mod support;
mod traces;
