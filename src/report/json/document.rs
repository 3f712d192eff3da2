//! The documents, key by key.

use super::evidence::{FindingJson, NoteJson, PlaceJson, TracedJson, finding, note, place};
use crate::diag::Diagnostic;
use crate::report::listing::Listed;
use crate::report::{AssumptionEntry, Counts, Report};
use crate::source::SourceMap;
use crate::verdict::{Judgement, Open};
use serde::Serialize;

/// The program, in every document.
pub(super) const TOOL: Tool = Tool { name: "isoaudit", version: env!("CARGO_PKG_VERSION") };

#[derive(Serialize)]
pub(super) struct Tool {
    name: &'static str,
    version: &'static str,
}

/// What was decided.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    pub(super) format: &'static str,
    pub(super) tool: Tool,
    pub(super) verdict: &'static str,
    pub(super) counts: CountsJson,
    pub(super) topologies: Vec<Topology<'a>>,
}

/// Why nothing was decided.
#[derive(Serialize)]
pub(super) struct Errors<'a> {
    pub(super) format: &'static str,
    pub(super) tool: Tool,
    pub(super) errors: Vec<DiagnosticJson<'a>>,
    pub(super) warnings: Vec<DiagnosticJson<'a>>,
}

/// The walks of given packets.
#[derive(Serialize)]
pub(super) struct Traces<'a> {
    pub(super) format: &'static str,
    pub(super) tool: Tool,
    pub(super) name: &'a str,
    pub(super) packets: Vec<TracedJson<'a>>,
}

/// What a selector selects.
#[derive(Serialize)]
pub(super) struct Places<'a> {
    pub(super) format: &'static str,
    pub(super) tool: Tool,
    pub(super) name: &'a str,
    pub(super) selector: &'a str,
    pub(super) places: Vec<ListedJson<'a>>,
}

#[derive(Serialize)]
pub(super) struct CountsJson {
    violated: usize,
    causes: usize,
    holds: usize,
    undetermined: usize,
    vacuous: usize,
}

#[derive(Serialize)]
pub(super) struct Topology<'a> {
    name: &'a str,
    input: &'a str,
    as_of: Option<&'a str>,
    verdict: &'static str,
    counts: CountsJson,
    files: Vec<File<'a>>,
    coverage: CoverageJson<'a>,
    claims: Vec<ClaimJson<'a>>,
    assumptions: Vec<AssumptionJson<'a>>,
    ledger: Vec<NoteJson<'a>>,
    warnings: Vec<DiagnosticJson<'a>>,
}

#[derive(Serialize)]
struct File<'a> {
    name: &'a str,
    bytes: u64,
}

#[derive(Serialize)]
struct CoverageJson<'a> {
    exhaustive: bool,
    nodes: usize,
    segments: usize,
    rules: usize,
    routes: usize,
    limits: &'a [String],
}

#[derive(Serialize)]
struct ClaimJson<'a> {
    id: &'a str,
    kind: &'static str,
    title: Option<&'a str>,
    severity: &'static str,
    controls: &'a [String],
    place: PlaceJson<'a>,
    verdict: &'static str,
    summary: &'a str,
    findings: Vec<FindingJson<'a>>,
    more_findings: bool,
    open: Vec<OpenJson<'a>>,
    proof: Vec<NoteJson<'a>>,
    assumptions: Vec<&'a str>,
    notes: Vec<NoteJson<'a>>,
}

#[derive(Serialize)]
struct OpenJson<'a> {
    what: &'a str,
    place: Option<PlaceJson<'a>>,
    settle: &'a str,
}

#[derive(Serialize)]
struct AssumptionJson<'a> {
    name: &'a str,
    reason: &'a str,
    lets_pass: &'a str,
    place: Option<PlaceJson<'a>>,
}

#[derive(Serialize)]
pub(super) struct DiagnosticJson<'a> {
    code: &'static str,
    message: &'a str,
    place: Option<PlaceJson<'a>>,
    label: Option<&'a str>,
    related: Vec<NoteJson<'a>>,
    help: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct ListedJson<'a> {
    name: &'a str,
    kind: &'static str,
    certain: bool,
    about: &'a str,
    place: Option<PlaceJson<'a>>,
}

