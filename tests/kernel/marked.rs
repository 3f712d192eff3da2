//! A router that marks what it passes on and what it sends itself, and sends what bears a mark another way. It tracks nothing.

use super::attacks::{from_line, packet, star};
use super::bench::From;
use super::beside::Probe;
use super::frame::Shape;
use super::spec::{RouteAction, RuleSpec, Ruleset, Spec, TableText};
use isoaudit::header::{Fragment, Packet, proto};

/// By port of the destination: what is done with it, in which table.
const RULES: [(u16, &str, &str); 9] = [
    // Dropped, but for parts that show no port.
    (8, "filter", "-A FORWARD -j DROP"),
    (1, "mangle", "-A PREROUTING -j MARK --set-mark 0x10"),
    // Only both bits together are dropped.
    (2, "mangle", "-A PREROUTING -j MARK --set-mark 0x1"),
    (2, "mangle", "-A PREROUTING -j MARK --or-mark 0x10"),
    (3, "mangle", "-A PREROUTING -j MARK --set-mark 0x23"),
    (4, "mangle", "-A PREROUTING -j MARK --set-xmark 0x10/0xf0"),
    (4, "mangle", "-A PREROUTING -j MARK --and-mark 0xf"),
    (5, "mangle", "-A OUTPUT -j MARK --set-mark 0x10"),
    (6, "filter", "-A OUTPUT -j MARK --set-mark 0x10"),
];

/// The network, and what the router and the host on its first line send there.
pub(super) fn marked() -> (Spec, Vec<Probe>) {
    let mut spec = star(3);
    let table = |name: &str, chains: &[&str], more: &[&str]| {
        let of = RULES.iter().filter(|(_, table, _)| *table == name);
        let rule = |(port, _, rule): &(u16, &str, &str)| {
            rule.replacen(" -j", &format!(" -p udp -m udp --dport {port} -j"), 1)
        };
        TableText {
            name: name.to_owned(),
            chains: chains.iter().map(|chain| format!("{chain} ACCEPT")).collect(),
            rules: of.map(rule).chain(more.iter().map(|rule| (*rule).to_owned())).collect(),
        }
    };
    let drops = ["-A FORWARD -m mark --mark 0x11 -j DROP", "-A FORWARD -m mark --mark 0x3/0xf -j DROP"];
    let tables = vec![
        table("mangle", &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"], &[]),
        table("filter", &["INPUT", "FORWARD", "OUTPUT"], &drops),
    ];
    let router = &mut spec.nodes[0];
    router.tables[0] = Ruleset { tables };
    router.route("0.0.0.0/0", RouteAction::Via(vec!["10.3.0.2".parse().unwrap()]));
    router.routes.last_mut().unwrap().table = 100;
    let (from, to, incoming) = (None, None, None);
    let mark = Some((0x10, 0xf0));
    router.rules.push(RuleSpec { priority: 100, v6: false, from, to, incoming, mark, table: Some(100) });
    let mut probes = Vec::new();
    for dport in 0..=8 {
        probes.push(from_line(0, Packet { dport, ..packet("10.1.0.2", "10.2.0.2", proto::UDP) }));
        let own = Packet { dport, ..packet("10.1.0.1", "10.2.0.2", proto::UDP) };
        probes.push(Probe {
            from: From::Own(0),
            packet: own,
            shape: Shape::plain(0xa000 + 2 * u32::from(dport)),
        });
    }
    let later = Packet { fragment: Fragment::Later, dport: 8, ..packet("10.1.0.2", "10.2.0.2", proto::UDP) };
    probes.push(from_line(0, later));
    (spec, probes)
}
