//! The arguments of every command, as typed.

use super::output::Request;
use clap::{Args, Parser, Subcommand, ValueEnum};
use isoaudit::input::policy::Date;
use std::path::PathBuf;

/// What `--help` says below the options.
const EXIT_CODES: &str = "\
Exit codes (whatever the format):
  0  every claim holds
  1  some claim is violated: there is a replayed counterexample
  2  the input or the command line is wrong: nothing was decided, nothing is half reported
  3  nothing is violated, but something is undetermined or vacuous

Colours follow --color, then NO_COLOR, then FORCE_COLOR and CLICOLOR_FORCE, then the terminal.
isoaudit opens no network connection and writes no file but those that --format names. What
`reproduce` sends stays in network namespaces of its own.";

const CHECK_EXAMPLES: &str = "\
Inputs are files, directories, or - for standard input. Of a directory every topology in it and
below it is checked, sorted by path: topology.yaml, topology.yml, *.isoaudit.yaml, *.isoaudit.yml.
Hidden directories and symbolic links to directories are not entered. Whatever a topology names is
searched below its own directory, and nowhere else. `isoaudit --help` tells the exit codes.

Examples:
  isoaudit check topology.yaml
  isoaudit check net/ --claim no-way-out -v
  isoaudit check net/ -f text -f json=report.json
  generate-topology | isoaudit check - --stdin-filename generated.yaml";

const TRACE_EXAMPLES: &str = "\
A packet starts at a node that sends it by its own routes and filters; with a foreign source
address, or --as adversary, at a node whose filters do not bind it; with --in, at a node that
receives it from somebody on the segment of that interface. --after sends other packets first,
so that connections are open. Of a directory the one topology in it is taken or, if none is in
it, the only one below it.

Examples:
  isoaudit trace topology.yaml --from web1 --to db1 tcp/5432
  isoaudit trace topology.yaml --from fw --in eth0 --source 198.51.100.9 --to 10.1.0.20 tcp/443
  isoaudit trace topology.yaml --after 'db1 10.1.0.20>198.51.100.9 tcp/443 sport=40000' \\
      --from internet --source 198.51.100.9 --sport 443 --to 10.1.0.20 tcp/40000 --flags ack";

const REPRODUCE_HELP: &str = "\
The devices on the way become network namespaces, wired as the segments that the packets cross,
with their addresses, routes and settings; rules that a device's own files hold are loaded from
those, policies as nftables. Then the packets are sent in order, and counters say where the kernel
saw each. Everything is in namespaces of their own, which end with the command: nothing outside
changes, and nothing stays. It needs no root where the system lets users have namespaces.

Exit code 0: the kernel did what the finding says. 1: it did not. 2: it could not be tried.

Examples:
  isoaudit reproduce topology.yaml no-way-out
  isoaudit reproduce topology.yaml b7a4af21be0aa5e7
  isoaudit reproduce topology.yaml no-way-out --script > what-would-run.sh";

const LIST_EXAMPLES: &str = "\
Of a directory the one topology in it is taken or, if none is in it, the only one below it.

Examples:
  isoaudit list topology.yaml 'jurisdiction:CN and not zone:wan'
  isoaudit list topology.yaml 'ip:10.0.0.0/8' -f json";

const RESOLVE_HELP: &str = "\
Of a directory the one topology in it is taken or, if none is in it, the only one below it.";

