//! Readers: from texts to the network and its claims. Nothing here knows packet sets or the engine.

mod decode;
pub mod dump;
pub mod policy;
pub mod service;
mod topology;
mod word;
mod yaml;

use crate::diag::Diagnostics;
use crate::source::{Loader, SourceMap};
use std::path::Path;

/// The description of a file written out after includes, groups and defaults, as YAML in the order of the format.
///
/// The root of `loader` is the directory that no path may leave; `path` is relative to it.
///
/// # Errors
/// Everything that is wrong with the shape of the description. Names are not looked up.
pub fn resolve(
    sources: &mut SourceMap,
    loader: &Loader,
    path: &Path,
) -> Result<serde_yaml::Value, Diagnostics> {
    let mut out = Diagnostics::default();
    let files = topology::include::load(sources, loader, path, &mut out);
    let merged = topology::merge::Merged::read(&files, &mut out);
    let nodes = topology::settle::settle(&merged, &mut out);
    if out.has_errors() {
        return Err(out);
    }
    Ok(topology::resolve::resolved(&merged, &nodes))
}

/// The JSON Schema (draft 2020-12) of `topology.yaml`, generated from the tables that read it.
pub fn schema() -> serde_json::Value {
    topology::schema::schema()
}

#[cfg(test)]
mod tests;
