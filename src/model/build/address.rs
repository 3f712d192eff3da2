//! Addresses: no two owners on a segment, no two networks that are different and the same.

use super::work::Work;
use crate::diag::{Code, Diagnostic};
use crate::header::{Family, address_number};
use crate::model::{InterfaceId, NodeId, SegmentId, VrfId};
use crate::source::Span;
use ipnet::IpNet;
use rustc_hash::FxHashMap;
use std::net::IpAddr;

/// The prefix of an address, and whose it is.
#[derive(Debug, Clone, Copy)]
struct Owned {
    net: IpNet,
    span: Span,
    interface: InterfaceId,
    segment: SegmentId,
}

pub(super) fn check_addresses(work: &mut Work) {
    let mut on_segment: Vec<Vec<Owned>> = vec![Vec::new(); work.network.segments.len()];
    for node in 0..work.nodes.len() {
        let node = NodeId::at(node);
        check_values(work, node);
        let mut by_vrf: FxHashMap<Option<VrfId>, Vec<Owned>> = FxHashMap::default();
        let mut order: Vec<Option<VrfId>> = Vec::new();
        for (interface, segment, address) in work.attached_addresses(node) {
            let owned = Owned { net: address.net, span: address.span, interface, segment };
            on_segment[segment.index()].push(owned);
            let vrf = work.network.interface(interface).vrf;
            by_vrf.entry(vrf).or_insert_with(|| {
                order.push(vrf);
                Vec::new()
            });
            by_vrf.entry(vrf).or_default().extend(is_network(&owned).then_some(owned));
        }
        for vrf in order {
            let networks = by_vrf.remove(&vrf).unwrap_or_default();
            for (one, other) in overlaps(networks, |one, other| one.segment != other.segment) {
                report_two_segments(work, &one, &other);
            }
        }
    }
    for owned in on_segment {
        check_owners(work, &owned);
        let networks = owned.into_iter().filter(is_network).collect();
        let differ = |one: &Owned, other: &Owned| {
            one.interface != other.interface && one.net.prefix_len() != other.net.prefix_len()
        };
        for (one, other) in overlaps(networks, differ) {
            report_two_lengths(work, &one, &other);
        }
    }
}

/// Whether the prefix stands for a network: not a lone address, and not link-local, which every segment has.
fn is_network(owned: &Owned) -> bool {
    let is_link_local = match owned.net.addr() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    !is_link_local && owned.net.prefix_len() < owned.net.max_prefix_len()
}

/// Refuses addresses that no interface can have.
fn check_values(work: &mut Work, node: NodeId) {
    for position in 0..work.network.node(node).interfaces.len() {
        let interface = work.network.interface(work.network.node(node).interfaces[position]);
        let bad =
            interface.addresses.iter().find_map(|address| why_bad(address.net).map(|why| (*address, why)));
        if let Some((address, why)) = bad {
            let message = format!("{} cannot be the address of an interface: it is {why}", address.net);
            work.findings.error(Code::Address, address.span, message, "give it an address of a host");
        }
    }
}

fn why_bad(net: IpNet) -> Option<&'static str> {
    let address = net.addr();
    if address.is_unspecified() {
        return Some("no address");
    }
    if address.is_multicast() {
        return Some("a multicast address");
    }
    let IpNet::V4(v4) = net else { return None };
    // Prefixes of 31 and 32 bits have neither (RFC 3021).
    if v4.prefix_len() > 30 {
        return None;
    }
    match v4.addr() {
        address if address == v4.network() => Some("the address of its network"),
        address if address == v4.broadcast() => Some("the broadcast address of its network"),
        _ => None,
    }
}

/// Refuses an address that two interfaces of a segment have, or that an interface has twice.
fn check_owners(work: &mut Work, owned: &[Owned]) {
    let mut first: FxHashMap<IpAddr, Owned> = FxHashMap::default();
    for own in owned {
        let address = own.net.addr();
        let Some(other) = first.get(&address) else {
            first.insert(address, *own);
            continue;
        };
        let (one, two) = (work.label(other.interface), work.label(own.interface));
        let message = match one == two {
            true => format!("`{one}` has {address} twice"),
            false => format!("`{one}` and `{two}` have the same address {address} on one segment"),
        };
        let taken = Diagnostic::error(Code::Address, own.span, message)
            .also(other.span, "the address is taken here")
            .help("give each its own; an address that moves between nodes stands at the one that has it now");
        work.findings.push(taken);
    }
}

/// Pairs of networks that overlap and of which `wrong` holds; each network is in at most one pair as the
/// second.
fn overlaps(mut networks: Vec<Owned>, wrong: impl Fn(&Owned, &Owned) -> bool) -> Vec<(Owned, Owned)> {
    // Prefixes are nested or apart: in this order the open ones are a stack, the widest lowest. It is stable.
    networks.sort_by_key(|owned| (Family::of(owned.net.addr()), owned.net.network(), owned.net.prefix_len()));
    let mut found = Vec::new();
    let mut open: Vec<Owned> = Vec::new();
    for next in networks {
        let start = address_number(next.net.network());
        let is_over = |outer: &Owned| {
            Family::of(outer.net.addr()) != Family::of(next.net.addr())
                || address_number(outer.net.broadcast()) < start
        };
        while open.last().is_some_and(is_over) {
            open.pop();
        }
        // Equal ones pile up; only the top of each length matters, so the stack stays as deep as a prefix
        // is long.
        if let Some(other) = open.iter().find(|outer| wrong(outer, &next)) {
            found.push((*other, next));
        }
        let is_known = open.last().is_some_and(|top| {
            top.net.trunc() == next.net.trunc()
                && top.segment == next.segment
                && top.interface == next.interface
        });
        if !is_known && open.iter().filter(|outer| outer.net.trunc() == next.net.trunc()).count() < 2 {
            open.push(next);
        }
    }
    found
}

fn report_two_segments(work: &mut Work, one: &Owned, other: &Owned) {
    let vrf = work.network.interface(other.interface).vrf;
    let table = match vrf {
        Some(vrf) => format!(" of VRF `{}`", work.network.vrfs[vrf.index()].name),
        None => String::new(),
    };
    let message = format!(
        "`{}` and `{}` are on different segments{table}, but their networks {} and {} overlap",
        work.label(one.interface),
        work.label(other.interface),
        one.net.trunc(),
        other.net.trunc(),
    );
    let overlap = Diagnostic::error(Code::Address, other.span, message)
        .also(one.span, "overlaps this network")
        .help("correct an address, link both to one segment, or give one of them another VRF");
    work.findings.push(overlap);
}

fn report_two_lengths(work: &mut Work, one: &Owned, other: &Owned) {
    let message = format!(
        "`{}` has {} and `{}` has {} on one segment: the networks overlap, but differ",
        work.label(one.interface),
        one.net,
        work.label(other.interface),
        other.net,
    );
    let overlap = Diagnostic::error(Code::Address, other.span, message)
        .also(one.span, "the other length is here")
        .help("give both the same length of prefix");
    work.findings.push(overlap);
}
