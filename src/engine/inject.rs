//! What senders may send, and other sets that every run needs.

use super::query::{FreeFlow, Place, Query};
use super::view::View;
use crate::header::{AddressRange, Family, proto};
use crate::model::{Existence, Network, NodeId, Segment, SegmentId};
use crate::set::{Field, Set, Side, Space};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr};

/// fe80::/10 (RFC 4291 section 2.5.6).
pub(super) const LINK_LOCAL_V6: ipnet::IpNet =
    ipnet::IpNet::V6(ipnet::Ipv6Net::new_assert(std::net::Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10));

/// Every packet that the sender at a place may send under a query.
pub(super) fn packets(view: &mut View<'_>, query: &Query, place: Place) -> Set {
    if !query.own_sources {
        return Set::FULL;
    }
    let own = own_sources(view.compiled.network, query, place);
    view.space.addresses(Side::Src, &own)
}

/// The addresses that a sender at a place may call its own.
pub fn own_sources(network: &Network, query: &Query, place: Place) -> Vec<AddressRange> {
    match place {
        Place::Node(id) => node_sources(network, id),
        Place::Segment(id) => segment_sources(network, query, id),
    }
}

/// The packets of honest senders that count for a query.
pub(super) fn wanted(space: &mut Space, query: &Query) -> Set {
    let services = super::rules::services_set(space, &query.services);
    if query.destinations.is_empty() {
        return services;
    }
    let to = space.addresses(Side::Dst, &query.destinations);
    space.intersect(services, to)
}

/// The own addresses of a node; those of the internet are the public ones that nobody described.
fn node_sources(network: &Network, id: NodeId) -> Vec<AddressRange> {
    if network.node(id).role == crate::model::Role::Internet {
        return strangers(network);
    }
    network.own_addresses(id).map(AddressRange::single).collect()
}

/// The addresses that somebody on a segment may call its own: those of the adversary's nodes there, or else any
/// address of its prefixes that no described interface has.
fn segment_sources(network: &Network, query: &Query, id: SegmentId) -> Vec<AddressRange> {
    let attached = &network.segment(id).attached;
    let taken = |interface: &&crate::model::InterfaceId| {
        query.footholds.nodes[network.interface(**interface).node.index()]
    };
    let mut own: Vec<AddressRange> = Vec::new();
    for interface in attached.iter().filter(taken) {
        let node = network.interface(*interface).node;
        if network.node(node).role == crate::model::Role::Internet {
            own.extend(strangers(network));
        }
        own.extend(
            network.interface(*interface).addresses.iter().map(|a| AddressRange::single(a.net.addr())),
        );
    }
    if own.is_empty() { undescribed_sources(network, id) } else { own }
}

/// The addresses of hosts on a segment that nobody described: those of its prefixes that no interface there has.
pub(super) fn undescribed_sources(network: &Network, id: SegmentId) -> Vec<AddressRange> {
    let attached = &network.segment(id).attached;
    let addresses = || attached.iter().flat_map(|i| network.interface(*i).addresses.iter());
    let used: Vec<IpAddr> = addresses().map(|a| a.net.addr()).collect();
    addresses().flat_map(|a| free_hosts(a.net.trunc(), &used)).collect()
}

/// Host addresses of a prefix that are not in use, as ranges.
fn free_hosts(prefix: IpNet, used: &[IpAddr]) -> Vec<AddressRange> {
    use crate::header::{address_from_number, address_number};
    let family = Family::of(prefix.addr());
    let mut low = address_number(prefix.network());
    let mut high = address_number(prefix.broadcast());
    if family == Family::V4 && high - low > 2 {
        low += 1;
        high -= 1;
    }
    let mut used: Vec<u128> =
        used.iter().filter(|a| prefix.contains(*a)).map(|a| address_number(*a)).collect();
    used.sort_unstable();
    let mut free = Vec::new();
    for taken in used {
        if taken > low {
            free.push((low, taken - 1));
        }
        low = low.max(taken.saturating_add(1));
    }
    if low <= high {
        free.push((low, high));
    }
    let range = |(low, high): (u128, u128)| AddressRange {
        low: address_from_number(family, low),
        high: address_from_number(family, high),
    };
    free.into_iter().filter(|(low, high)| low <= high).map(range).collect()
}

