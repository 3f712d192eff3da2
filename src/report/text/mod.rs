//! Reports for people.
//!
//! Claims come in the order written. A broken one shows its line, its path as boxes, each decision with the
//! line that took it, why it looked closed, what closes it, and a command that walks the packet again. A claim
//! that holds takes a line or two; the last line counts everything.

mod claim;
mod evidence;
mod hops;
mod path;
mod reproduce;
mod summary;
mod walk;

use super::snippet::Message;
use super::style::{Detail, Look, Tone};
use super::{Counts, Report};
use crate::diag::Diagnostic;
use crate::source::{SourceMap, Span};
use crate::verdict::Verdict;

pub use walk::{listing, trace};

/// Writes what was decided about some topologies.
pub fn report(reports: &[Report], sources: &SourceMap, look: &Look) -> String {
    let mut out = String::new();
    for report in reports {
        if reports.len() > 1 {
            let title = format!("{} ({})", look.name(&report.topology, 60), look.path(&report.input, 30));
            out.push_str(&format!("{}\n\n", look.paint(Tone::Strong, &title)));
        }
        out.push_str(&one(report, sources, look));
        if reports.len() > 1 {
            out.push('\n');
        }
    }
    if reports.len() > 1 {
        let counts = summary::counts(&Counts::of(reports), look);
        out.push_str(&format!("{} topologies: {counts}\n", reports.len()));
    }
    out
}

fn one(report: &Report, sources: &SourceMap, look: &Look) -> String {
    let mut blocks: Vec<String> = Vec::new();
    if look.detail > Detail::Quiet {
        blocks.extend(report.warnings.iter().map(|warning| Message::of(warning).render(sources, look)));
    }
    let mut shown = claim::Shown::default();
    let mut lines = String::new();
    for judgement in &report.judgements {
        let holds = judgement.verdict == Verdict::Holds;
        if look.detail == Detail::Quiet {
            lines.push_str(&if holds {
                String::new()
            } else {
                claim::line(judgement, report, sources, look)
            });
        } else if holds {
            lines.push_str(&claim::line(judgement, report, sources, look));
        } else {
            // Claims that hold stand together; a blank line sets them apart from the blocks.
            blocks.push(std::mem::take(&mut lines));
            blocks.push(claim::block(judgement, report, &mut shown, sources, look));
        }
    }
    blocks.push(lines);
    if look.detail > Detail::Quiet {
        blocks.push(summary::assumptions(report, sources, look));
        blocks.push(summary::ledger(report, sources, look));
    }
    blocks.push(summary::last_line(report, look));
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n")
}

/// Writes why nothing was decided: every error, in the order of the text.
pub fn errors(diagnostics: &[Diagnostic], sources: &SourceMap, look: &Look) -> String {
    let mut blocks: Vec<String> =
        diagnostics.iter().map(|diagnostic| Message::of(diagnostic).render(sources, look)).collect();
    let errors = diagnostics.iter().filter(|d| d.severity == crate::diag::Severity::Error).count();
    let plural = if errors == 1 { "" } else { "s" };
    blocks.push(format!("{errors} error{plural}; nothing was decided\n"));
    blocks.join("\n")
}

/// `file:line` of a span in at most `max` columns.
fn place(span: Span, sources: &SourceMap, look: &Look, max: usize) -> String {
    let line = sources.position(span).line;
    look.path(&format!("{}:{line}", sources.get(span.source).name), max)
}

/// A sentence with its place behind it in parentheses.
fn with_place(text: &str, span: Option<Span>, sources: &SourceMap, look: &Look) -> String {
    let text = look.clean(text);
    match span {
        Some(span) => format!("{text} ({})", place(span, sources, look, 60)),
        None => text,
    }
}

#[cfg(test)]
mod tests;
