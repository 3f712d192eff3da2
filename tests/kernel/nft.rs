//! Rulesets of nftables: the kernel loads the text, `nft -j list ruleset` prints what it made of it, and the auditor reads that.
//! Packets by chance then have to fare in the model as they do in the kernel.

use super::bench::Bench;
use super::beside::{
    Probe, Seen, Sets, Spot, Walked, beside_engine, beside_interpreter, observe, observe_late, walked,
};
use super::described::{Described, describe, folder};
use super::guard::isolated;
use super::probes::Asker;
use super::spec::{Backend, NodeSpec, RouteAction, Spec};
use isoaudit::engine::Compiled;
use isoaudit::header::{Fragment, Packet, proto, tcp_flags};
use isoaudit::input;
use isoaudit::source::{Loader, SourceMap};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const PACKETS: usize = 80;

/// A router `r0` with three hosts, each on a line of its own: `h1` on line 0 with 10.1.0.2 and fd00:1::2, and so on.
fn star() -> Spec {
    let mut spec = Spec::new(Backend::Nft, true);
    let router = spec.add(NodeSpec::router("r0"));
    for number in 1..=3 {
        let mut host = NodeSpec::host(&format!("h{number}"));
        let gateways = [format!("10.{number}.0.1"), format!("fd00:{number}::1")];
        for (all, gateway) in ["0.0.0.0/0", "::/0"].iter().zip(&gateways) {
            host.route(all, RouteAction::Via(vec![gateway.parse().unwrap()]));
        }
        let host = spec.add(host);
        let of_host = [format!("10.{number}.0.2/24"), format!("fd00:{number}::2/64")];
        let of_router = [format!("{}/24", gateways[0]), format!("{}/64", gateways[1])];
        let ends = [&of_host, &of_router].map(|two| [two[0].as_str(), two[1].as_str()]);
        spec.link([host, router], [&ends[0], &ends[1]]);
    }
    spec
}

/// What a ruleset is about, its text, and whether the model is certain about every packet.
type Case = (&'static str, &'static str, bool);

const FORWARD: &str = "type filter hook forward priority 0; policy drop;";

