//! One network after another, packet after packet: the kernel is right.

use super::beside::{Arrivals, Probe, Seen, Sets, Spot, observe, observe_late, walked};
use super::bench::{Bench, From};
use super::described::{Described, describe, folder};
use super::probes::Asker;
use super::random::network;
use super::rules::Coverage;
use super::spec::Spec;
use isoaudit::engine::Compiled;
use isoaudit::header::Packet;
use isoaudit::model::Reading;
use std::collections::BTreeMap;
use std::time::Instant;

/// What was compared.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) networks: usize,
    pub(crate) unknowns: usize,
    pub(crate) packets: usize,
    pub(crate) arrived: usize,
    pub(crate) delivered: usize,
    pub(crate) answers: usize,
    pub(crate) sessions: usize,
    pub(crate) witnesses: usize,
    pub(crate) exact: usize,
    pub(crate) late: usize,
    pub(crate) coverage: Coverage,
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Compares so many networks with so many packets each.
pub(crate) fn many(networks: u64, packets: usize) {
    let start = Instant::now();
    let first = setting("ISOAUDIT_KERNEL_SEED", 1);
    let mut tally = Tally::default();
    let mut bad = 0;
    let networks = setting("ISOAUDIT_KERNEL_NETWORKS", networks);
    for seed in first..first + networks {
        if let Err(found) = one(seed, packets, &mut tally) {
            bad += 1;
            println!("seed {seed}: {found}");
        }
    }
    println!("{bad} bad");
    println!("{:?} {tally:?}", start.elapsed());
}

/// Compares one network.
pub(crate) fn one(seed: u64, packets: usize, tally: &mut Tally) -> Result<(), String> {
    let spec = network(seed, &mut tally.coverage);
    let mut bench = Bench::build(&spec).map_err(|error| format!("not built: {error}"))?;
    let described = describe(&spec, &bench, folder(&format!("{}", seed % 4)))?;
    tally.networks += 1;
    tally.unknowns += described.network.unknowns.len();
    if std::env::var_os("SHOW").is_some() {
        for unknown in &described.network.unknowns {
            println!("{seed}: {}", unknown.what);
        }
    }
    let compiled = Compiled::new(&described.network);
    let mut sets = BTreeMap::new();
    let mut asker = Asker::new(&spec, seed);
    for _ in 0..packets {
        let probe = asker.single();
        tally.packets += 1;
        if let From::Line { link, .. } = probe.from {
            sets.entry(link).or_insert_with(|| Sets::new(&described, &compiled, link));
        }
        compare_single(&spec, &mut bench, &described, &sets, &probe, tally)?;
    }
    let _ = (&mut asker, Reading::Must);
    Ok(())
}

/// What is missing of the first in the second.
fn missing(less: &Arrivals, more: &Arrivals) -> Vec<(Spot, Packet)> {
    less.difference(more).copied().collect()
}

/// Whether one of the ways is a part of what was seen. No way at all is.
fn is_one_of(ways: &[Arrivals], seen: &Arrivals) -> bool {
    ways.is_empty() || ways.iter().any(|way| way.is_subset(seen))
}

fn told(arrivals: &Arrivals) -> Vec<Spot> {
    arrivals.iter().map(|(spot, _)| *spot).collect()
}

fn compare_single(
    spec: &Spec,
    bench: &mut Bench,
    described: &Described,
    sets: &BTreeMap<usize, Sets<'_>>,
    probe: &Probe,
    tally: &mut Tally,
) -> Result<(), String> {
    let mut seen = observe(bench, probe);
    let walked = walked(spec, described, std::slice::from_ref(probe)).remove(0);
    if !is_one_of(&walked.must, &seen.arrived) && observe_late(bench, probe, &mut seen) {
        tally.late += 1;
    }
    for node in seen.touched.clone() {
        if !spec.nodes[node].is_host {
            bench.forget(node).map_err(|error| error.to_string())?;
        }
    }
    tally.arrived += usize::from(seen.arrived.len() > 1);
    tally.delivered += usize::from(seen.arrived.iter().any(|(spot, _)| matches!(spot, Spot::Node(_))));
    tally.answers += usize::from(!seen.answers.is_empty());
    tally.exact += usize::from(walked.must == [walked.may.clone()]);
    let say = |what: &str, spots: &[(Spot, Packet)]| {
        let must: Vec<String> = walked.must.iter().map(|way| format!("{:?}", told(way))).collect();
        let (kernel, may) = (told(&seen.arrived), told(&walked.may));
        let spots = spots.iter().map(|(spot, packet)| format!("{packet} at {spot:?}")).collect::<Vec<_>>().join(", ");
        format!("{what} {spots}\n{} from {:?}\nkernel {kernel:?} must {must:?} may {may:?}", probe.packet, probe.from)
    };
    if !is_one_of(&walked.must, &seen.arrived) {
        return Err(say("the interpreter is certain of more", &[]));
    }
    let wrong = missing(&seen.arrived, &walked.may);
    if !wrong.is_empty() {
        return Err(say("the interpreter excludes", &wrong));
    }
    let From::Line { link, .. } = probe.from else { return Ok(()) };
    let Some(sets) = sets.get(&link) else { return Ok(()) };
    for (spot, packet) in seen.arrived.iter().chain(&seen.answers) {
        // What a node tells itself never leaves it.
        let to_itself = matches!(spot, Spot::Node(node) if spec.addresses_of(*node).contains(&packet.src));
        if *spot != Spot::Line(link) && !to_itself && !sets.contain(described, *spot, packet)[1] {
            return Err(say("the engine excludes", &[(*spot, *packet)]));
        }
    }
    Ok(())
}
