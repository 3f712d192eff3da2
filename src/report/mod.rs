//! Reports: plain data in, bytes out. One file for each format, one row in [`FORMATS`].
//!
//! A report knows nothing of engines, sets or command-line flags. Whatever it prints of foreign text goes
//! through [`safe::safe`]. The same report gives the same bytes, always: times are not in it.

pub mod json;
pub mod listing;
pub mod pcap;
pub mod safe;
mod snippet;
mod style;
pub mod text;
pub mod trace;

#[cfg(test)]
mod fixture;

use crate::diag::Diagnostic;
use crate::model::LedgerEntry;
use crate::source::{SourceMap, Span};
use crate::verdict::{Finding, Judgement, Verdict};
use std::collections::BTreeSet;

pub use style::{Detail, Look};

/// Everything decided about one topology.
#[derive(Debug, Clone)]
pub struct Report {
    /// The name of the description.
    pub topology: String,
    /// The input as the user named it, so that commands in the report can be typed as they stand.
    pub input: String,
    /// The day behind which rules with `until` are listed, as `YYYY-MM-DD`, if one was given.
    pub as_of: Option<String>,
    /// Every file that was read, in the order of reading.
    pub files: Vec<InputFile>,
    /// How much was looked at.
    pub coverage: Coverage,
    /// One for each claim, in the order written.
    pub judgements: Vec<Judgement>,
    /// What the description assumes by name.
    pub assumptions: Vec<AssumptionEntry>,
    /// What every verdict rests on without a claim naming it.
    pub ledger: Vec<LedgerEntry>,
    /// Warnings about the input, in the order of the text.
    pub warnings: Vec<Diagnostic>,
}

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InputFile {
    /// Its name, as places print it.
    pub name: String,
    /// Number of its bytes.
    pub bytes: u64,
}

/// How much a check looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    /// Number of nodes.
    pub nodes: usize,
    /// Number of segments.
    pub segments: usize,
    /// Number of filter rules.
    pub rules: usize,
    /// Number of routes.
    pub routes: usize,
    /// Limits that were reached, one sentence each. Empty means that the check was exhaustive.
    pub limits: Vec<String>,
}

/// An assumption by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssumptionEntry {
    /// Its name in the description.
    pub name: String,
    /// Why its author makes it.
    pub reason: String,
    /// What it lets pass unexamined.
    pub lets_pass: String,
    /// Where it is written.
    pub span: Option<Span>,
}

/// How many claims came out which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Number of broken claims.
    pub violated: usize,
    /// Number of different causes behind them.
    pub causes: usize,
    /// Number of claims that hold.
    pub holds: usize,
    /// Number of claims that are neither.
    pub undetermined: usize,
    /// Number of claims that say nothing.
    pub vacuous: usize,
}

impl Counts {
    /// The counts of some reports together.
    pub fn of(reports: &[Report]) -> Counts {
        let mut counts = Counts::default();
        for report in reports {
            counts.causes += report.causes().len();
            for judgement in &report.judgements {
                match judgement.verdict {
                    Verdict::Violated => counts.violated += 1,
                    Verdict::Holds => counts.holds += 1,
                    Verdict::Undetermined => counts.undetermined += 1,
                    Verdict::Vacuous => counts.vacuous += 1,
                }
            }
        }
        counts
    }

    /// The verdict on everything together: a violation wins over undetermined, that over vacuous.
    pub fn verdict(&self) -> Verdict {
        if self.violated > 0 {
            Verdict::Violated
        } else if self.undetermined > 0 {
            Verdict::Undetermined
        } else if self.vacuous > 0 {
            Verdict::Vacuous
        } else {
            Verdict::Holds
        }
    }
}

/// What makes two findings one cause: the line to blame and for what, or else the finding itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CauseKey {
    Place(Span, String),
    Text(String),
    Finding(String),
}

