//! Makes a description of a real network, and measures compiling it and solving all sources to all exits:
//! `real_networks DATA_DIR OUT_DIR [--confirm]`.
//!
//! A folder of data has `topo.txt` (links), `rules.txt` (routes and access lists) and perhaps `vlan.txt` (floods), as
//! [`data`] reads them. The description is written to `OUT_DIR` and read from there like any other. Every device sends
//! any packet; an exit is a port with routes and without a link, or local delivery. `--confirm` answers the same
//! question a second time, without the engine, and compares. Times are medians of several runs: on the wall, and what
//! all threads together took of the processors.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a measurement talks to a terminal")]

mod confirm;
mod data;
mod describe;

use isoaudit::engine::{Compiled, Cut, FreeFlow, Limits, Place, Places, Query, arrivals};
use isoaudit::header::AddressRange;
use isoaudit::model::{InterfaceId, Network, Reading};
use isoaudit::source::{DEFAULT_MAX_BYTES, Loader, SourceMap};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Devices, each with an exit that it reaches.
pub(crate) type Pairs = BTreeSet<(String, String)>;

/// Runs of which the median is told.
const RUNS: usize = 11;

fn main() -> Outcome<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (Some(data), Some(out)) = (words.first(), words.get(1)) else {
        return Err("usage: real_networks DATA_DIR OUT_DIR [--confirm]".into());
    };
    let data = data::Data::read(data.as_ref())?;
    describe::write(&data, out.as_ref())?;
    let (reading, network) = timed(|| read(out.as_ref()))?;
    println!("{} devices, {} interfaces", network.nodes.len(), network.interfaces.len());
    println!("{:<22} {:>9} {:>12}", "", "wall ms", "processor ms");
    tell("read", reading);
    println!("{:.1} MB at the peak so far", peak_memory());
    let mut found = BTreeSet::new();
    for threads in [1, std::thread::available_parallelism()?.get()] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        let (compiling, solving, pairs) = pool.install(|| measure(&network))?;
        tell(&format!("compile, {threads} thr."), compiling);
        tell(&format!("all sources, {threads} thr."), solving);
        println!("{:.1} MB at the peak so far", peak_memory());
        if threads > 1 && pairs != found {
            return Err("the answers depend on the number of threads".into());
        }
        found = pairs;
    }
    let delivered = found.iter().filter(|(_, exit)| exit.ends_with(".self")).count();
    let exits: BTreeSet<&String> = found.iter().map(|(_, exit)| exit).collect();
    println!("{} pairs of a device and an exit, {} exits", found.len(), exits.len());
    println!("{delivered} of them are local delivery");
    if words.iter().any(|word| word == "--confirm") {
        let others = confirm::pairs(&data);
        println!("{} pairs without the engine", others.len());
        for (from, exit) in found.symmetric_difference(&others) {
            println!("  they differ on {from} to {exit}");
        }
        if found != others {
            return Err("the answers differ".into());
        }
    }
    Ok(())
}

fn read(folder: &Path) -> Outcome<Network> {
    let mut sources = SourceMap::default();
    let loader = Loader::new(folder, DEFAULT_MAX_BYTES);
    let description =
        isoaudit::input::read(&mut sources, &loader, "topology.yaml".as_ref(), &Default::default());
    let first = |found: isoaudit::diag::Diagnostics| {
        found.sorted().first().map_or(String::new(), |one| format!("{one:?}"))
    };
    Ok(description.map_err(first)?.network)
}

/// Milliseconds on the wall, and of all processors.
type Times = [f64; 2];

fn tell(what: &str, [wall, processor]: Times) {
    println!("{what:<22} {wall:>9.2} {processor:>12.2}");
}

/// The median times of compiling and of solving, and the pairs.
fn measure(network: &Network) -> Outcome<(Times, Times, Pairs)> {
    let queries = queries(network)?;
    let (mut compiling, mut solving) = (Vec::new(), Vec::new());
    let mut pairs = BTreeSet::new();
    for _ in 0..RUNS {
        let (time, compiled) = timed(|| Ok(Compiled::new(network)))?;
        compiling.push(time);
        let (time, answers) = timed(|| Ok(arrivals(&compiled, &queries, Limits::default())))?;
        solving.push(time);
        pairs.clear();
        for (query, answer) in queries.iter().zip(answers) {
            let reached = answer.map_err(|stop| format!("{stop:?}"))?;
            let from = source(network, query);
            pairs.extend(reached.iter().map(|place| (from.clone(), exit(network, *place))));
        }
    }
    Ok((median(&compiling), median(&solving), pairs))
}

/// One question for each device: all packets enter it, and every stub is a target.
fn queries(network: &Network) -> Outcome<Vec<Query>> {
    let none = Places::none(network.nodes.len(), network.segments.len());
    let mut targets = none.clone();
    let mut entries = Vec::new();
    for interface in &network.interfaces {
        let Some(segment) = interface.segment else { continue };
        if network.node(interface.node).name.starts_with(describe::STUB) {
            targets.segments[segment.index()] = true;
        } else if interface.name == describe::INJECT {
            entries.push(segment);
        }
    }
    let any = AddressRange::prefix("0.0.0.0/0".parse()?);
    let wires = FreeFlow {
        src: vec![any],
        dst: vec![AddressRange::prefix(describe::WIRES.parse()?)],
        services: Vec::new(),
        replies: false,
    };
    let query = |entry: isoaudit::model::SegmentId| {
        let mut footholds = none.clone();
        footholds.segments[entry.index()] = true;
        Query {
            reading: Reading::May,
            footholds,
            honest: Vec::new(),
            honest_segments: Vec::new(),
            talkers: Vec::new(),
            accomplices: none.clone(),
            forged: vec![false; network.segments.len()],
            destinations: Vec::new(),
            services: Vec::new(),
            own_sources: false,
            targets: targets.clone(),
            free: vec![wires.clone()],
            cut: Cut::default(),
        }
    };
    Ok(entries.into_iter().map(query).collect())
}

/// The device that a question is about.
fn source(network: &Network, query: &Query) -> String {
    let attached = query.footholds.iter().flat_map(|place| attached(network, place));
    attached.map(|id| network.node(network.interface(id).node).name.clone()).collect()
}

/// The name of the exit before a stub.
fn exit(network: &Network, place: Place) -> String {
    let names = attached(network, place).into_iter().map(|id| &network.node(network.interface(id).node).name);
    names.filter_map(|name| name.strip_prefix(describe::STUB)).collect()
}

fn attached(network: &Network, place: Place) -> Vec<InterfaceId> {
    match place {
        Place::Segment(id) => network.segment(id).attached.clone(),
        Place::Node(id) => network.node(id).interfaces.clone(),
    }
}

fn timed<T>(work: impl FnOnce() -> Outcome<T>) -> Outcome<(Times, T)> {
    let (wall, processor) = (Instant::now(), processor());
    let result = work()?;
    Ok(([wall.elapsed().as_secs_f64() * 1e3, self::processor() - processor], result))
}

fn median(times: &[Times]) -> Times {
    [0, 1].map(|of| {
        let mut all: Vec<f64> = times.iter().map(|both| both[of]).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
    })
}

/// Milliseconds that the threads of this process have run; 0 where the system does not tell.
fn processor() -> f64 {
    // The system brings the number up to date when the thread gives way.
    std::thread::yield_now();
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let texts = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("schedstat")).ok());
    texts.filter_map(|text| text.split(' ').next()?.parse::<f64>().ok()).sum::<f64>() / 1e6
}

/// The largest resident size of this process so far, in MB (10^6 bytes); 0 where the system does not tell.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) * 1024.0 / 1e6
}
