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

/// What takes longer is worth a word.
const SLOW: Duration = Duration::from_secs(5);

/// Compares so many networks with so many packets each, or for `ISOAUDIT_KERNEL_SOAK` seconds as many as there are; the first by
/// `ISOAUDIT_KERNEL_SEED`. With `ISOAUDIT_KERNEL_ENGINE=1` the engine says something about all of them.
pub(crate) fn many(networks: u64, packets: usize) {
    let start = Instant::now();
    let soak = setting("ISOAUDIT_KERNEL_SOAK").map(Duration::from_secs);
    let networks = setting("ISOAUDIT_KERNEL_NETWORKS").unwrap_or(networks);
    let first = setting("ISOAUDIT_KERNEL_SEED").unwrap_or(1);
    let whole = setting("ISOAUDIT_KERNEL_ENGINE").is_some_and(|asked| asked > 0);
    let mut tally = Tally::default();
    let mut failures = Vec::new();
    for seed in first.. {
        let enough = soak.map_or(seed - first >= networks, |soak| start.elapsed() >= soak);
        if enough || failures.len() >= MOST_FAILURES {
            break;
        }
        let spec = network(seed, &mut tally.coverage);
        let begun = Instant::now();
        // Where ports may be anything, there are many ways to walk.
        let packets = if soak.is_none() && spec.translates() { packets / 3 } else { packets };
        let found = one(&spec, seed, packets, whole, &mut tally);
        if begun.elapsed() > SLOW {
            println!("seed {seed} took {:.1} s", begun.elapsed().as_secs_f64());
        }
        if let Err(found) = found {
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
        "{} networks translate, {} are looked at by the engine; {} single packets arrived as others, {} in conversations",
        tally.translating, tally.whole, tally.translated, tally.said_translated
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