/// The cause of a finding.
pub(crate) fn cause_key(finding: &Finding) -> CauseKey {
    match &finding.cause {
        Some(note) => match note.span {
            Some(span) => CauseKey::Place(span, note.text.clone()),
            None => CauseKey::Text(note.text.clone()),
        },
        None => CauseKey::Finding(finding.fingerprint.clone()),
    }
}

impl Report {
    fn causes(&self) -> BTreeSet<CauseKey> {
        let broken = self.judgements.iter().filter(|judgement| judgement.verdict == Verdict::Violated);
        broken.flat_map(|judgement| judgement.findings.iter().map(cause_key)).collect()
    }
}

/// Writes something as bytes, given the texts that it speaks of.
pub type Writer<T> = fn(&T, &SourceMap, &Look) -> Vec<u8>;

/// A way to write reports.
#[derive(Debug)]
pub struct Format {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub about: &'static str,
    /// Whether a terminal can show it.
    pub is_text: bool,
    /// Writes what was decided about some topologies.
    pub report: Writer<[Report]>,
    /// Writes why nothing was decided.
    pub errors: Writer<[Diagnostic]>,
    /// Writes the walks of given packets, if the format can.
    pub trace: Option<Writer<trace::Trace>>,
    /// Writes what a selector selects, if the format can.
    pub listing: Option<Writer<listing::Listing>>,
}

/// Every format. A new one is one file and one row.
pub const FORMATS: &[Format] = &[
    Format {
        name: "text",
        about: "for people: each broken claim with its path, each decision with its line",
        is_text: true,
        report: |reports, sources, look| text::report(reports, sources, look).into_bytes(),
        errors: |diagnostics, sources, look| text::errors(diagnostics, sources, look).into_bytes(),
        trace: Some(|trace, sources, look| text::trace(trace, sources, look).into_bytes()),
        listing: Some(|listing, sources, look| text::listing(listing, sources, look).into_bytes()),
    },
    Format {
        name: "json",
        about: "for programs: everything, versioned (`isoaudit schema report`)",
        is_text: true,
        report: |reports, sources, look| json::report(reports, sources, look).into_bytes(),
        errors: |diagnostics, sources, look| json::errors(diagnostics, sources, look).into_bytes(),
        trace: Some(|trace, sources, look| json::trace(trace, sources, look).into_bytes()),
        listing: Some(|listing, sources, look| json::listing(listing, sources, look).into_bytes()),
    },
    Format {
        name: "pcap",
        about: "for Wireshark and tcpdump: the packets of each counterexample at each hop (pcapng)",
        is_text: false,
        report: |reports, sources, _| pcap::report(reports, sources),
        errors: |diagnostics, _, _| pcap::errors(diagnostics),
        trace: Some(|trace, sources, _| pcap::trace(trace, sources)),
        listing: None,
    },
];

/// The format of a name.
pub fn format(name: &str) -> Option<&'static Format> {
    FORMATS.iter().find(|format| format.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::fixture::{self, Story};

    #[test]
    fn names_are_unique_and_found() {
        let names: BTreeSet<_> = FORMATS.iter().map(|format| format.name).collect();
        assert_eq!(names.len(), FORMATS.len());
        assert!(FORMATS.iter().all(|f| format(f.name).is_some_and(|found| found.name == f.name)));
        assert!(format("jsno").is_none());
    }

    #[test]
    fn a_violation_wins_over_what_is_open() {
        let Story { report, .. } = fixture::story();
        let counts = Counts::of(std::slice::from_ref(&report));
        assert_eq!(
            counts,
            Counts { violated: 2, causes: 1, holds: 2, undetermined: 1, vacuous: 1 },
            "two claims break by one rule"
        );
        assert_eq!(counts.verdict(), Verdict::Violated);
        assert_eq!(Counts { violated: 0, ..counts }.verdict(), Verdict::Undetermined);
        assert_eq!(Counts { vacuous: 1, ..Counts::default() }.verdict(), Verdict::Vacuous);
        assert_eq!(Counts::default().verdict(), Verdict::Holds);
    }
}
