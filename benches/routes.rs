//! Large routing tables: compiled to packet sets by the engine, beside filling a prefix trie (`prefix-trie`) with them.
//!
//! `cargo bench --bench routes` takes 500,000 IPv4 and 100,000 IPv6 routes with prefix lengths as in a full BGP table and
//! 64 next hops; `-- 50000` takes another number (a fifth of it for IPv6). Each runs in a process of its own. Both are
//! then asked for the way to the same addresses, and must agree. What is held is, for us, what the sets and their memo
//! hold; for the trie, by how much the process grew.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "a benchmark talks to a terminal")]

mod measure;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use isoaudit::diag::Diagnostics;
use isoaudit::header::{Family, Fragment, Packet, proto};
use isoaudit::model::build::{
    AddressSpec, Destination, HopSpec, InterfaceSpec, NetworkBuilder, NodeSpec, RouteActionSpec, RouteSpec,
};
use isoaudit::model::{Network, Reading};
use isoaudit::source::{SourceId, Span, Spanned};
use measure::{Outcome, Random, value};
use prefix_trie::PrefixMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const ROUNDS: usize = 5;
const HOPS: usize = 64;
/// Addresses that both are asked for.
const QUESTIONS: usize = 20_000;

fn main() -> Outcome<()> {
    if let Some(words) = measure::child() {
        let [way, family, count] = &words[..] else { return Err("a child has three words".into()) };
        let routes = routes(if family == "IPv4" { Family::V4 } else { Family::V6 }, count.parse()?)?;
        return if way == "ours" { ours(&routes) } else { trie(&routes) };
    }
    let count = measure::number(500_000);
    for (family, count) in [("IPv4", count), ("IPv6", count / 5)] {
        let size = count.to_string();
        let contenders = [vec!["ours", family, &size], vec!["trie", family, &size]];
        let found = measure::medians(&contenders, ROUNDS)?;
        println!("\n{count} routes, {family}\n{:<24} {:>10} {:>10}", "", "ours", "trie");
        for name in ["seconds", "held MB", "nodes"] {
            println!("{name:<24} {:>10.3} {:>10.3}", value(&found[0], name), value(&found[1], name));
        }
        if value(&found[0], "answers").total_cmp(&value(&found[1], "answers")).is_ne() {
            return Err("they do not agree".into());
        }
        println!("they agree on {QUESTIONS} addresses");
    }
    Ok(())
}

/// Routes of different prefixes, each with the number of its next hop. The lengths are those of the tables that CIDR
/// Report and RIPE RIS publish, roughly: of IPv4 six in ten are /24, of IPv6 half are /48. Neighbouring prefixes often share
/// their next hop, and most prefixes lie in a small part of the space.
fn routes(family: Family, count: usize) -> Outcome<Vec<(IpNet, usize)>> {
    let lengths: &[(u8, usize)] = match family {
        Family::V4 => &[(24, 60), (23, 10), (22, 12), (21, 5), (20, 5), (19, 3), (18, 2), (17, 1), (16, 2)],
        Family::V6 => &[(48, 48), (44, 9), (40, 8), (36, 5), (32, 20), (46, 5), (47, 3), (29, 2)],
    };
    let table: Vec<u8> =
        lengths.iter().flat_map(|(length, share)| std::iter::repeat_n(*length, *share)).collect();
    let mut random = Random(count as u64);
    let mut all = Vec::with_capacity(count);
    let mut block = (0_u128, 0);
    while all.len() < count {
        if random.percent(10) {
            block = (u128::from(random.next()), random.skewed(HOPS));
        }
        let length = table[random.below(table.len())];
        let hop = if random.percent(70) { block.1 } else { random.skewed(HOPS) };
        let prefix = match family {
            Family::V4 => {
                let base = (1 << 24) + (block.0 as u32 % (222 << 24));
                let address = base & 0xfff0_0000 | (random.next() as u32) & 0x000f_ffff;
                Ipv4Net::new(Ipv4Addr::from(address), length).map(IpNet::from)?
            }
            Family::V6 => {
                let base = 0x2000_u128 << 112 | (block.0 % (1 << 28)) << 96;
                let address = base | u128::from(random.next()) << 32;
                Ipv6Net::new(Ipv6Addr::from(address), length).map(IpNet::from)?
            }
        }
        .trunc();
        all.push((prefix, hop));
        if all.len() == count {
            // No other structure is freed here, for its memory would be taken again and not be seen.
            all.sort_unstable();
            all.dedup_by_key(|(prefix, _)| *prefix);
        }
    }
    // As a router lists them: in no order that helps.
    for position in (1..all.len()).rev() {
        all.swap(position, random.below(position + 1));
    }
    Ok(all)
}

/// Addresses at the borders of prefixes, where a wrong one shows.
fn questions(routes: &[(IpNet, usize)]) -> Vec<IpAddr> {
    let mut random = Random(3);
    let mut pick = || {
        let (prefix, _) = routes[random.below(routes.len())];
        let ends = [prefix.network(), prefix.broadcast()];
        ends[random.below(2)]
    };
    (0..QUESTIONS).map(|_| pick()).collect()
}

