//! A router that translates what it passes on and what it sends itself, some of that though it is for itself: which list
//! sees a packet as what, and by which interface.

use super::attacks::{from_line, packet, star};
use super::bench::From;
use super::beside::Probe;
use super::frame::Shape;
use super::spec::{Ruleset, Spec, TableText};
use isoaudit::header::{Packet, proto};

/// What is sent to each of the first three goes to `h2` on the line `eth1`, the last of them home.
const TRANSLATED: [&str; 3] = ["10.1.0.2", "10.1.0.1", "10.1.0.9"];

/// By port of the destination: what drops it, in which table.
const DROPS: [(u16, &str, &str); 10] = [
    (1, "filter", "-A OUTPUT -o lo"),
    (2, "filter", "-A OUTPUT -o eth0"),
    (3, "filter", "-A OUTPUT -o eth1"),
    (4, "filter", "-A OUTPUT -d 10.1.0.0/30"),
    (5, "filter", "-A OUTPUT -d 10.2.0.2"),
    (6, "mangle", "-A OUTPUT -d 10.1.0.0/30"),
    (7, "mangle", "-A OUTPUT -d 10.2.0.2"),
    (8, "mangle", "-A POSTROUTING -o eth1"),
    (10, "mangle", "-A PREROUTING -d 10.1.0.0/30"),
    (11, "mangle", "-A PREROUTING -d 10.2.0.2"),
];

/// The network, and what the router and the host on its first line send there.
pub(super) fn ordered() -> (Spec, Vec<Probe>) {
    let mut spec = star(2);
    let table = |name: &str, chains: &[&str], rules: Vec<String>| TableText {
        name: name.to_owned(),
        chains: chains.iter().map(|chain| format!("{chain} ACCEPT")).collect(),
        rules,
    };
    let drops = |name: &str| {
        let of = DROPS.iter().filter(|(_, table, _)| *table == name);
        of.map(|(port, _, rule)| format!("{rule} -p udp -m udp --dport {port} -j DROP")).collect()
    };
    let to_other =
        TRANSLATED[..2].iter().map(|to| format!("-A OUTPUT -d {to} -j DNAT --to-destination 10.2.0.2"));
    let mut nat: Vec<String> = to_other.collect();
    nat.push(format!("-A PREROUTING -d {} -j DNAT --to-destination 10.2.0.2", TRANSLATED[1]));
    nat.push(format!("-A OUTPUT -d {} -j DNAT --to-destination 10.2.0.1", TRANSLATED[2]));
    let tables = vec![
        table("mangle", &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"], drops("mangle")),
        table("nat", &["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"], nat),
        table("filter", &["INPUT", "FORWARD", "OUTPUT"], drops("filter")),
    ];
    spec.nodes[0].tables[0] = Ruleset { tables };
    let mut probes = Vec::new();
    for to in TRANSLATED.iter().copied().chain(["10.2.0.2"]) {
        for dport in 0..=9 {
            let packet = Packet { dport, ..packet("10.1.0.1", to, proto::UDP) };
            let shape = Shape::plain(0x9000 + 2 * probes.len() as u32);
            probes.push(Probe { from: From::Own(0), packet, shape });
        }
    }
    for dport in 9..=12 {
        probes.push(from_line(0, Packet { dport, ..packet("10.1.0.2", TRANSLATED[1], proto::UDP) }));
    }
    (spec, probes)
}
