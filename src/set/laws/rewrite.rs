//! Other first bits of an address.

use proptest::prelude::*;

use super::{any_boxes, any_packets, naive_contains, set_of};
use crate::header::{Family, Packet, address_from_number, address_number};
use crate::set::{Side, Space};
use ipnet::IpNet;
use std::net::IpAddr;

const PREFIXES: [&str; 8] = [
    "0.0.0.0/0",
    "10.0.0.0/8",
    "10.1.0.0/16",
    "192.0.2.0/29",
    "10.0.0.1/32",
    "2001:db8::/32",
    "fe80::/61",
    "::/0",
];

/// Addresses that agree with one in everything but the bits of a prefix: those that the boxes of the tests can tell apart.
fn alike(address: IpAddr, net: IpNet) -> Vec<IpAddr> {
    let host = address_number(net.hostmask());
    let known = super::V4.iter().chain(&super::V6).map(|text| super::address(text));
    let same = known.filter(|other| Family::of(*other) == Family::of(address));
    let mut all: Vec<u128> = same.map(|other| address_number(other) & !host).collect();
    // Ends of ranges lie between those, too.
    all.extend(
        all.clone()
            .iter()
            .flat_map(|number| [number.wrapping_add(host.wrapping_add(1)), number.wrapping_sub(1) & !host]),
    );
    all.push(address_number(address) & !host);
    all.into_iter()
        .map(|number| {
            address_from_number(Family::of(address), (number & !host) | (address_number(address) & host))
        })
        .collect()
}

proptest! {
    #[test]
    fn forgotten_first_bits_are_any(boxes in any_boxes(), packets in any_packets(20), which in 0..PREFIXES.len()) {
        let space = &mut Space::new();
        let set = set_of(space, &boxes);
        let net: IpNet = PREFIXES[which].parse().unwrap();
        let family = Family::of(net.addr());
        for side in [Side::Src, Side::Dst] {
            let forgotten = space.forget_prefix(set, side, net);
            let moved = space.move_to_prefix(set, side, net);
            let of_family = space.family(family);
            let own = space.intersect(set, of_family);
            prop_assert!(space.is_subset(own, forgotten));
            prop_assert_eq!(space.forget_prefix(forgotten, side, net), forgotten);
            prop_assert_eq!(space.forget_prefix(moved, side, net), forgotten);
            for packet in packets.iter().filter(|packet| packet.family() == family) {
                let old = if side == Side::Src { packet.src } else { packet.dst };
                let with = |address| match side {
                    Side::Src => Packet { src: address, ..*packet },
                    Side::Dst => Packet { dst: address, ..*packet },
                };
                let found = alike(old, net).into_iter().any(|other| naive_contains(&boxes, &with(other)));
                prop_assert!(!found || space.contains(forgotten, packet));
                prop_assert_eq!(space.contains(moved, packet), space.contains(forgotten, packet) && net.contains(&old));
                for other in alike(old, net) {
                    prop_assert_eq!(space.contains(forgotten, &with(other)), space.contains(forgotten, packet));
                }
            }
        }
    }
}

#[test]
fn a_prefix_takes_the_place_of_another() {
    let space = &mut Space::new();
    for (from, to, old, new) in [
        ("10.1.0.0/24", "192.0.2.0/24", "10.1.0.7", "192.0.2.7"),
        ("10.16.0.0/12", "172.16.0.0/12", "10.17.3.4", "172.17.3.4"),
        ("10.1.2.64/27", "192.0.2.32/27", "10.1.2.70", "192.0.2.38"),
        ("fd00:1:2::/48", "2001:db8:9::/48", "fd00:1:2:3::4", "2001:db8:9:3::4"),
        ("fd00:0:0:10::/60", "2001:db8:0:f0::/60", "fd00:0:0:1a::4", "2001:db8:0:fa::4"),
    ] {
        let [before, after] = [from, to].map(|text| space.prefix(Side::Src, text.parse().unwrap()));
        assert_eq!(space.move_to_prefix(before, Side::Src, to.parse().unwrap()), after, "{from}");
        let [old, new] = [old, new].map(|text| space.prefix(Side::Src, IpNet::from(super::address(text))));
        assert_eq!(space.move_to_prefix(old, Side::Src, to.parse().unwrap()), new, "{from}");
        let back = space.forget_prefix(new, Side::Src, to.parse().unwrap());
        assert_eq!(space.intersect(back, before), old, "{from}");
    }
}
