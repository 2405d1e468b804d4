//! Manual pages and the shipped configuration, held to the options and keys of the code.

use std::fs;
use std::path::Path;

mod configuration;
mod defaults;
mod manual;
mod reference;
mod schema;
mod tables;
mod validator;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}
