//! Reports for programs.
//!
//! One JSON object, of which `format` names the version of the shape, `isoaudit/1`. Within a version keys are
//! added, never taken away or given another meaning. `grammar/report.schema.json` (`isoaudit schema report`)
//! states every key; tests validate every kind of document against it.
//!
//! - Which document it is, is told by its keys: `topologies` (what was decided), `errors` (why nothing was),
//!   `packets` (`isoaudit trace`), or `places` (`isoaudit list`).
//! - A *place* is `{file, line, column, end_line, end_column}`. Lines and columns count from 1, columns in
//!   characters; the end is the position behind the last character. `null` where nothing is written.
//! - Keys come in the order of the schema, lists in the order of the description; equal input, equal bytes.
//! - Characters that would not show themselves on a terminal (controls, bidirectional marks, zero width) are
//!   written as `\u` escapes: the same JSON, safe to print.

mod document;
mod evidence;
mod writer;

use super::listing::Listing;
use super::style::Look;
use super::trace::Trace;
use super::{Counts, Report};
use crate::diag::{Diagnostic, Severity};
use crate::source::SourceMap;
use document::{Document, Errors, Places, Traces};

/// The version of the shape, in every document.
pub const FORMAT: &str = "isoaudit/1";

/// The JSON Schema (draft 2020-12) of every document that this module writes.
pub const SCHEMA: &str = include_str!("../../../grammar/report.schema.json");

/// Writes what was decided about some topologies.
pub fn report(reports: &[Report], sources: &SourceMap, _: &Look) -> String {
    let counts = Counts::of(reports);
    writer::write(&Document {
        format: FORMAT,
        tool: document::TOOL,
        verdict: counts.verdict().word(),
        counts: document::counts(&counts),
        topologies: reports.iter().map(|report| document::topology(report, sources)).collect(),
    })
}

/// Writes why nothing was decided.
pub fn errors(diagnostics: &[Diagnostic], sources: &SourceMap, _: &Look) -> String {
    let of = |severity: Severity| {
        let some = diagnostics.iter().filter(move |diagnostic| diagnostic.severity == severity);
        some.map(|diagnostic| document::diagnostic(diagnostic, sources)).collect()
    };
    writer::write(&Errors {
        format: FORMAT,
        tool: document::TOOL,
        errors: of(Severity::Error),
        warnings: of(Severity::Warning),
    })
}

/// Writes the walks of given packets.
pub fn trace(trace: &Trace, sources: &SourceMap, _: &Look) -> String {
    let packets = trace.packets.iter().map(|traced| evidence::traced(traced, sources)).collect();
    writer::write(&Traces { format: FORMAT, tool: document::TOOL, name: &trace.topology, packets })
}

/// Writes what a selector selects.
pub fn listing(listing: &Listing, sources: &SourceMap, _: &Look) -> String {
    writer::write(&Places {
        format: FORMAT,
        tool: document::TOOL,
        name: &listing.topology,
        selector: &listing.selector,
        places: listing.places.iter().map(|listed| document::listed(listed, sources)).collect(),
    })
}

#[cfg(test)]
mod tests;
