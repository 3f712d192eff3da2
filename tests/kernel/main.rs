//! The real Linux kernel beside the auditor.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "with --nocapture a test says how much it has compared")]

mod bench;
mod frame;
mod guard;
mod netlink;
mod spec;
mod sys;

use bench::{Bench, From};
use frame::Shape;
use guard::isolated;
use spec::*;
use isoaudit::header::*;

#[test]
fn smoke() {
    isolated("smoke", || {
        let mut spec = Spec::new(Backend::Nft, true);
        let mut h0 = NodeSpec::host("h0");
        h0.route("0.0.0.0/0", RouteAction::Via(vec!["10.1.0.1".parse().unwrap()]));
        let mut h1 = NodeSpec::host("h1");
        h1.route("0.0.0.0/0", RouteAction::Via(vec!["10.2.0.1".parse().unwrap()]));
        let (h0, h1) = (spec.add(h0), spec.add(h1));
        let mut r = NodeSpec::router("r0");
        r.tables[0] = Ruleset::filter(&["INPUT ACCEPT", "FORWARD DROP", "OUTPUT ACCEPT"], &["-A FORWARD -p udp -j ACCEPT"]);
        let r = spec.add(r);
        spec.link([h0, r], [&["10.1.0.20/24", "fd00:1::20/64"], &["10.1.0.1/24", "fd00:1::1/64"]]);
        spec.link([h1, r], [&["10.2.0.20/24", "fd00:2::20/64"], &["10.2.0.1/24", "fd00:2::1/64"]]);
        println!("{}", spec.yaml());
        let start = std::time::Instant::now();
        let mut bench = Bench::build(&spec).unwrap();
        println!("built in {:?}", start.elapsed());
        let p = Packet { src: "10.1.0.20".parse().unwrap(), dst: "10.2.0.20".parse().unwrap(), proto: 17, sport: 4000, dport: 80, icmp_type: 0, icmp_code: 0, flags: 0, fragment: Fragment::Whole };
        for p in [p, Packet { proto: 6, flags: 2, ..p }] {
            let start = std::time::Instant::now();
            bench.send(From::Line { link: 0, to: 1 }, &p, &Shape::plain(77)).unwrap();
            let events = bench.drain();
            println!("{:?} {events:#?}", start.elapsed());
        }
        println!("{}", bench.command(r, "ip", &["-j", "route", "show", "table", "all"]).unwrap());
    });
}