/// Chains of one table of `inet`, and what is read of them exactly.
const CASES: &[Case] = &[
    (
        "addresses",
        r#"chain c { F ip saddr 10.1.0.0/24 accept; ip daddr != { 10.1.0.0/24, 10.2.0.2-10.2.0.9 } accept;
        }"#,
        true,
    ),
    (
        "families",
        r#"chain c { F ip6 saddr fd00:1::/64 accept; meta nfproto ipv4 ip daddr 10.3.0.2 accept; }"#,
        true,
    ),
    (
        "ports",
        r#"chain c { F ct state invalid drop; tcp dport { 22, 80-443 } accept; udp sport != 53 accept; }"#,
        true,
    ),
    (
        "either",
        r#"chain c { F ct state invalid drop; meta l4proto { tcp, udp } th dport 53 accept;
        sctp dport > 1023 accept; }"#,
        true,
    ),
    (
        "flags",
        r#"chain c { F ct state untracked drop; tcp flags & (fin|syn|rst|ack) == syn accept;
        tcp flags ! syn,ack accept; tcp flags != 0x10 tcp dport 22 accept; }"#,
        true,
    ),
    (
        "icmp",
        r#"chain c { F ct state invalid drop; icmp type { echo-request, timestamp-request } accept;
        icmpv6 type echo-request accept; icmp code 3 accept; }"#,
        true,
    ),
    (
        "states",
        r#"chain c { F ct state vmap { established : accept, related : accept, invalid : drop };
        ip daddr 10.2.0.2 ct state new accept; }"#,
        true,
    ),
    ("unequal states", r#"chain c { F ct state != established,related accept; }"#, true),
    ("set of states", r#"chain c { F ct state != { established, new } accept; }"#, true),
    (
        "interfaces",
        r#"chain c { F iifname { "eth0", "x*" } oifname "eth1" accept; iif eth2 accept;
        iifname "eth*" oifname != "eth2" udp dport 53 accept; }"#,
        true,
    ),
    (
        "named",
        r#"set s { type ipv4_addr; flags interval; elements = { 10.1.0.0/30, 10.3.0.0/16 };
        } chain c { F ip saddr @s accept; ip daddr @s udp dport 53 drop; }"#,
        true,
    ),
    (
        "pairs",
        r#"set s { type ipv4_addr . inet_service; flags interval; elements = { 10.2.0.0/24 . 22-80,
        10.3.0.2 . 443 }; } chain c { F ct state invalid drop; ip daddr . tcp dport @s accept;
        ip6 saddr . ip6 daddr { fd00:1::2 . fd00:2::2 } accept; }"#,
        true,
    ),
    (
        "triples",
        r#"chain c { F ct state invalid drop;
        ip daddr . meta l4proto . th dport vmap { 10.2.0.2 . tcp . 22 : accept,
        10.2.0.2 . udp . 53 : accept, 10.3.0.2 . tcp . 80 : drop };
        iifname . oifname != { "eth0" . "eth1" } accept; }"#,
        true,
    ),
    (
        "maps",
        r#"map m { type ifname : verdict; elements = { "eth0" : jump one, "eth1" : goto two,
        "eth2" : accept }; } chain one { udp dport 53 return; ct state invalid drop;
        ip daddr 10.2.0.2 accept; } chain two { tcp dport 22 accept; } chain c { F iifname vmap @m;
        ip daddr 10.3.0.2 accept; }"#,
        true,
    ),
    (
        "rest",
        r#"chain one { udp dport 53 accept; } chain c { F ct state invalid drop;
        ip daddr vmap { 10.2.0.0/24 : jump one, 10.3.0.2 : drop, * : accept }; }"#,
        true,
    ),
    (
        "two hooks",
        r#"chain r { type filter hook prerouting priority raw;
        iifname "eth0" ip saddr != 10.1.0.0/24 drop;
        } chain l { type filter hook postrouting priority 0; oifname "eth1" ip daddr 10.2.0.2 drop;
        } chain i { type filter hook input priority 0; policy drop; ip protocol icmp accept; }"#,
        true,
    ),
    (
        "marks of packets",
        r#"chain p { type filter hook prerouting priority mangle; tcp dport 22 meta mark set 0x1;
        udp dport 53 meta mark set meta mark | 0x10; meta mark & 0xf0 != 0 meta mark set meta mark ^ 0x3 accept;
        ip protocol icmp meta mark set 0x25; meta mark set meta mark & 0xffffff0f;
        } chain c { F ct state invalid drop; meta mark 0x1 accept; meta mark & 0xf0 == 0x10 accept;
        meta mark { 0x4-0x6 } accept; }"#,
        true,
    ),
    (
        "maps of marks",
        r#"chain m { tcp dport 22 meta mark set 0x2 return; meta mark set 0x9; } chain p {
        type filter hook prerouting priority -150; ip saddr 10.1.0.0/24 jump m; udp dport 53 meta mark set 0x4;
        } chain c { F ct state invalid drop; meta mark vmap { 0x2-0x5 : accept, 0x9 : drop };
        ip6 nexthdr tcp accept; }"#,
        false,
    ),
    (
        "marks of connections",
        r#"chain p { type filter hook prerouting priority mangle; meta mark set ct mark; meta mark != 0 accept;
        udp dport 53 meta mark set 0x3; tcp dport 22 meta mark set 0x4; ct mark set meta mark; } chain c {
        F ct state invalid drop; ct mark 0x3 accept; ct mark & 0x4 == 0x4 ip daddr 10.2.0.0/24 accept; }"#,
        false,
    ),
    (
        "one ends not all",
        r#"chain a { type filter hook forward priority -5; policy drop; ip daddr 10.2.0.0/24 accept;
        ip6 daddr fd00:2::/64 accept; } chain b { type filter hook forward priority 5; policy accept;
        udp dport 53 reject; ip saddr 10.1.0.2 drop; }"#,
        true,
    ),
    (
        "before and behind",
        r#"chain d { type nat hook prerouting priority dstnat;
        iifname "eth0" ip daddr 10.1.0.1 tcp dport 80 dnat ip to 10.2.0.2:443;
        } chain p { type filter hook prerouting priority 0; ip daddr 10.3.0.2 drop;
        } chain m { type filter hook prerouting priority mangle; tcp dport 22 drop;
        } chain c { F ip daddr 10.2.0.2 tcp dport 443 accept; ct status dnat accept;
        ip saddr 10.3.0.2 accept; ct state established accept; }"#,
        false,
    ),
    (
        "masquerade",
        r#"chain s { type nat hook postrouting priority srcnat;
        oifname "eth1" ip saddr 10.1.0.0/24 masquerade;
        oifname "eth1" ip6 saddr fd00:1::/64 snat ip6 to fd00:2::1;
        } chain c { F ct state established accept; iifname "eth0" accept; }"#,
        false,
    ),
    (
        "local",
        r#"chain c { type filter hook prerouting priority 0; fib daddr type local udp dport 53 drop;
        } chain f { F fib saddr type != local accept; }"#,
        true,
    ),
    (
        "headers of IPv6",
        r#"chain c { F ct state invalid drop; ip6 nexthdr udp accept; ip protocol { icmp, udp } accept; }"#,
        false,
    ),
    (
        "marks",
        r#"chain c { F meta mark 7 accept; ct mark set 3; limit rate 1/second udp dport 53 accept;
        ip daddr 10.2.0.2 accept; }"#,
        false,
    ),
    (
        "fragments",
        r#"chain c { F ip frag-off & 0x1fff != 0 accept; tcp dport 22 accept; udp dport != 53 accept; }"#,
        false,
    ),
    (
        "changing",
        r#"set s { type ipv4_addr; flags dynamic,timeout; timeout 1h;
        } chain c { F ip daddr 10.3.0.2 add @s { ip saddr }; ip saddr @s drop; ip daddr { 10.2.0.2,
        10.3.0.2 } accept; }"#,
        false,
    ),
    (
        "untracked",
        r#"chain r { type filter hook prerouting priority raw; udp dport 53 notrack;
        } chain c { F ct state untracked accept; ct state new tcp dport 22 accept; }"#,
        false,
    ),
    (
        "new addresses",
        r#"chain d { type nat hook prerouting priority dstnat; dnat ip to tcp dport map { 80 : 10.2.0.2,
        443 : 10.3.0.2 }; dnat ip to udp dport map { 53 : 10.3.0.2 . 1024, 22-23 : 10.2.0.2 . 8080 };
        } chain c { F ct status dnat accept; ct state established accept; }"#,
        false,
    ),
    (
        "redirect",
        r#"chain d { type nat hook prerouting priority -100; udp dport 53 redirect to :8080;
        tcp dport 80 redirect; } chain i { type filter hook input priority 0; policy drop;
        udp dport 8080 accept; ip daddr 10.1.0.1 tcp dport 80 accept; }"#,
        false,
    ),
    (
        "prefixes",
        r#"chain s { type nat hook postrouting priority srcnat;
        oifname "eth1" ip saddr 10.1.0.0/24 snat ip prefix to 10.2.0.0/24;
        ip6 saddr fd00:3::/64 snat ip6 prefix to fd00:2::/64; } chain c { F iifname { "eth0",
        "eth2" } accept; }"#,
        false,
    ),
    (
        "behind the translation",
        r#"chain s { type nat hook postrouting priority srcnat; oifname "eth1" masquerade;
        } chain p { type filter hook postrouting priority 300; ip saddr 10.2.0.1 udp dport 53 drop;
        oifname "eth0" drop; }"#,
        false,
    ),
    (
        "one priority",
        r#"chain a { type filter hook forward priority 0; ip daddr 10.2.0.2 drop;
        } chain b { type filter hook forward priority 0; ip daddr 10.2.0.2 reject; }"#,
        true,
    ),
    (
        "chains of chains",
        r#"chain three { udp dport vmap { 53 : continue, 80 : return, 22 : accept };
        ip daddr 10.3.0.2 accept; } chain two { ip saddr 10.1.0.0/24 goto three;
        ip saddr 10.2.0.2 accept; } chain one { jump two; ip6 daddr fd00:2::2 drop;
        } chain c { F ct state invalid drop; jump one; ip6 saddr fd00:1::2 accept;
        meta l4proto udp accept; }"#,
        true,
    ),
];