/// Decides whether networks are isolated from each other, over all packets and paths.
#[derive(Debug, Parser)]
#[command(name = "isoaudit", version, max_term_width = 100, after_help = EXIT_CODES)]
#[command(disable_help_subcommand = true, arg_required_else_help = true, subcommand_required = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Default, Args)]
pub(crate) struct Global {
    /// When to use colours
    #[arg(long, global = true, value_name = "auto|always|never", value_enum, default_value_t)]
    #[arg(hide_possible_values = true, hide_default_value = true, help_heading = "For every command")]
    pub(crate) color: ColourChoice,
    /// Use only ASCII characters (the default if the locale is not UTF-8)
    #[arg(long, global = true, help_heading = "For every command")]
    pub(crate) ascii: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum ColourChoice {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Judge every claim of a topology, and show the path where one breaks
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Walk one packet, and show every decision with its line
    #[command(after_help = TRACE_EXAMPLES)]
    Trace(TraceArgs),
    /// Make a counterexample happen, on the Linux kernel of this machine
    #[command(after_help = REPRODUCE_HELP)]
    Reproduce(ReproduceArgs),
    /// Send one packet, from its IP header on (what the script of `reproduce` calls)
    #[command(hide = true)]
    SendPacket(SendPacketArgs),
    /// Show which places a selector selects, certainly and possibly
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Write the description after includes, groups and defaults, as YAML
    #[command(after_help = RESOLVE_HELP)]
    Resolve(ResolveArgs),
    /// Put policy files into the one layout; comments stay
    Fmt(FmtArgs),
    /// Write the JSON Schema of the description or of the JSON report
    Schema(SchemaArgs),
    /// Say what a diagnostic code, a verdict, a claim kind or an assumption means
    Explain(ExplainArgs),
}

/// Which description to read.
#[derive(Debug, Args)]
pub(crate) struct SourceArgs {
    /// The name under which standard input (-) is reported
    #[arg(long, value_name = "NAME", default_value = "stdin.yaml")]
    pub(crate) stdin_filename: String,
    /// Bytes that one input file may have
    #[arg(long, value_name = "BYTES", default_value_t = isoaudit::source::DEFAULT_MAX_BYTES)]
    pub(crate) max_bytes: u64,
}

/// Where answers go.
#[derive(Debug, Args)]
pub(crate) struct FormatArgs {
    /// Write this format, to standard output or to a file; may be given several times
    #[arg(short, long = "format", value_name = "FORMAT[=FILE]", value_parser = Request::parse)]
    #[arg(long_help = super::output::format_help())]
    pub(crate) formats: Vec<Request>,
}

/// `check`
#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// Topologies: files, directories, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    pub(crate) inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) formats: FormatArgs,
    /// Judge only the claim of this id; may be given several times
    #[arg(long = "claim", value_name = "ID")]
    pub(crate) claims: Vec<String>,
    /// Set every named assumption aside
    #[arg(long)]
    pub(crate) strict: bool,
    /// List policy rules whose `until` is before this day, YYYY-MM-DD; no verdict changes
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub(crate) as_of: Option<Date>,
    /// Causes of a violation to look for
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    pub(crate) max_causes: usize,
    /// Set-diagram nodes that one question may use; beyond, the claim is undetermined
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit_nodes: Option<usize>,
    /// Rounds of the search that one question may take; beyond, the claim is undetermined
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) limit_rounds: Option<usize>,
    /// Threads to use [default: one for each processor]; the report is the same for any number
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(crate) threads: Option<usize>,
    /// One line for each claim that does not hold
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Everything: whole proofs, every segment, the whole ledger, repeated causes; times to standard error
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Show no progress on the terminal
    #[arg(long)]
    pub(crate) no_progress: bool,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

/// `trace`
#[derive(Debug, Args)]
pub(crate) struct TraceArgs {
    /// The topology: a file, a directory that holds one, or - for standard input
    #[arg(value_name = "INPUT")]
    pub(crate) input: PathBuf,
    /// What the packet is: tcp/443, udp/53, icmp/echo-request, gre, proto/89
    #[arg(value_name = "SERVICE")]
    pub(crate) service: String,
    /// The node that sends it, or the segment that it is put on
    #[arg(long, value_name = "PLACE")]
    pub(crate) from: String,
    /// The interface of that node by which the packet comes in from outside
    #[arg(long = "in", value_name = "INTERFACE")]
    pub(crate) interface: Option<String>,
    /// Where it goes: an address, or a node (its first address)
    #[arg(long, value_name = "ADDRESS|NODE")]
    pub(crate) to: String,
    /// Its source: an address, or a node [default: the first address of the sender]
    #[arg(long, value_name = "ADDRESS|NODE")]
    pub(crate) source: Option<String>,
    /// Its source port
    #[arg(long, value_name = "PORT", default_value_t = super::packet::SOURCE_PORT)]
    pub(crate) sport: u16,
    /// Its TCP flags, with commas between, or `none`
    #[arg(long, value_name = "FLAGS", default_value = "syn")]
    pub(crate) flags: String,
    /// Which part of its datagram it is
    #[arg(long, value_name = "PART", value_parser = ["whole", "first", "later"], default_value = "whole")]
    pub(crate) fragment: String,
    /// How the sender behaves [default: honest with an address of its own, else adversary]
    #[arg(long = "as", value_name = "STANCE", value_parser = ["honest", "adversary", "answer"])]
    pub(crate) stance: Option<String>,
    /// Show only walks that pass this node or segment; may be given several times
    #[arg(long, value_name = "PLACE")]
    pub(crate) via: Vec<String>,
    /// Send this packet first: 'PLACE SOURCE>DESTINATION SERVICE [in=] [as=] [sport=] [flags=] [fragment=]'
    #[arg(long, value_name = "PACKET")]
    pub(crate) after: Vec<String>,
    /// List policy rules whose `until` is before this day, YYYY-MM-DD; no verdict changes
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub(crate) as_of: Option<Date>,
    /// Walks of one packet to show
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    pub(crate) max_walks: usize,
    #[command(flatten)]
    pub(crate) formats: FormatArgs,
    /// Show every segment, dull ones too
    #[arg(short, long)]
    pub(crate) verbose: bool,
    #[command(flatten)]
    pub(crate) description: SourceArgs,
}

