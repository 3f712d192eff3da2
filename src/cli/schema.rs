//! `isoaudit schema`: what editors and programs may rely on.

use super::Outcome;
use super::args::{SchemaArgs, WhichSchema};
use super::console::Console;
use super::exit::Exit;
use super::failure::Failure;
use isoaudit::report::json;
use std::io;

/// Writes a JSON Schema to standard output.
pub(super) fn run(arguments: &SchemaArgs, console: &Console) -> Outcome {
    let text = match arguments.which {
        WhichSchema::Report => json::SCHEMA.to_owned(),
        WhichSchema::Topology => {
            let text = serde_json::to_string_pretty(&isoaudit::input::schema());
            text.map_err(|error| Failure::Write { path: None, error: io::Error::other(error) })? + "\n"
        }
    };
    console.print(&text).map(|()| Exit::Fine)
}
