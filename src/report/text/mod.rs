//! Reports for people.
//!
//! Claims come in the order written. A broken one shows its line, its path as boxes, each decision with the
//! line that took it, why it looked closed, what closes it, and a command that walks the packet again. A claim
//! that holds takes a line or two; the last line counts everything.

mod claim;
mod doors;
mod evidence;
mod hops;
mod path;
mod reproduce;
mod summary;
mod walk;

use super::snippet::Message;
use super::style::{Detail, Look, Tone};
use super::{Counts, Report};
use crate::diag::{Diagnostic, Severity};
use crate::source::{SourceMap, Span};
use crate::verdict::Verdict;

pub use walk::{listing, trace};

/// Errors that are shown; a file of another format has thousands, and nobody reads them.
const SHOWN_MAX: usize = 200;

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
    let page = Page::new(report, sources, look);
    let mut blocks: Vec<String> = Vec::new();
    if look.detail > Detail::Quiet {
        blocks.extend(report.warnings.iter().map(|warning| Message::of(warning).render(sources, look)));
    }
    let mut shown = claim::Shown::default();
    let mut lines = String::new();
    for judgement in &report.judgements {
        let holds = judgement.verdict == Verdict::Holds;
        if look.detail == Detail::Quiet {
            lines.push_str(&if holds { String::new() } else { claim::line(judgement, report, &page) });
        } else if holds {
            lines.push_str(&claim::line(judgement, report, &page));
        } else {
            // Claims that hold stand together; a blank line sets them apart from the blocks.
            blocks.push(std::mem::take(&mut lines));
            blocks.push(claim::block(judgement, report, &mut shown, &page));
        }
    }
    blocks.push(lines);
    if look.detail > Detail::Quiet {
        blocks.push(summary::assumptions(report, &page));
        blocks.push(summary::ledger(report, &page));
    }
    blocks.push(summary::last_line(report, look));
    blocks.retain(|block| !block.is_empty());
    blocks.join("\n")
}

/// Writes why nothing was decided: every error in the order of the text, the first 200 with their lines.
pub fn errors(diagnostics: &[Diagnostic], sources: &SourceMap, look: &Look) -> String {
    let shown = diagnostics.iter().take(SHOWN_MAX);
    let mut blocks: Vec<String> =
        shown.map(|diagnostic| Message::of(diagnostic).render(sources, look)).collect();
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.severity == Severity::Error).count();
    let plural = if errors == 1 { "" } else { "s" };
    let hidden = match diagnostics.len().saturating_sub(SHOWN_MAX) {
        0 => String::new(),
        hidden => format!(" ({hidden} more are in the format json)"),
    };
    blocks.push(format!("{errors} error{plural}{hidden}; nothing was decided\n"));
    blocks.join("\n")
}

/// What a report is written with.
struct Page<'a> {
    sources: &'a SourceMap,
    look: &'a Look,
    /// What the names of the files have in common, which only the first line of a snippet repeats.
    base: String,
}

impl<'a> Page<'a> {
    /// For a report: files are named from the directory of its input, unless only lines of their own are shown.
    fn new(report: &Report, sources: &'a SourceMap, look: &'a Look) -> Page<'a> {
        let directory = report.input.rsplit_once('/').map(|(directory, _)| format!("{directory}/"));
        let base = directory.filter(|_| look.detail > Detail::Quiet).unwrap_or_default();
        Page { sources, look, base }
    }

    /// With whole names.
    fn plain(sources: &'a SourceMap, look: &'a Look) -> Page<'a> {
        Page { sources, look, base: String::new() }
    }

    /// `file:line` of a span in at most `max` columns.
    fn place(&self, span: Span, max: usize) -> String {
        let line = self.sources.position(span).line;
        let name = &self.sources.get(span.source).name;
        let name = name.strip_prefix(&self.base).unwrap_or(name);
        self.look.path(&format!("{name}:{line}"), max)
    }

    /// A sentence with its place behind it in parentheses.
    fn with_place(&self, text: &str, span: Option<Span>) -> String {
        let text = self.look.clean(text);
        match span {
            Some(span) => format!("{text} ({})", self.place(span, 60)),
            None => text,
        }
    }
}

#[cfg(test)]
mod tests;
