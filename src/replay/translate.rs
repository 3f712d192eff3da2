//! What a device makes of the addresses and ports of one packet.
//!
//! The first packet of a connection asks the rules; every later one, in both directions, becomes what the connection
//! says. What the tracker can make nothing of passes unchanged (SEMANTICS.md section 5.3).

use super::filter::{Ruling, Sight, judge};
use super::pass::Progress;
use super::state::Hit;
use super::trail::{Decision, End as WayEnd};
use super::view::View;
use crate::header::{AddressRange, Packet, address_from_number, address_number, proto};
use crate::model::translation::{End, lent_addresses};
use crate::model::{Hook, InterfaceId, NewAddress, NodeId, Stage, State, Translation};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What the tracker of a device takes a packet for, and so what translates it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Course {
    /// The first of its connection: the rules are asked.
    Fresh,
    /// None of a connection: nothing translates it.
    Plain,
    /// Of this connection: it becomes what its first packet said.
    Follows(Hit),
    /// An error about some connection (*may* only): either end may become that of any connection of the node.
    Error,
}

impl Course {
    /// The course of a packet of no connection in a state.
    pub fn of(state: State) -> Course {
        match state {
            State::New => Course::Fresh,
            State::Invalid | State::Untracked => Course::Plain,
            State::Related | State::Established => Course::Error,
        }
    }
}

/// Values that a translation chooses from, where it is free to choose. Nobody can follow all of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// Addresses.
    pub addresses: BTreeSet<IpAddr>,
    /// Ports.
    pub ports: BTreeSet<u16>,
}

impl Values {
    /// Everything that stands in some of these packets.
    pub fn of<'p>(packets: impl IntoIterator<Item = &'p Packet>) -> Values {
        let mut values = Values::default();
        for packet in packets {
            values.addresses.extend([packet.src, packet.dst]);
            values.ports.extend([packet.sport, packet.dport]);
        }
        values
    }
}

/// Pools of more addresses than this are not followed one by one.
const MOST_CHOICES: u128 = 16;

/// Where in its walk a packet is translated.
pub(super) struct Spot<'a> {
    pub(super) hooks: &'a [Hook],
    pub(super) end: End,
    /// The interface whose address a translation may borrow.
    pub(super) lender: Option<InterfaceId>,
    /// The ends of the connections of the node.
    pub(super) peers: &'a [IpAddr],
}

/// A packet as it goes on from a spot, with what was decided about it.
pub(super) type Form = (Packet, Progress);

/// Everything that a packet may become at a spot. What drops it there is added to `stops`.
pub(super) fn forms(
    view: &View<'_>,
    spot: &Spot<'_>,
    sight: &Sight<'_>,
    course: Course,
    progress: Progress,
    stops: &mut Vec<super::way::Way>,
) -> Vec<Form> {
    let packet = sight.packet;
    if !view.translates(sight.node) {
        return vec![(*packet, progress)];
    }
    match course {
        Course::Plain => vec![(*packet, progress)],
        Course::Follows(hit) => {
            let becomes = match spot.end {
                End::Source => hit.outgoing(packet),
                End::Destination => hit.incoming(packet),
            };
            vec![(becomes, progress)]
        }
        Course::Error => {
            let same_family = spot.peers.iter().filter(|peer| peer.is_ipv4() == packet.src.is_ipv4());
            let others = same_family.map(|peer| with_address(packet, spot.end, *peer));
            let all: BTreeSet<Packet> = std::iter::once(*packet).chain(others).collect();
            all.into_iter().map(|form| (form, progress.clone())).collect()
        }
        Course::Fresh => by_rules(view, spot, sight, progress, stops),
    }
}

/// The first packet of a connection: hook by hook, until one translates it.
fn by_rules(
    view: &View<'_>,
    spot: &Spot<'_>,
    sight: &Sight<'_>,
    progress: Progress,
    stops: &mut Vec<super::way::Way>,
) -> Vec<Form> {
    let packet = sight.packet;
    let mut found = Vec::new();
    let marks = progress.marks;
    let mut left = vec![progress];
    let binding = spot.hooks.iter().filter(|hook| hook.family.is_none_or(|family| family == packet.family()));
    for hook in binding {
        let judged = judge(view, *hook, &Sight { marks, ..*sight });
        let mut passing = Vec::new();
        for progress in left {
            if judged.outcomes.is_empty() {
                stops.push(progress.stop(packet, WayEnd::Uncertain(judged.stuck.clone())));
            }
            for judgement in &judged.outcomes {
                let mut next = progress.clone();
                match judgement.ruling {
                    Ruling::Accept => {
                        let doubt = judgement.uncertain.clone();
                        if !doubt.is_empty() {
                            next.note(Decision::Untranslated(doubt));
                        }
                        passing.push(next);
                    }
                    Ruling::Translate(index) => {
                        let translation = &view.network.filter(hook.filter).translations[index];
                        next.note(Decision::Translated {
                            judgement: judgement.clone(),
                            end: translation.end,
                        });
                        let forms = becomes(view, translation, spot.lender, packet);
                        found.extend(forms.into_iter().map(|form| (form, next.clone())));
                    }
                    Ruling::Drop | Ruling::Reject => {
                        let end = WayEnd::Filtered { stage: stage(spot.end), judgement: judgement.clone() };
                        stops.push(next.stop(packet, end));
                    }
                }
            }
        }
        left = passing;
    }
    for progress in left {
        found.extend(kept(view, spot.end, packet).into_iter().map(|form| (form, progress.clone())));
    }
    found
}

