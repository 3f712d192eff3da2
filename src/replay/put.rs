//! Putting a packet on a segment, and who receives it there.

use super::view::View;
use crate::header::Packet;
use crate::model::{Assumption, Existence, InterfaceId, Role, SegmentId, UnknownId};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// Why somebody receives a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// The sender chose them: it stands there.
    Chosen,
    /// The destination is a group, such as a broadcast address.
    Group,
    /// The adversary on the segment draws it to them (forged ARP).
    Forged,
    /// They have the address of the next hop.
    Neighbour(IpAddr),
    /// Nobody described has the address of the next hop, and the internet is here.
    Internet(IpAddr),
    /// Nobody has the address of the next hop.
    Nobody(IpAddr),
    /// The segment may be joined with the one that it was put on.
    Joined(UnknownId),
    /// Somebody may announce a route by any neighbour.
    Announced,
    /// It named its next station itself.
    SourceRouted,
}

/// A packet on one segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Landing {
    /// The segment.
    pub segment: SegmentId,
    /// The interfaces that receive it, in order.
    pub receivers: Vec<InterfaceId>,
    /// Why.
    pub reason: Reason,
}

/// What comes of putting a packet on a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Put {
    /// The segment itself first, then those that may be joined with it.
    pub landings: Vec<Landing>,
    /// Whether somebody that nobody described may have it and answer with anything.
    pub undescribed: bool,
}

/// Puts a packet on a segment for a next hop. `sender` is the interface it leaves by.
pub fn put(
    view: &View<'_>,
    segment: SegmentId,
    packet: &Packet,
    sender: Option<InterfaceId>,
    next_hop: IpAddr,
) -> Put {
    let others: Vec<InterfaceId> = view.attached(segment).filter(|i| Some(*i) != sender).collect();
    let (receivers, reason) = if is_group(view, segment, packet.dst) {
        (others, Reason::Group)
    } else if view.can_forge_neighbours(segment) {
        (others, Reason::Forged)
    } else {
        neighbours(view, segment, &others, next_hop)
    };
    let undescribed = view.is_may()
        && matches!(reason, Reason::Nobody(_))
        && next_hop == packet.dst
        && !view.network.assumes(Assumption::StaticNeighbours);
    let mut landings = vec![Landing { segment, receivers, reason }];
    landings.extend(joined(view, segment));
    Put { landings, undescribed }
}

/// Those who have the address; else the internet, if it is there; else nobody.
fn neighbours(
    view: &View<'_>,
    segment: SegmentId,
    others: &[InterfaceId],
    next_hop: IpAddr,
) -> (Vec<InterfaceId>, Reason) {
    let those = |test: &dyn Fn(InterfaceId) -> bool| -> Vec<InterfaceId> {
        others.iter().copied().filter(|i| test(*i)).collect()
    };
    let owners = those(&|i| view.has_address(i, next_hop));
    if !owners.is_empty() {
        return (owners, Reason::Neighbour(next_hop));
    }
    // Somebody who is only possibly there may have it before the internet does.
    let all = view.network.segment(segment).attached.iter();
    if all.filter(|i| !others.contains(i)).any(|i| !exists(view, *i) && view.has_address(*i, next_hop)) {
        return (Vec::new(), Reason::Nobody(next_hop));
    }
    let internet = those(&|i| view.network.node(view.network.interface(i).node).role == Role::Internet);
    if internet.is_empty() {
        return (Vec::new(), Reason::Nobody(next_hop));
    }
    (internet, Reason::Internet(next_hop))
}

fn exists(view: &View<'_>, interface: InterfaceId) -> bool {
    view.node_exists(view.network.interface(interface).node)
}

/// Puts a packet on a segment so that everybody there but the sender receives it.
pub fn flood(view: &View<'_>, segment: SegmentId, sender: Option<InterfaceId>, reason: Reason) -> Put {
    let receivers = view.attached(segment).filter(|i| Some(*i) != sender).collect();
    let mut landings = vec![Landing { segment, receivers, reason }];
    landings.extend(joined(view, segment));
    Put { landings, undescribed: false }
}

/// The segments that a packet on this one may get to without any device, directly or through others.
fn joined(view: &View<'_>, segment: SegmentId) -> Vec<Landing> {
    let mut landings = Vec::new();
    if !view.is_may() {
        return landings;
    }
    let mut seen = BTreeSet::from([segment]);
    let mut next = vec![segment];
    while let Some(at) = next.pop() {
        for join in &view.network.segment(at).joins {
            if seen.insert(join.to) {
                next.push(join.to);
                let receivers = view.attached(join.to).collect();
                landings.push(Landing { segment: join.to, receivers, reason: Reason::Joined(join.unknown) });
            }
        }
    }
    landings
}

/// Whether everybody on the segment takes such a destination: multicast, or a broadcast address of it.
pub fn is_group(view: &View<'_>, segment: SegmentId, dst: IpAddr) -> bool {
    let IpAddr::V4(address) = dst else { return dst.is_multicast() };
    address.is_multicast()
        || address.is_broadcast()
        || described(view, segment).any(|interface| is_directed_broadcast(view, interface, dst))
}

/// The interfaces that are certainly there. Who may be there tells nobody else what is a broadcast address.
fn described<'v>(view: &'v View<'_>, segment: SegmentId) -> impl Iterator<Item = InterfaceId> + 'v {
    let is_described = |id: &InterfaceId| {
        view.network.node(view.network.interface(*id).node).existence == Existence::Described
    };
    view.attached(segment).filter(is_described)
}

/// Whether the address is the broadcast address of a prefix of the interface. Prefixes of one or two addresses
/// have none (RFC 3021).
fn is_directed_broadcast(view: &View<'_>, interface: InterfaceId, address: IpAddr) -> bool {
    let v4 = view.network.interface(interface).addresses.iter().filter(|own| own.net.addr().is_ipv4());
    v4.filter(|own| own.net.prefix_len() <= 30).any(|own| own.net.broadcast() == address)
}
