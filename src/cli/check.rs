//! `isoaudit check`: every claim of every input, judged; the report in every format that was asked for.

use super::Outcome;
use super::args::CheckArgs;
use super::console::Console;
use super::failure::Failure;
use super::inputs::{Input, discover};
use super::output::{Outputs, usage};
use super::pipeline::{self, Description, Options, ReadOptions};
use super::progress::Progress;
use isoaudit::claim::Claim;
use isoaudit::diag::{Code, Diagnostic, Diagnostics, suggest};
use isoaudit::report::{Counts, Detail, Report};
use isoaudit::source::SourceMap;
use isoaudit::verdict;

/// Judges, then writes.
pub(super) fn run(arguments: &CheckArgs, console: &Console) -> Outcome {
    let detail = match (arguments.quiet, arguments.verbose) {
        (true, _) => Detail::Quiet,
        (false, true) => Detail::Full,
        (false, false) => Detail::Normal,
    };
    let outputs = Outputs::new(&arguments.formats, detail)?;
    set_threads(arguments.threads)?;
    let progress = Progress::new(console, arguments.no_progress);
    let mut sources = SourceMap::default();
    let judged = judge(arguments, &mut sources, &progress);
    progress.end();
    let reports = judged.map_err(|failure| outputs.refuse(failure, console))?;
    outputs.deliver(console, |format, look| Ok((format.report)(&reports, &sources, look)))?;
    if arguments.verbose {
        console.complain(&format!("checked in {:.2} s\n", progress.elapsed().as_secs_f64()));
    }
    Ok(Counts::of(&reports).verdict().into())
}

/// Reads every input before the first claim is judged, so that whatever is wrong with any of them is told at
/// once.
fn judge(
    arguments: &CheckArgs,
    sources: &mut SourceMap,
    progress: &Progress<'_>,
) -> Result<Vec<Report>, Failure> {
    let inputs = discover(&arguments.inputs, &arguments.source)?;
    let options = options(arguments);
    let mut wrong = Diagnostics::default();
    let mut read: Vec<(Input, usize, Description)> = Vec::new();
    for input in inputs {
        progress.begin(&input.name);
        let first = sources.len();
        match pipeline::read(sources, &input, &options.reading) {
            Ok(description) => read.push((input, first, description)),
            Err(diagnostics) => wrong.append(diagnostics),
        }
    }
    if !wrong.has_errors() {
        wrong.append(unknown_claims(
            arguments,
            read.iter().flat_map(|(_, _, description)| &description.claims),
        ));
    }
    if wrong.has_errors() {
        return Err(Failure::input(wrong, std::mem::take(sources)));
    }
    let mut reports = Vec::new();
    for (input, first, description) in read {
        progress.begin(&input.name);
        reports.push(pipeline::judge(sources, first, &input, description, &options, progress));
    }
    Ok(reports)
}

fn options(arguments: &CheckArgs) -> Options {
    let mut judging = verdict::Options { max_causes: arguments.max_causes, ..verdict::Options::default() };
    if let Some(nodes) = arguments.limit_nodes {
        judging.limits.nodes = nodes;
    }
    if let Some(rounds) = arguments.limit_rounds {
        judging.limits.steps = rounds;
    }
    let reading = ReadOptions { as_of: arguments.as_of };
    Options { reading, judging, strict: arguments.strict, claims: arguments.claims.clone() }
}

/// Names after `--claim` that no input declares.
fn unknown_claims<'a>(arguments: &CheckArgs, claims: impl Iterator<Item = &'a Claim>) -> Diagnostics {
    let known: Vec<&str> = claims.map(|claim| claim.id.value.as_str()).collect();
    let mut wrong = Diagnostics::default();
    for id in arguments.claims.iter().filter(|id| !known.contains(&id.as_str())) {
        let help = suggest(id, known.iter().copied()).unwrap_or_else(|| match known.len() {
            0 => "the input has no claims".to_owned(),
            1..=12 => format!("the claims are {}", known.join(", ")),
            many => format!("the input has {many} claims; `isoaudit check -q` lists those that do not hold"),
        });
        wrong.push(Diagnostic::homeless(Code::UnknownName, format!("there is no claim `{id}`")).help(help));
    }
    wrong
}

fn set_threads(threads: Option<usize>) -> Result<(), Failure> {
    let Some(threads) = threads else { return Ok(()) };
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| usage(&format!("cannot start {threads} threads: {error}")))
}
