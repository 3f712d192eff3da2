//! `isoaudit resolve`: the description after includes, groups and defaults.

use super::Outcome;
use super::args::ResolveArgs;
use super::console::Console;
use super::exit::Exit;
use super::failure::Failure;
use super::inputs::single;
use super::pipeline;
use isoaudit::source::SourceMap;

/// Writes YAML to standard output.
pub(super) fn run(arguments: &ResolveArgs, console: &Console) -> Outcome {
    let input = single(&arguments.input, &arguments.source, "resolve")?;
    let mut sources = SourceMap::default();
    match pipeline::resolved(&mut sources, &input) {
        Ok(text) => console.print(&text).map(|()| Exit::Fine),
        Err(diagnostics) => Err(Failure::input(diagnostics, sources)),
    }
}
