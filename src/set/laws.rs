//! The laws of packet sets, as tests.

mod algebra;
mod direction;
mod fields;
mod lists;
mod rewrite;
mod spaces;

use std::net::IpAddr;

use proptest::prelude::*;

use super::{Field, Set, Side, Space};
use crate::header::{AddressRange, Fragment, Packet, proto};

/// Addresses at and around the borders that the boxes of the tests use.
const V4: [&str; 8] = [
    "0.0.0.0",
    "10.0.0.0",
    "10.0.0.1",
    "10.0.255.255",
    "10.1.0.0",
    "10.255.255.255",
    "192.0.2.9",
    "255.255.255.255",
];
const V6: [&str; 7] = [
    "::",
    "::1",
    "2001:db8::",
    "2001:db8::ffff:ffff",
    "2001:db8:0:1::",
    "fe80::1",
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
];
const PROTOS: [u8; 6] = [proto::TCP, proto::UDP, proto::ICMP, proto::ICMPV6, proto::GRE, 0];
const PORTS: [u16; 7] = [0, 22, 443, 1023, 1024, 65534, 65535];
const TYPES: [u8; 6] = [0, 3, 8, 128, 129, 255];
const FRAGMENTS: [Fragment; 3] = Fragment::ALL;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn prefix(space: &mut Space, side: Side, text: &str) -> Set {
    space.prefix(side, text.parse().unwrap())
}

/// A product of ranges, tested by comparing numbers: what a set must agree with.
#[derive(Debug, Clone)]
struct Naive {
    src: AddressRange,
    dst: AddressRange,
    proto: (u16, u16),
    dport: (u16, u16),
    sport: (u16, u16),
    kind: (u16, u16),
    code: (u16, u16),
    flags: (u8, u8),
    fragment: (u16, u16),
}

fn within((low, high): (u16, u16), value: u16) -> bool {
    low <= value && value <= high
}

impl Naive {
    fn contains(&self, packet: &Packet) -> bool {
        self.src.contains(packet.src)
            && self.dst.contains(packet.dst)
            && within(self.proto, packet.proto.into())
            && within(self.dport, packet.dport)
            && within(self.sport, packet.sport)
            && within(self.kind, packet.icmp_type.into())
            && within(self.code, packet.icmp_code.into())
            && packet.flags & self.flags.0 == self.flags.1
            && within(self.fragment, packet.fragment as u16)
    }

    fn set(&self, space: &mut Space) -> Set {
        let parts = [
            space.addresses(Side::Src, &[self.src]),
            space.addresses(Side::Dst, &[self.dst]),
            space.field(Field::Proto, self.proto.0, self.proto.1),
            space.ports(Side::Dst, &[self.dport.0..=self.dport.1]),
            space.ports(Side::Src, &[self.sport.0..=self.sport.1]),
            space.field(Field::IcmpType, self.kind.0, self.kind.1),
            space.field(Field::IcmpCode, self.code.0, self.code.1),
            space.flags(self.flags.0, self.flags.1),
            space.field(Field::Fragment, self.fragment.0, self.fragment.1),
        ];
        parts.iter().fold(Set::FULL, |all, part| space.intersect(all, *part))
    }
}

fn set_of(space: &mut Space, boxes: &[Naive]) -> Set {
    let sets: Vec<Set> = boxes.iter().map(|b| b.set(space)).collect();
    space.union_all(&sets)
}

fn naive_contains(boxes: &[Naive], packet: &Packet) -> bool {
    boxes.iter().any(|b| b.contains(packet))
}

fn address_range(pool: &'static [&'static str]) -> impl Strategy<Value = AddressRange> {
    (0..pool.len(), 0..pool.len()).prop_map(|(a, b)| {
        let (low, high) = (address(pool[a.min(b)]), address(pool[a.max(b)]));
        AddressRange { low, high }
    })
}

/// A pair of values from a pool, or everything.
fn range(pool: &'static [u16], max: u16) -> impl Strategy<Value = (u16, u16)> {
    let some = (0..pool.len(), 0..pool.len()).prop_map(move |(a, b)| {
        let (a, b) = (pool[a].min(max), pool[b].min(max));
        (a.min(b), a.max(b))
    });
    prop_oneof![some, Just((0, max))]
}

fn any_box() -> impl Strategy<Value = Naive> {
    let v4 = (address_range(&V4), address_range(&V4));
    let v6 = (address_range(&V6), address_range(&V6));
    let flags = prop_oneof![Just((0, 0)), Just((0x12, 0x02)), Just((0x04, 0x04)), Just((0x01, 0x02))];
    (
        prop_oneof![v4, v6],
        range(&[0, 1, 6, 17, 47, 58], 255),
        range(&PORTS, 65535),
        range(&PORTS, 65535),
        range(&[0, 3, 8, 127, 128, 129], 255),
        range(&[0, 1, 255], 255),
        flags,
        range(&[0, 1, 2], 2),
    )
        .prop_map(|((src, dst), proto, dport, sport, kind, code, flags, fragment)| Naive {
            src,
            dst,
            proto,
            dport,
            sport,
            kind,
            code,
            flags,
            fragment,
        })
}

fn any_boxes() -> impl Strategy<Value = Vec<Naive>> {
    prop::collection::vec(any_box(), 0..6)
}

/// Any packet, also ones that do not exist: sets must agree on those too.
fn any_packet() -> impl Strategy<Value = Packet> {
    let v4 = (prop::sample::select(&V4[..]), prop::sample::select(&V4[..]));
    let v6 = (prop::sample::select(&V6[..]), prop::sample::select(&V6[..]));
    (
        prop_oneof![v4, v6],
        prop::sample::select(&PROTOS[..]),
        prop::sample::select(&PORTS[..]),
        prop::sample::select(&PORTS[..]),
        prop::sample::select(&TYPES[..]),
        prop::sample::select(&[0_u8, 1, 255][..]),
        prop::sample::select(&[0_u8, 0x02, 0x10, 0x12, 0x04, 0xff][..]),
        prop::sample::select(&FRAGMENTS[..]),
    )
        .prop_map(|((src, dst), proto, sport, dport, icmp_type, icmp_code, flags, fragment)| Packet {
            src: address(src),
            dst: address(dst),
            proto,
            sport,
            dport,
            icmp_type,
            icmp_code,
            flags,
            fragment,
        })
}

fn any_packets(number: usize) -> impl Strategy<Value = Vec<Packet>> {
    prop::collection::vec(any_packet(), number)
}

/// The packet with the fields that its protocol does not have set to zero.
fn tidy(mut packet: Packet) -> Packet {
    if !proto::has_ports(packet.proto) {
        (packet.sport, packet.dport) = (0, 0);
    }
    if packet.proto != packet.family().icmp() {
        (packet.icmp_type, packet.icmp_code) = (0, 0);
    }
    if packet.proto != proto::TCP {
        packet.flags = 0;
    }
    packet
}