/// The stage of the walk that a report names for what a translating chain drops.
fn stage(end: End) -> Stage {
    match end {
        End::Source => Stage::Egress,
        End::Destination => Stage::Prerouting,
    }
}

/// A packet that no rule translates. A device that translates others may give it another source port, if that of
/// another connection is the same behind the translation.
fn kept(view: &View<'_>, end: End, packet: &Packet) -> Vec<Packet> {
    let collides = end == End::Source && view.is_may() && proto::has_ports(packet.proto);
    if collides { ports(view, end, packet, None, true) } else { vec![*packet] }
}

/// Everything that a translation may make of a packet.
fn becomes(
    view: &View<'_>,
    translation: &Translation,
    lender: Option<InterfaceId>,
    packet: &Packet,
) -> Vec<Packet> {
    let old = if translation.end == End::Source { packet.src } else { packet.dst };
    let addresses = match translation.to {
        _ if !translation.is_for(packet.family()) => Vec::new(),
        NewAddress::Kept => vec![old],
        NewAddress::Range(range) => choose(view, range),
        NewAddress::Prefix(net) => vec![mapped(net, old)],
        NewAddress::Interface => {
            let Some(lender) = lender else { return Vec::new() };
            let lent = lent_addresses(view.network, lender, packet.family());
            if view.is_may() && lent.is_empty() {
                // It may have one that nobody described.
                return forms_with(
                    view,
                    translation,
                    packet,
                    choose(view, AddressRange::all(packet.family())),
                );
            }
            // Which of several it is, its routes decide.
            let is_certain = view.is_may() || lent.len() == 1;
            if is_certain { lent.iter().map(|range| range.low).collect() } else { Vec::new() }
        }
    };
    forms_with(view, translation, packet, addresses)
}

/// The packet with each of these addresses, and with any port that it may be given then.
fn forms_with(
    view: &View<'_>,
    translation: &Translation,
    packet: &Packet,
    addresses: Vec<IpAddr>,
) -> Vec<Packet> {
    let mut all = BTreeSet::new();
    for address in addresses {
        let moved = with_address(packet, translation.end, address);
        if !proto::has_ports(packet.proto) {
            all.insert(moved);
            continue;
        }
        let any = translation.random
            || (view.is_may() && (translation.end == End::Source || translation.ports.is_some()));
        all.extend(ports(view, translation.end, &moved, translation.ports, any));
    }
    all.into_iter().collect()
}

fn choose(view: &View<'_>, range: AddressRange) -> Vec<IpAddr> {
    match &view.values {
        Some(values) => {
            let mut fitting: BTreeSet<IpAddr> =
                values.addresses.iter().copied().filter(|address| range.contains(*address)).collect();
            if range.low == range.high {
                fitting.insert(range.low);
            }
            fitting.into_iter().collect()
        }
        None => {
            let (low, high) = (address_number(range.low), address_number(range.high));
            let family = range.family();
            if high - low < MOST_CHOICES {
                return (low..=high).map(|number| address_from_number(family, number)).collect();
            }
            // Both ends stand for a large pool where one is enough. What happens for all of it is not found out.
            if view.is_may() { vec![range.low, range.high] } else { Vec::new() }
        }
    }
}

/// The packet with any port that it may be given: of a range, or the old one if that will do and `any` does not say
/// otherwise.
fn ports(view: &View<'_>, end: End, packet: &Packet, range: Option<(u16, u16)>, any: bool) -> Vec<Packet> {
    let old = if end == End::Source { packet.sport } else { packet.dport };
    let (low, high) = range.unwrap_or((0, u16::MAX));
    let fits = |port: &u16| (low..=high).contains(port);
    if fits(&old) && !any {
        return vec![*packet];
    }
    let mut chosen: BTreeSet<u16> = match &view.values {
        Some(values) => values.ports.iter().copied().filter(fits).collect(),
        None => BTreeSet::new(),
    };
    if fits(&old) {
        chosen.insert(old);
    }
    if chosen.is_empty() || low == high {
        chosen.insert(low);
    }
    chosen.into_iter().map(|port| with_port(packet, end, port)).collect()
}

fn with_address(packet: &Packet, end: End, address: IpAddr) -> Packet {
    match end {
        End::Source => Packet { src: address, ..*packet },
        End::Destination => Packet { dst: address, ..*packet },
    }
}

fn with_port(packet: &Packet, end: End, port: u16) -> Packet {
    match end {
        End::Source => Packet { sport: port, ..*packet },
        End::Destination => Packet { dport: port, ..*packet },
    }
}

/// An address with the first bits of a prefix.
fn mapped(net: IpNet, old: IpAddr) -> IpAddr {
    let host = address_number(net.hostmask());
    let number = (address_number(net.network()) & !host) | (address_number(old) & host);
    address_from_number(crate::header::Family::of(old), number)
}

/// The ends of the connections of a node, for [`Spot::peers`]; none are asked for of a node that translates nothing.
pub(super) fn peers(view: &View<'_>, tables: &super::state::Tables, node: NodeId) -> Vec<IpAddr> {
    if view.translates(node) { tables.peers(node).collect() } else { Vec::new() }
}