/// A hash of the next hops in order; 64 stands for none.
fn fold(hops: impl Iterator<Item = usize>) -> f64 {
    let hash =
        hops.fold(0xcbf2_9ce4_8422_2325_u64, |hash, hop| (hash ^ hop as u64).wrapping_mul(0x0100_0000_01b3));
    (hash % (1 << 50)) as f64
}

fn trie(routes: &[(IpNet, usize)]) -> Outcome<()> {
    let questions = questions(routes);
    match routes.first() {
        Some((IpNet::V4(_), _)) => {
            let own = routes.iter().filter_map(|(prefix, hop)| match prefix {
                IpNet::V4(prefix) => Some((*prefix, *hop as u32)),
                IpNet::V6(_) => None,
            });
            let (map, rows) = fill(own.collect());
            let hop = |address: &IpAddr| match address {
                IpAddr::V4(address) => {
                    map.get_lpm(&Ipv4Net::from(*address)).map_or(HOPS, |(_, hop)| *hop as usize)
                }
                IpAddr::V6(_) => HOPS,
            };
            measure::tell(&[rows[0], rows[1], rows[2], ("answers", fold(questions.iter().map(hop)))]);
        }
        _ => {
            let own = routes.iter().filter_map(|(prefix, hop)| match prefix {
                IpNet::V6(prefix) => Some((*prefix, *hop as u32)),
                IpNet::V4(_) => None,
            });
            let (map, rows) = fill(own.collect());
            let hop = |address: &IpAddr| match address {
                IpAddr::V6(address) => {
                    map.get_lpm(&Ipv6Net::from(*address)).map_or(HOPS, |(_, hop)| *hop as usize)
                }
                IpAddr::V4(_) => HOPS,
            };
            measure::tell(&[rows[0], rows[1], rows[2], ("answers", fold(questions.iter().map(hop)))]);
        }
    }
    Ok(())
}

fn fill<P: prefix_trie::Prefix>(routes: Vec<(P, u32)>) -> (PrefixMap<P, u32>, [(&'static str, f64); 3]) {
    let (memory, start) = (measure::peak_memory(), measure::clock());
    let mut map = PrefixMap::new();
    for (prefix, hop) in routes {
        map.insert(prefix, hop);
    }
    let seconds = measure::clock() - start;
    let rows =
        [("seconds", seconds), ("held MB", measure::peak_memory() - memory), ("nodes", map.len() as f64)];
    (map, rows)
}

fn ours(routes: &[(IpNet, usize)]) -> Outcome<()> {
    let questions = questions(routes);
    let network = network(routes)?;
    let (router, _) = network.nodes_by_id().next().ok_or("no router")?;
    let start = measure::clock();
    let (space, sends) = isoaudit::engine::route_sets(&network, router, Reading::May);
    let seconds = measure::clock() - start;
    space.status()?;
    let hop = |address: &IpAddr| {
        let packet = Packet {
            src: *address,
            dst: *address,
            proto: proto::UDP,
            sport: 1,
            dport: 1,
            icmp_type: 0,
            icmp_code: 0,
            flags: 0,
            fragment: Fragment::Whole,
        };
        let way = sends.iter().find(|(_, set)| space.contains(*set, &packet));
        way.map_or(HOPS, |(hop, _)| hop.interface.index())
    };
    measure::tell(&[
        ("seconds", seconds),
        ("held MB", space.bytes() as f64 / 1e6),
        ("nodes", space.len() as f64),
        ("answers", fold(questions.iter().map(hop))),
    ]);
    Ok(())
}

/// A router with an interface for each next hop, and these routes.
fn network(routes: &[(IpNet, usize)]) -> Outcome<Network> {
    let span = Span::new(SourceId(0), 0, 0);
    let named = |name: String| Spanned::new(name, span);
    let mut router = NodeSpec::new(named("r".to_owned()));
    router.role = Some(named("router".to_owned()));
    router.kind = Some(named("linux".to_owned()));
    router.connected = [false; 2];
    for hop in 0..HOPS {
        let mut interface = InterfaceSpec::new(named(format!("eth{hop}")));
        let net = Ipv4Net::new(Ipv4Addr::new(240, 0, hop as u8, 1), 24)?;
        interface.addresses.push(AddressSpec::new(net.into(), span));
        router.interfaces.push(interface);
    }
    let route = |(prefix, hop): &(IpNet, usize)| {
        let hop = HopSpec { via: None, interface: Some(named(format!("eth{hop}"))) };
        RouteSpec::new(
            span,
            Spanned::new(Destination::Prefix(*prefix), span),
            RouteActionSpec::Send(vec![hop]),
        )
    };
    router.routes = routes.iter().map(route).collect();
    let mut builder = NetworkBuilder::new("table");
    builder.add_node(router);
    let mut out = Diagnostics::default();
    builder.build(&mut out).ok_or_else(|| format!("{:?}", out.sorted().first()).into())
}