/// Prefixes that are not on the public internet (RFC 6890), besides those of the description.
const NOT_PUBLIC: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "224.0.0.0/3",
];

/// Public addresses outside every prefix of the description: those of strangers on the internet.
fn strangers(network: &Network) -> Vec<AddressRange> {
    use crate::header::{address_from_number, address_number};
    let described = network.interfaces.iter().flat_map(|i| i.addresses.iter().map(|a| a.net.trunc()));
    let mut taken: Vec<IpNet> = described.collect();
    taken.extend(NOT_PUBLIC.iter().filter_map(|text| text.parse::<IpNet>().ok()));
    let mut free = Vec::new();
    for (family, low, high) in
        [(Family::V4, 0, u128::from(u32::MAX)), (Family::V6, 0x2 << 124, (0x4 << 124) - 1)]
    {
        let mut edges: Vec<(u128, u128)> = taken
            .iter()
            .filter(|net| Family::of(net.addr()) == family)
            .map(|net| (address_number(net.network()), address_number(net.broadcast())))
            .collect();
        edges.sort_unstable();
        let mut at = low;
        for (start, end) in edges {
            if start > at && at <= high {
                free.push((family, at, (start - 1).min(high)));
            }
            at = at.max(end.saturating_add(1));
        }
        if at <= high {
            free.push((family, at, high));
        }
    }
    let range = |(family, low, high)| AddressRange {
        low: address_from_number(family, low),
        high: address_from_number(family, high),
    };
    free.into_iter().map(range).collect()
}

/// Group destinations on a segment: multicast, and the broadcast addresses of its IPv4 prefixes.
pub(super) fn groups(network: &Network, segment: &Segment) -> Vec<AddressRange> {
    let mut ranges = multicast();
    // Who may be there tells nobody else what is a broadcast address.
    let described = segment
        .attached
        .iter()
        .filter(|id| network.node(network.interface(**id).node).existence == Existence::Described);
    ranges.extend(described.flat_map(|interface| broadcasts(network, *interface)));
    ranges
}

/// Destinations that are groups everywhere.
pub(super) fn multicast() -> Vec<AddressRange> {
    let prefixes = ["224.0.0.0/4", "ff00::/8"].iter().filter_map(|text| text.parse::<IpNet>().ok());
    let mut ranges: Vec<AddressRange> = prefixes.map(AddressRange::prefix).collect();
    ranges.push(AddressRange::single(Ipv4Addr::BROADCAST.into()));
    ranges
}

/// The addresses of the loopback.
pub(super) fn loopback() -> Vec<AddressRange> {
    let prefixes = ["127.0.0.0/8", "::1/128"].iter().filter_map(|text| text.parse::<IpNet>().ok());
    prefixes.map(AddressRange::prefix).collect()
}

/// The broadcast addresses of the prefixes of an interface.
pub(super) fn broadcasts(network: &Network, interface: crate::model::InterfaceId) -> Vec<AddressRange> {
    let addresses = network.interface(interface).addresses.iter();
    let v4 = addresses.filter(|a| Family::of(a.net.addr()) == Family::V4 && a.net.prefix_len() < 31);
    v4.map(|a| AddressRange::single(a.net.broadcast())).collect()
}

/// Packets that no Linux takes from outside, however it is set: those from groups (`ip_route_input_slow`,
/// `ip6_rcv_core`), and those from or to the loopback of IPv6.
pub(super) fn never_taken(space: &mut Space) -> Set {
    let nets = |texts: &[&str]| -> Vec<AddressRange> {
        texts.iter().filter_map(|text| text.parse::<IpNet>().ok()).map(AddressRange::prefix).collect()
    };
    let src = nets(&["224.0.0.0/4", "255.255.255.255/32", "::1/128", "ff00::/8"]);
    let src = space.addresses(Side::Src, &src);
    let dst = space.addresses(Side::Dst, &nets(&["::1/128"]));
    space.union(src, dst)
}

/// Packets that every Linux drops on receive unless it is set otherwise, whatever its filters.
pub(super) fn martians(space: &mut Space) -> Set {
    let nets = |texts: &[&str]| -> Vec<AddressRange> {
        texts.iter().filter_map(|text| text.parse::<IpNet>().ok()).map(AddressRange::prefix).collect()
    };
    let src = nets(&[
        "0.0.0.0/8",
        "127.0.0.0/8",
        "224.0.0.0/4",
        "255.255.255.255/32",
        "::/128",
        "::1/128",
        "ff00::/8",
    ]);
    let dst = nets(&["0.0.0.0/8", "127.0.0.0/8", "::/128", "::1/128"]);
    let src = space.addresses(Side::Src, &src);
    let dst = space.addresses(Side::Dst, &dst);
    space.union(src, dst)
}

