//! Tests that run the program, as one executable. Tests that need only the crate are in `tests/logic`.

#![allow(clippy::unwrap_used, missing_docs)]

mod backend;
mod check;
mod cli;
mod completions;
mod configuration;
mod docs;
mod doctor;
mod false_helper;
mod run;
mod shipped;
mod simulate;
mod support;
mod traces;
