//! The naive interpreter as an oracle: its own laws, and another interpreter beside it on random networks.

mod support;

use isoaudit::model::Reading;
use support::compare::{MAX_UNIVERSE, naive, places};
use support::random::{Case, case};
use support::universe::universe;

#[test]
fn sizes() {
    let mut total = 0;
    let mut big = 0;
    let t = std::time::Instant::now();
    let mut arrivals = [0, 0];
    for seed in 0..200 {
        let Case { network, question } = case(seed);
        let packets = universe(&network, &question);
        if packets.len() > MAX_UNIVERSE { big += 1; continue; }
        total += packets.len();
        let t1 = std::time::Instant::now();
        for (k, reading) in [Reading::Must, Reading::May].into_iter().enumerate() {
            let r = naive(&network, reading, &question, &packets);
            arrivals[k] += places(&network).iter().map(|p| packets.iter().filter(|q| r.holds(*p, q)).count()).sum::<usize>();
        }
        eprintln!("{seed}: {} packets {:?}", packets.len(), t1.elapsed());
    }
    eprintln!("total {total}, big {big}, {:?} {arrivals:?}", t.elapsed());
}
