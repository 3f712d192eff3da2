//! The command line: flags, streams, exit codes. One file for each command. It uses the public library only.

mod args;
mod check;
mod console;
mod exit;
mod explain;
mod failure;
mod fmt;
mod inputs;
mod list;
mod output;
mod packet;
mod pipeline;
mod progress;
mod reproduce;
mod resolve;
mod schema;
mod send;
mod trace;

use args::{Cli, Command};
use clap::Parser;
use console::Console;
use exit::Exit;
use failure::Failure;
use std::ffi::OsString;
use std::process::ExitCode;

/// Runs one command and says how it ended.
pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(usage) => return Console::default().usage(&usage).into(),
    };
    let console = Console::new(&cli.global);
    let end = match cli.command {
        Command::Check(arguments) => check::run(&arguments, &console),
        Command::Trace(arguments) => trace::run(&arguments, &console),
        Command::Reproduce(arguments) => reproduce::run(&arguments, &console),
        Command::SendPacket(arguments) => send::run(&arguments),
        Command::List(arguments) => list::run(&arguments, &console),
        Command::Resolve(arguments) => resolve::run(&arguments, &console),
        Command::Fmt(arguments) => fmt::run(&arguments, &console),
        Command::Schema(arguments) => schema::run(&arguments, &console),
        Command::Explain(arguments) => explain::run(&arguments, &console),
    };
    end.unwrap_or_else(|failure| console.fail(failure)).into()
}

/// What a command comes to.
type Outcome = Result<Exit, Failure>;
