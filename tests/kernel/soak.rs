//! How much is compared, and what is said of it.

use super::judge::{Tally, one};
use super::random::network;
use super::shrink::explain;
use std::time::{Duration, Instant};

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

/// After so many differences nobody wants more.
const MOST_FAILURES: usize = 3;

/// Compares so many networks with so many packets each, or for `ISOAUDIT_KERNEL_SOAK` seconds as many as there are; the first by
/// `ISOAUDIT_KERNEL_SEED`.
pub(crate) fn many(networks: u64, packets: usize) {
    let start = Instant::now();
    let soak = setting("ISOAUDIT_KERNEL_SOAK").map(Duration::from_secs);
    let networks = setting("ISOAUDIT_KERNEL_NETWORKS").unwrap_or(networks);
    let first = setting("ISOAUDIT_KERNEL_SEED").unwrap_or(1);
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    for seed in first.. {
        let enough = soak.map_or(seed - first >= networks, |soak| start.elapsed() >= soak);
        if enough || failures.len() >= MOST_FAILURES {
            break;
        }
        let spec = network(seed, &mut tally.coverage);
        if let Err(found) = one(&spec, seed, packets, &mut tally) {
            failures.push(explain(seed, &spec, &found));
        }
    }
    report(&tally, start.elapsed());
    assert!(failures.is_empty(), "the kernel does otherwise\n{}", failures.join("\n"));
    assert_eq!(tally.late, 0, "packets came late: the bench is not to be trusted");
    assert!(tally.arrived * 5 > tally.packets, "too little arrives anywhere to show anything");
}

fn report(tally: &Tally, took: Duration) {
    let Tally { networks, packets, arrived, delivered, answers, sessions, .. } = tally;
    // The harness has begun a line of its own.
    println!("\n{networks} networks, {packets} packets in {:.1} s", took.as_secs_f64());
    println!("{arrived} got further than their line, {delivered} were delivered, {answers} drew answers");
    println!(
        "{} networks translate; {} single packets arrived as others, {} in conversations",
        tally.translating, tally.translated, tally.said_translated
    );
    println!("{} later packets with something certain; {} walks cut short", tally.settled, tally.cut_short);
    println!("{sessions} sessions; {} ways that the engine shows arrived", tally.witnesses);
    println!("{} of single packets: may is must; {} late", tally.exact, tally.late);
    println!("{} claims judged, {} hold", tally.claims, tally.hold);
    let seconds: Vec<String> =
        tally.seconds.iter().map(|(what, took)| format!("{what} {took:.1} s")).collect();
    println!("{}", seconds.join(", "));
    let features: Vec<String> =
        tally.coverage.iter().map(|(name, count)| format!("{name} {count}")).collect();
    println!("{}", features.join(", "));
}