/// Packets that are certainly established if they reverse an open tuple: of TCP only some flags are taken for an answer
/// (`nf_conntrack_proto_tcp.c`).
pub(super) fn sure_answers(space: &mut Space) -> Set {
    use crate::header::tcp_flags::{ACK, FIN, RST, SYN, URG};
    let tcp = space.protocol(proto::TCP);
    let mut all = vec![space.complement(tcp)];
    for flags in [SYN, SYN | ACK, RST, RST | ACK, ACK, ACK | URG] {
        let answers = space.flags(FIN | SYN | RST | ACK | URG, flags);
        all.push(space.intersect(tcp, answers));
    }
    space.union_all(&all)
}

/// Packets that certainly open a connection if nothing is known of them: UDP, a plain SYN, requests of ICMP, and
/// every protocol that the tracker does not look into. The others may be new, invalid or untracked.
pub(super) fn certainly_new(space: &mut Space) -> Set {
    use crate::header::tcp_flags::{ACK, FIN, RST, SYN};
    let tcp = space.protocol(proto::TCP);
    let icmp = space.protocol(proto::ICMP);
    let icmp6 = space.protocol(proto::ICMPV6);
    let tracked = space.union_all(&[tcp, icmp, icmp6]);
    let others = space.complement(tracked);
    let syn = space.flags(SYN | ACK | RST | FIN, SYN);
    let syn = space.intersect(tcp, syn);
    let requests: Vec<Set> =
        [8_u16, 13, 15, 17].iter().map(|kind| space.field(Field::IcmpType, *kind, *kind)).collect();
    let requests = space.union_all(&requests);
    let requests = space.intersect(icmp, requests);
    let requests6 = [128, 139].map(|kind| space.field(Field::IcmpType, kind, kind));
    let requests6 = space.union(requests6[0], requests6[1]);
    let requests6 = space.intersect(icmp6, requests6);
    space.union_all(&[others, syn, requests, requests6])
}

/// ICMP errors (RFC 792, RFC 4443): types that quote the packet that they are about.
pub(super) fn icmp_errors(space: &mut Space) -> Set {
    let mut sets = Vec::new();
    for (number, kinds) in
        [(proto::ICMP, &[3_u16, 4, 5, 11, 12][..]), (proto::ICMPV6, &[1, 2, 3, 4, 137][..])]
    {
        let icmp = space.protocol(number);
        let types: Vec<Set> = kinds.iter().map(|kind| space.field(Field::IcmpType, *kind, *kind)).collect();
        let types = space.union_all(&types);
        sets.push(space.intersect(icmp, types));
    }
    space.union_all(&sets)
}

/// Packets that a query sets free together with their answers.
pub(super) fn free_requests(space: &mut Space, query: &Query) -> Set {
    let flows = query.free.iter().filter(|flow| flow.replies);
    let sets: Vec<Set> = flows.map(|flow| flow_set(space, flow)).collect();
    space.union_all(&sets)
}

pub(super) fn flow_set(space: &mut Space, flow: &FreeFlow) -> Set {
    let src = space.addresses(Side::Src, &flow.src);
    let dst = space.addresses(Side::Dst, &flow.dst);
    let services = super::rules::services_set(space, &flow.services);
    let ends = space.intersect(src, dst);
    space.intersect(ends, services)
}

/// Packets that a query sets free.
pub(super) fn free(space: &mut Space, query: &Query, which: fn(&FreeFlow) -> bool) -> Set {
    let mut sets = Vec::new();
    for flow in query.free.iter().filter(|flow| which(flow)) {
        let there = flow_set(space, flow);
        sets.push(there);
        if flow.replies {
            sets.push(space.reverse(there));
            let errors = icmp_errors(space);
            let mut both = flow.src.clone();
            both.extend(flow.dst.iter().copied());
            let to_ends = space.addresses(Side::Dst, &both);
            sets.push(space.intersect(errors, to_ends));
        }
    }
    space.union_all(&sets)
}