/// The description of a bench as if its router had no ruleset, and with the one that is loaded there.
fn described(spec: &Spec, bench: &Bench, name: &str) -> [Described; 2] {
    let there = folder(&format!("nft-{}-{}", std::process::id(), name.replace(' ', "-")));
    let open = describe(spec, bench, there.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut made = open.clone();
    let shown = bench.command(0, "nft", &["-j", "list", "ruleset"]).unwrap();
    fs::write(there.join("r0/nft.json"), shown).unwrap();
    let yaml = fs::read_to_string(there.join("topology.yaml")).unwrap();
    fs::write(there.join("topology.yaml"), yaml.replace("nftables: none", "nftables: r0/nft.json")).unwrap();
    let mut sources = SourceMap::default();
    let loader = Loader::new(&there, 1 << 24);
    let read = input::read(&mut sources, &loader, Path::new("topology.yaml"), &Default::default());
    made.network = read.unwrap_or_else(|found| panic!("{name}: {:?}", found.sorted())).network;
    [open, made]
}

/// Whether the tracker takes a packet for the first of a connection, whatever came before.
fn opens_for_certain(packet: &Packet) -> bool {
    match packet.proto {
        proto::TCP => packet.flags == tcp_flags::SYN,
        proto::ICMP => packet.icmp_type == 8,
        proto::ICMPV6 => packet.icmp_type == 128,
        proto::SCTP => false,
        _ => true,
    }
}

/// What is wrong with one ruleset, and how many packets arrived elsewhere, and how many of all the model was certain about.
fn compare(spec: &Spec, (name, text, is_exact): Case, seed: u64) -> Result<[usize; 2], String> {
    let mut bench = Bench::build(spec).map_err(|error| format!("{name}: {error}"))?;
    bench
        .load(
            0,
            &format!(
                "table inet t {{\n{}\n}}",
                text.replace(" F ", &format!(" {FORWARD} ")).replace(" chain ", "\nchain ")
            ),
        )
        .map_err(|error| format!("{name}: {error}"))?;
    let [open, described] = described(spec, &bench, name);
    let compiled = Compiled::new(&described.network);
    let mut sets: BTreeMap<usize, Sets<'_>> = BTreeMap::new();
    let mut asker = Asker::new(spec, seed);
    let mut counts = [0, 0];
    for _ in 0..PACKETS {
        let probe: Probe = asker.single();
        let is_whole = probe.packet.fragment == Fragment::Whole;
        if text.contains("type nat") && !is_whole {
            // The kernel writes the new header of a fragment into the copy that the tap of an earlier line holds.
            continue;
        }
        let of = |described: &Described, seen: &Seen| {
            walked(spec, described, &[(probe.clone(), seen.clone())]).remove(0)
        };
        let mut seen = observe(&mut bench, &probe);
        let mut walked = of(&described, &seen);
        if beside_interpreter(&probe, &seen, &walked).is_err() {
            observe_late(&mut bench, &probe, &mut seen);
            walked = of(&described, &seen);
        }
        bench.forget(0).map_err(|error| format!("{name}: {error}"))?;
        if let super::bench::From::Line { link, .. } = probe.from {
            let sets = sets.entry(link).or_insert_with(|| Sets::new(&described, &compiled, link));
            beside_engine(spec, &described, sets, &probe, &seen, &walked)
                .map_err(|what| format!("{name}: {what}"))?;
        }
        beside_interpreter(&probe, &seen, &walked).map_err(|what| format!("{name}: {what}"))?;
        let is_certain = |walked: &Walked| walked.must == [walked.may.clone()];
        let certain = is_certain(&walked);
        if is_exact && is_whole && !certain && (!text.contains("ct ") || opens_for_certain(&probe.packet)) {
            // Broadcasts, and fragments to the router itself, are not certain without any ruleset either.
            let without = of(&open, &seen);
            if is_certain(&without) {
                return Err(format!("{name}: the model is not certain of {probe}: {walked:?}"));
            }
        }
        counts[0] += usize::from(seen.arrived.iter().any(|(spot, _)| matches!(spot, Spot::Line(1 | 2))));
        counts[1] += usize::from(certain);
    }
    fs::remove_dir_all(&described.folder).map_err(|error| error.to_string())?;
    Ok(counts)
}

#[test]
fn rulesets_of_nftables_mean_what_the_kernel_does() {
    isolated("nft::rulesets_of_nftables_mean_what_the_kernel_does", || {
        let spec = star();
        let mut wrong = Vec::new();
        for (number, case) in CASES.iter().enumerate() {
            let (name, _, _) = *case;
            match compare(&spec, *case, 7 + number as u64) {
                Ok([arrived, certain]) => {
                    println!("{name}: {arrived} of {PACKETS} crossed, {certain} certain");
                    if arrived == 0 {
                        wrong.push(format!("{name}: nothing crosses"));
                    }
                }
                Err(what) => wrong.push(what),
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    });
}
