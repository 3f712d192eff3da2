//! A difference, made small and explained: by what is left of the network, and by the kernel's own trace.

use super::bench::Bench;
use super::beside::Probe;
use super::described::folder;
use super::judge::{Failure, again};
use super::spec::{Backend, Ruleset, Spec};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::process::{Command, Stdio};
use std::time::Duration;

/// So many smaller networks are tried.
const MOST_TRIES: usize = 150;

/// What is wrong, on the smallest network that still shows it.
pub(crate) fn explain(seed: u64, spec: &Spec, failure: &Failure) -> String {
    let mut text = format!("seed {seed}: {}\n", failure.what);
    if failure.probes.is_empty() {
        return text;
    }
    let Some(what) = again(spec, &failure.probes) else {
        text.push_str("  these packets alone do not show it: something before them does\n");
        return text;
    };
    let (small, what) = shrink(spec.clone(), &failure.probes, what);
    let place = folder(&format!("failure-{seed}"));
    let _ = fs::remove_dir_all(&place);
    let _ = fs::rename(folder("again"), &place);
    writeln!(text, "shrunk, in {}: {what}", place.display()).unwrap();
    write!(text, "{}", rules_of(&small)).unwrap();
    text.push_str("what the kernel says:\n");
    text.push_str(&trace(&small, &failure.probes).unwrap_or_else(|error| format!("no trace: {error}")));
    text
}

/// Takes away whatever the difference does not need.
fn shrink(mut spec: Spec, probes: &[Probe], mut what: String) -> (Spec, String) {
    let mut tries = 0;
    let mut at = 0;
    while tries < MOST_TRIES {
        let candidates = smaller(&spec);
        let Some(candidate) = candidates.get(at) else { break };
        tries += 1;
        match again(candidate, probes) {
            Some(still) => (spec, what) = (candidate.clone(), still),
            None => at += 1,
        }
    }
    // The folder is to hold the last one that shows it.
    let what = again(&spec, probes).unwrap_or(what);
    (spec, what)
}

/// The network without one thing, for each thing.
fn smaller(spec: &Spec) -> Vec<Spec> {
    let mut all = Vec::new();
    let mut without = |change: &dyn Fn(&mut Spec)| {
        let mut less = spec.clone();
        change(&mut less);
        all.push(less);
    };
    for (node, it) in spec.nodes.iter().enumerate() {
        for family in (0..2).filter(|family| !it.tables[*family].tables.is_empty()) {
            without(&|less| less.nodes[node].tables[family] = Ruleset::default());
        }
    }
    for (node, it) in spec.nodes.iter().enumerate() {
        for (family, tables) in it.tables.iter().enumerate() {
            for (table, text) in tables.tables.iter().enumerate() {
                for rule in 0..text.rules.len() {
                    without(&|less| drop(less.nodes[node].tables[family].tables[table].rules.remove(rule)));
                }
            }
        }
        for key in 0..it.sysctl.len() {
            without(&|less| drop(less.nodes[node].sysctl.remove(key)));
        }
        for rule in 0..it.rules.len() {
            without(&|less| drop(less.nodes[node].rules.remove(rule)));
        }
        for route in 0..it.routes.len() {
            without(&|less| drop(less.nodes[node].routes.remove(route)));
        }
    }
    all
}

fn rules_of(spec: &Spec) -> String {
    let mut text = String::new();
    for node in &spec.nodes {
        for rule in &node.rules {
            writeln!(text, "{}: {rule:?}", node.name).unwrap();
        }
        for route in node.routes.iter().filter(|_| !node.is_host) {
            writeln!(text, "{}: {} in {} {:?}", node.name, route.to, route.table, route.action).unwrap();
        }
        for tables in &node.tables {
            tables.text().lines().for_each(|line| writeln!(text, "{}: {line}", node.name).unwrap());
        }
    }
    text
}

const TRACE: &str = "table inet traced {
    chain each { ip6 daddr ff00::/8 return; meta nftrace set 1; }
    chain heard { type filter hook prerouting priority -350; jump each; }
    chain own { type filter hook output priority -350; jump each; }
}";

/// What `nft monitor trace` prints in each router while the packets are sent.
fn trace(spec: &Spec, probes: &[Probe]) -> std::io::Result<String> {
    let spec = Spec { backend: Backend::Nft, ..spec.clone() };
    let bench = Bench::build(&spec)?;
    let mut watching = Vec::new();
    for (node, it) in spec.nodes.iter().enumerate().filter(|(_, node)| !node.is_host) {
        bench.load(node, TRACE)?;
        let path = folder(&format!("trace-{}", it.name));
        let child = Command::new("nft")
            .args(["monitor", "trace"])
            .stdout(File::create(&path)?)
            .stderr(Stdio::null())
            .spawn()?;
        watching.push((it.name.clone(), path, child));
    }
    std::thread::sleep(Duration::from_millis(300));
    for probe in probes {
        for part in super::frame::parts(&probe.packet) {
            bench.send(probe.from, &part, &probe.shape)?;
        }
    }
    std::thread::sleep(Duration::from_millis(300));
    let mut text = String::new();
    for (name, path, mut child) in watching {
        child.kill()?;
        child.wait()?;
        let said = fs::read_to_string(&path)?;
        said.lines().for_each(|line| writeln!(text, "{name}: {line}").unwrap());
        fs::remove_file(&path)?;
    }
    Ok(text)
}
