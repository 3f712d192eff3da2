//! The main flow, on one screen: bytes → description → judgements → report.

use crate::claim::Claim;
use crate::diag::Diagnostics;
use crate::input::{self, Description};
use crate::model::{Assumption, Network};
use crate::report::{AssumptionEntry, Coverage, InputFile, Report};
use crate::source::{Loader, SourceMap};
use crate::verdict::{self, Judge, Judgement};
use std::path::Path;

/// What to decide, and how hard to look.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What readers are told.
    pub reading: input::Options,
    /// Limits, and how many causes to look for.
    pub judging: verdict::Options,
    /// Whether every assumption is set aside (`--strict`).
    pub strict: bool,
    /// Only claims of these ids; empty is all.
    pub claims: Vec<String>,
}

/// Told how far a run has come.
pub trait Progress: Sync {
    /// The description is read; this many claims will be judged.
    fn read(&self, claims: usize) {
        let _ = claims;
    }
    /// The network is compiled.
    fn compiled(&self) {}
    /// One more claim is judged.
    fn judged(&self, judgement: &Judgement) {
        let _ = judgement;
    }
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Progress for Unwatched {}

/// Reads a description and judges its claims.
///
/// # Errors
/// Everything that is wrong with the input; then nothing was decided.
pub fn run(
    sources: &mut SourceMap,
    loader: &Loader,
    path: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<Report, Diagnostics> {
    let first = sources.len();
    let description = input::read(sources, loader, path, &options.reading)?;
    Ok(judge(sources, first, path, description, options, progress))
}

/// Judges the claims of a description that was read from the sources behind the first `first`.
pub fn judge(
    sources: &SourceMap,
    first: usize,
    path: &Path,
    description: Description,
    options: &Options,
    progress: &dyn Progress,
) -> Report {
    let Description { network, claims, warnings } = description;
    let network = if options.strict { network.without_assumptions() } else { network };
    let wanted = |claim: &Claim| options.claims.is_empty() || options.claims.contains(&claim.id.value);
    progress.read(claims.iter().filter(|claim| wanted(claim)).count());
    let judge = Judge::new(&network, &claims, options.judging);
    progress.compiled();
    let judgements = judge.judge_all(&wanted, &|judgement| progress.judged(judgement));
    Report {
        topology: network.name.clone(),
        input: path.display().to_string(),
        as_of: options.reading.as_of.map(|day| day.to_string()),
        files: files(sources, first),
        coverage: coverage(&network, &judgements),
        judgements,
        assumptions: assumptions(&network),
        ledger: network.ledger.clone(),
        warnings: warnings.sorted(),
    }
}

fn files(sources: &SourceMap, first: usize) -> Vec<InputFile> {
    let read = sources.iter().skip(first);
    read.map(|(_, source)| InputFile { name: source.name.clone(), bytes: source.text.len() as u64 }).collect()
}

fn coverage(network: &Network, judgements: &[Judgement]) -> Coverage {
    let chains = network.filters.iter().flat_map(|filter| &filter.chains);
    let tables = network.nodes.iter().flat_map(|node| &node.tables);
    Coverage {
        nodes: network.nodes.len(),
        segments: network.segments.len(),
        rules: chains.map(|chain| chain.rules.len()).sum(),
        routes: tables.map(|table| table.routes.len()).sum(),
        limits: judgements.iter().flat_map(|judgement| judgement.limits.iter().cloned()).collect(),
    }
}

fn assumptions(network: &Network) -> Vec<AssumptionEntry> {
    let lets_pass = |given: Assumption| {
        Assumption::TABLE
            .iter()
            .find(|(known, _, _)| *known == given)
            .map_or("", |(_, _, passes)| passes)
            .to_owned()
    };
    let entry = |(given, reason): (&Assumption, &crate::source::Spanned<String>)| AssumptionEntry {
        name: given.word().to_owned(),
        reason: reason.value.clone(),
        lets_pass: lets_pass(*given),
        span: Some(reason.span),
    };
    network.assumptions.iter().map(entry).collect()
}