/// `reproduce`
#[derive(Debug, Args)]
pub(crate) struct ReproduceArgs {
    /// The topology: a file, a directory that holds one, or - for standard input
    #[arg(value_name = "INPUT")]
    pub(crate) input: PathBuf,
    /// The claim that breaks, or the fingerprint of a finding as JSON and captures tell it
    #[arg(value_name = "FINDING")]
    pub(crate) finding: String,
    /// Write the script that would run, and run nothing
    #[arg(long)]
    pub(crate) script: bool,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

/// `send-packet`
#[derive(Debug, Args)]
pub(crate) struct SendPacketArgs {
    /// The interface to send it by, or - to leave that to the routes
    #[arg(value_name = "INTERFACE")]
    pub(crate) interface: String,
    /// The packet in hexadecimal
    #[arg(value_name = "BYTES")]
    pub(crate) bytes: String,
}

/// `list`
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The topology: a file, a directory that holds one, or - for standard input
    #[arg(value_name = "INPUT")]
    pub(crate) input: PathBuf,
    /// The selector, as in claims
    #[arg(value_name = "SELECTOR")]
    pub(crate) selector: String,
    #[command(flatten)]
    pub(crate) formats: FormatArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

/// `resolve`
#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// The topology: a file, a directory that holds one, or - for standard input
    #[arg(value_name = "INPUT")]
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

/// `fmt`
#[derive(Debug, Args)]
pub(crate) struct FmtArgs {
    /// Policy files, or - to read standard input and write standard output
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Change nothing; name the files that would change, and end with exit code 1 if there are any
    #[arg(long)]
    pub(crate) check: bool,
    /// Bytes that one file may have
    #[arg(long, value_name = "BYTES", default_value_t = isoaudit::source::DEFAULT_MAX_BYTES)]
    pub(crate) max_bytes: u64,
}

/// `schema`
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Which schema
    #[arg(value_enum, value_name = "WHICH", default_value_t)]
    pub(crate) which: WhichSchema,
}

/// Which schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum WhichSchema {
    /// The description: topology.yaml
    #[default]
    Topology,
    /// The JSON documents that this program writes
    Report,
}

/// `explain`
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A code such as unknown-key, or a word such as vacuous, only-via, no-reflection; none lists them all
    #[arg(value_name = "WORD")]
    pub(crate) word: Option<String>,
}

fn day(text: &str) -> Result<Date, String> {
    Date::read(text).ok_or_else(|| "write a day of the calendar as 2027-03-31".to_owned())
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("it must be at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("it must be a whole number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_fits_the_page() {
        let mut command = Cli::command();
        let mut texts = vec![command.render_long_help().to_string()];
        for sub in command.get_subcommands_mut() {
            texts.push(sub.render_long_help().to_string());
        }
        for line in texts.iter().flat_map(|text| text.lines()) {
            assert!(line.chars().count() <= 100, "{line}");
        }
    }
}
