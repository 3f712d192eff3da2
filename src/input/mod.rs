//! Readers: from texts to the network and its claims. Nothing here knows packet sets or the engine.

mod decode;
pub mod dump;
pub mod policy;
pub mod service;
mod topology;
mod word;
mod yaml;

use crate::claim::Claim;
use crate::diag::Diagnostics;
use crate::model::Network;
use crate::source::{Loader, SourceId, SourceMap};
use policy::Date;
use std::path::Path;

/// What a description says.
#[derive(Debug)]
pub struct Description {
    /// The network.
    pub network: Network,
    /// The claims about it, in the order written.
    pub claims: Vec<Claim>,
    /// What the reader should know, though it forbids nothing.
    pub warnings: Diagnostics,
}

/// What a reader may be told that no file says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// The day behind which rules with an earlier `until` are in the ledger. It changes no verdict, and nobody asks the clock.
    pub as_of: Option<Date>,
}

/// Reads a description: the file, what it includes, and the policies that it names.
///
/// The root of `loader` is the directory that no path may leave; `path` is relative to it. Every file that was
/// read is in `sources` afterwards.
///
/// # Errors
/// Everything that is wrong with it, from all entries of all files. Then nothing may be decided.
pub fn read(
    sources: &mut SourceMap,
    loader: &Loader,
    path: &Path,
    options: &Options,
) -> Result<Description, Diagnostics> {
    let mut found = Diagnostics::default();
    let files = topology::load(sources, loader, path, &mut found);
    describe(&files, found, sources, loader, options)
}

/// Reads a description that is no file, such as one from a pipe. `source` is its text; what it names is searched
/// from the root of `loader`.
///
/// # Errors
/// As [`read`].
pub fn read_source(
    sources: &mut SourceMap,
    loader: &Loader,
    source: SourceId,
    options: &Options,
) -> Result<Description, Diagnostics> {
    let mut found = Diagnostics::default();
    let files = topology::load_text(sources, loader, source, &mut found);
    describe(&files, found, sources, loader, options)
}

fn describe(
    files: &[topology::File],
    found: Diagnostics,
    sources: &mut SourceMap,
    loader: &Loader,
    options: &Options,
) -> Result<Description, Diagnostics> {
    let (network, claims, warnings) = topology::read(files, found, sources, loader, options)?;
    Ok(Description { network, claims, warnings })
}

/// The description of a file written out after includes, groups and defaults, as YAML in the order of the format.
///
/// `loader` and `path` are as for [`read`].
///
/// # Errors
/// Everything that is wrong with the shape of the description. Names are not looked up, but for those of groups.
pub fn resolve(
    sources: &mut SourceMap,
    loader: &Loader,
    path: &Path,
) -> Result<serde_yaml::Value, Diagnostics> {
    let mut found = Diagnostics::default();
    let files = topology::load(sources, loader, path, &mut found);
    topology::resolve(&files, found)
}

/// As [`resolve`], for a description that is no file, as for [`read_source`].
///
/// # Errors
/// As [`resolve`].
pub fn resolve_source(
    sources: &mut SourceMap,
    loader: &Loader,
    source: SourceId,
) -> Result<serde_yaml::Value, Diagnostics> {
    let mut found = Diagnostics::default();
    let files = topology::load_text(sources, loader, source, &mut found);
    topology::resolve(&files, found)
}

/// How many values a text holds: reads it into a tree with places, and goes no further. For measuring.
///
/// # Errors
/// It is not the YAML that is taken here.
#[doc(hidden)]
pub fn count_values(sources: &SourceMap, source: SourceId) -> Result<usize, Diagnostics> {
    topology::count_values(source, &sources.get(source).text)
}

/// How many devices and links a file declares: reads its text into a tree and that into the types of the format, and
/// goes no further. For measuring.
///
/// # Errors
/// As [`resolve`].
#[doc(hidden)]
pub fn count_entries(sources: &SourceMap, source: SourceId) -> Result<(usize, usize), Diagnostics> {
    topology::count_entries(source, &sources.get(source).text)
}

/// The JSON Schema (draft 2020-12) of `topology.yaml`, generated from the tables that read it.
pub fn schema() -> serde_json::Value {
    topology::schema()
}

#[cfg(test)]
mod tests;