pub(super) fn counts(counts: &Counts) -> CountsJson {
    let Counts { violated, causes, holds, undetermined, vacuous } = *counts;
    CountsJson { violated, causes, holds, undetermined, vacuous }
}

pub(super) fn topology<'a>(report: &'a Report, sources: &'a SourceMap) -> Topology<'a> {
    let own = Counts::of(std::slice::from_ref(report));
    let coverage = &report.coverage;
    let ledger = report.ledger.iter();
    Topology {
        name: &report.topology,
        input: &report.input,
        as_of: report.as_of.as_deref(),
        verdict: own.verdict().word(),
        counts: counts(&own),
        files: report.files.iter().map(|file| File { name: &file.name, bytes: file.bytes }).collect(),
        coverage: CoverageJson {
            exhaustive: coverage.limits.is_empty(),
            nodes: coverage.nodes,
            segments: coverage.segments,
            rules: coverage.rules,
            routes: coverage.routes,
            limits: &coverage.limits,
        },
        claims: report.judgements.iter().map(|judgement| claim(judgement, sources)).collect(),
        assumptions: report.assumptions.iter().map(|entry| assumption(entry, sources)).collect(),
        ledger: ledger.map(|entry| note(&entry.text, entry.span, sources)).collect(),
        warnings: report.warnings.iter().map(|warning| diagnostic(warning, sources)).collect(),
    }
}

fn claim<'a>(judgement: &'a Judgement, sources: &'a SourceMap) -> ClaimJson<'a> {
    let claim = &judgement.claim;
    ClaimJson {
        id: &claim.id.value,
        kind: claim.statement.word(),
        title: claim.title.as_deref(),
        severity: claim.severity.word(),
        controls: &claim.controls,
        place: place(claim.span, sources),
        verdict: judgement.verdict.word(),
        summary: &judgement.summary,
        findings: judgement.findings.iter().map(|found| finding(found, sources)).collect(),
        more_findings: judgement.more_findings,
        open: judgement.open.iter().map(|question| open(question, sources)).collect(),
        proof: judgement.proof.iter().map(|n| note(&n.text, n.span, sources)).collect(),
        assumptions: judgement.assumptions.iter().map(|(name, _)| name.as_str()).collect(),
        notes: judgement.notes.iter().map(|n| note(&n.text, n.span, sources)).collect(),
    }
}

fn open<'a>(question: &'a Open, sources: &'a SourceMap) -> OpenJson<'a> {
    OpenJson {
        what: &question.what,
        place: question.span.map(|span| place(span, sources)),
        settle: &question.settle,
    }
}

fn assumption<'a>(entry: &'a AssumptionEntry, sources: &'a SourceMap) -> AssumptionJson<'a> {
    AssumptionJson {
        name: &entry.name,
        reason: &entry.reason,
        lets_pass: &entry.lets_pass,
        place: entry.span.map(|span| place(span, sources)),
    }
}

pub(super) fn diagnostic<'a>(diagnostic: &'a Diagnostic, sources: &'a SourceMap) -> DiagnosticJson<'a> {
    let related = diagnostic.related.iter();
    DiagnosticJson {
        code: diagnostic.code.id(),
        message: &diagnostic.message,
        place: diagnostic.span.map(|span| place(span, sources)),
        label: diagnostic.label.as_deref(),
        related: related.map(|label| note(&label.text, Some(label.span), sources)).collect(),
        help: diagnostic.help.as_deref(),
    }
}

pub(super) fn listed<'a>(listed: &'a Listed, sources: &'a SourceMap) -> ListedJson<'a> {
    ListedJson {
        name: &listed.name,
        kind: if listed.is_segment { "segment" } else { "node" },
        certain: listed.certain,
        about: &listed.about,
        place: listed.span.map(|span| place(span, sources)),
    }
}
