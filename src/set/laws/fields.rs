//! Encoding, membership, samples, boxes and sizes.

use proptest::prelude::*;

use super::{address, any_boxes, any_packet, any_packets, naive_contains, prefix, set_of, tidy};
use crate::header::{AddressRange, Family, Fragment, Packet, address_number, proto};
use crate::set::{Field, PacketBox, Set, Side, Space};

fn any_v4_range() -> impl Strategy<Value = AddressRange> {
    // Small numbers around limb borders, so that ranges overlap, touch and nest.
    let number =
        prop_oneof![0_u32..20, 65530_u32..65545, 131_060_u32..131_080, 0xffff_fff0_u32..=0xffff_ffff];
    (number.clone(), number).prop_map(|(a, b)| AddressRange {
        low: std::net::Ipv4Addr::from(a.min(b)).into(),
        high: std::net::Ipv4Addr::from(a.max(b)).into(),
    })
}

fn any_v6_range() -> impl Strategy<Value = AddressRange> {
    let number = (0_u32..3, 0_u32..8, prop_oneof![0_u128..3, 0xfffe_u128..0x1_0002, Just(u128::MAX)])
        .prop_map(|(high, limb, low)| (u128::from(high) << 120) | low << (16 * limb));
    (number.clone(), number).prop_map(|(a, b)| AddressRange {
        low: std::net::Ipv6Addr::from(a.min(b)).into(),
        high: std::net::Ipv6Addr::from(a.max(b)).into(),
    })
}

proptest! {
    #[test]
    fn many_address_ranges_are_the_union_of_each(
        mut ranges in prop::collection::vec(any_v4_range(), 0..12),
        six in prop::collection::vec(any_v6_range(), 0..6),
    ) {
        ranges.extend(six);
        let mut space = Space::new();
        for side in [Side::Src, Side::Dst] {
            let at_once = space.addresses(side, &ranges);
            let each: Vec<Set> = ranges.iter().map(|r| space.addresses(side, &[*r])).collect();
            prop_assert_eq!(space.union_all(&each), at_once);
            for end in ranges.iter().flat_map(|r| [r.low, r.high]) {
                let mut packet = plain(address("::"), address("::"));
                if Family::of(end) == Family::V4 {
                    packet = plain(address("0.0.0.0"), address("0.0.0.0"));
                }
                match side {
                    Side::Src => packet.src = end,
                    Side::Dst => packet.dst = end,
                }
                prop_assert!(space.contains(at_once, &packet));
            }
        }
    }

    #[test]
    fn one_packet_is_a_set_of_one(packet in any_packet(), other in any_packet()) {
        let (packet, other) = (tidy(packet), tidy(other));
        let mut space = Space::new();
        let set = space.packet(&packet);
        prop_assert!(space.contains(set, &packet));
        prop_assert_eq!(space.contains(set, &other), packet == other);
        prop_assert_eq!(space.sample(set), Some(packet));
    }

    #[test]
    fn the_sample_is_the_smallest_well_formed_packet_of_usual_hosts(boxes in any_boxes(), packets in any_packets(30)) {
        let mut space = Space::new();
        let set = set_of(&mut space, &boxes);
        let real = space.well_formed();
        let members: Vec<Packet> =
            packets.iter().map(|p| tidy(*p)).filter(|p| naive_contains(&boxes, p)).collect();
        match space.sample(set) {
            Some(least) => {
                prop_assert!(naive_contains(&boxes, &least));
                prop_assert_eq!(least, tidy(least));
                prop_assert!(space.contains(real, &least));
                // What is smaller has an address that may be that of a network.
                let usual = |address: std::net::IpAddr| !address_number(address).is_multiple_of(4);
                prop_assert!(
                    members.iter().filter(|p| usual(p.src) && usual(p.dst)).all(|p| order(&least) <= order(p))
                );
            }
            None => {
                prop_assert!(members.is_empty());
                prop_assert_eq!(space.intersect(set, real), Set::EMPTY);
            }
        }
    }

    #[test]
    fn well_formed_packets_are_the_tidy_ones(packet in any_packet()) {
        let mut space = Space::new();
        let real = space.well_formed();
        prop_assert_eq!(space.contains(real, &packet), packet == tidy(packet));
    }

    #[test]
    fn boxes_are_the_set_again(boxes in any_boxes()) {
        let mut space = Space::new();
        let set = set_of(&mut space, &boxes);
        let shown = space.boxes(set, 5000);
        let mut rest = set;
        for one in &shown {
            let one = box_set(&mut space, one);
            prop_assert!(space.is_subset(one, rest), "boxes overlap or leave the set");
            rest = space.minus(rest, one);
        }
        // Flags behind masks come in many boxes; of too many only the first are shown.
        prop_assert!(rest == Set::EMPTY || shown.len() == 5000);
        let few = space.boxes(set, 3);
        prop_assert_eq!(&few[..], &shown[..shown.len().min(3)]);
    }

    #[test]
    fn sizes_rank_sets(a in any_boxes(), b in any_boxes()) {
        let mut space = Space::new();
        let (a, b) = (set_of(&mut space, &a), set_of(&mut space, &b));
        let both = space.union(a, b);
        let shared = space.intersect(a, b);
        prop_assert!(space.log2_size(both) >= space.log2_size(a).max(space.log2_size(b)));
        prop_assert!(space.log2_size(shared) <= space.log2_size(a).min(space.log2_size(b)));
        let sum = space.log2_size(both).exp2() + space.log2_size(shared).exp2();
        let parts = space.log2_size(a).exp2() + space.log2_size(b).exp2();
        prop_assert!((sum - parts).abs() <= parts * 1e-9);
    }
}

/// The order that [`Space::sample`] promises.
fn order(p: &Packet) -> impl Ord {
    (p.family(), p.src, p.dst, p.proto, p.dport, p.sport, (p.icmp_type, p.icmp_code, p.flags, p.fragment))
}

fn plain(src: std::net::IpAddr, dst: std::net::IpAddr) -> Packet {
    Packet {
        src,
        dst,
        proto: 0,
        sport: 0,
        dport: 0,
        icmp_type: 0,
        icmp_code: 0,
        flags: 0,
        fragment: Fragment::Whole,
    }
}

fn box_set(space: &mut Space, b: &PacketBox) -> Set {
    let mut all = space.addresses(Side::Src, &[b.src]);
    let dst = space.addresses(Side::Dst, &[b.dst]);
    all = space.intersect(all, dst);
    let fields = [
        (Field::Proto, &b.proto),
        (Field::Dport, &b.dport),
        (Field::Sport, &b.sport),
        (Field::IcmpType, &b.icmp_type),
        (Field::IcmpCode, &b.icmp_code),
        (Field::Flags, &b.flags),
        (Field::Fragment, &b.fragment),
    ];
    for (field, range) in fields {
        let part = space.field(field, *range.start(), *range.end());
        all = space.intersect(all, part);
    }
    all
}

#[test]
fn flags_compare_under_a_mask() {
    let mut space = Space::new();
    for (mask, value) in [(0x12, 0x02), (0xff, 0x10), (0, 0), (0, 1), (0x04, 0x04), (0x01, 0x03)] {
        let set = space.flags(mask, value);
        for flags in 0..=u8::MAX {
            let mut packet = plain(address("10.0.0.1"), address("10.0.0.2"));
            packet.flags = flags;
            assert_eq!(space.contains(set, &packet), flags & mask == value);
        }
    }
}

#[test]
fn field_values_stay_inside_their_field() {
    let mut space = Space::new();
    assert_eq!(space.field(Field::Fragment, 0, 9), Set::FULL);
    assert_eq!(space.field(Field::Fragment, 3, 9), Set::EMPTY);
    assert_eq!(space.field(Field::Proto, 7, 6), Set::EMPTY);
    let pieces = [5..=9, 0..=3, 4..=4, 300..=400];
    let low = space.field(Field::IcmpCode, 0, 9);
    assert_eq!(space.field_in(Field::IcmpCode, &pieces), low);
    assert_eq!(space.field_in(Field::Dport, &[]), Set::EMPTY);
    assert_eq!(space.field_in(Field::Sport, &[0..=65534, 65535..=65535]), Set::FULL);
    let mixed = AddressRange { low: address("10.0.0.0"), high: address("::1") };
    assert_eq!(space.addresses(Side::Src, &[mixed]), Set::EMPTY);
    let all = [AddressRange::all(Family::V4), AddressRange::all(Family::V6)];
    assert_eq!(space.addresses(Side::Dst, &all), Set::FULL);
}

#[test]
fn a_set_without_real_packets_has_no_sample() {
    let mut space = Space::new();
    let gre = space.protocol(proto::GRE);
    let port = space.ports(Side::Dst, &[80..=80]);
    let both = space.intersect(gre, port);
    assert!(!both.is_empty());
    assert_eq!(space.sample(both), None);
    let either = space.union(gre, port);
    assert_eq!(space.sample(either).map(|p| (p.proto, p.dport)), Some((proto::TCP, 80)));
}

#[test]
fn a_sample_is_rather_a_usual_host_than_a_network() {
    for (net, expected) in [
        ("10.9.0.0/24", "10.9.0.1"),
        ("192.0.2.8/30", "192.0.2.9"),
        ("10.9.0.0/31", "10.9.0.1"),
        ("10.9.0.4/32", "10.9.0.4"),
        ("10.9.0.255/32", "10.9.0.255"),
        ("10.9.0.0/8", "10.0.0.1"),
        ("2001:db8::/64", "2001:db8::1"),
        ("2001:db8::8/128", "2001:db8::8"),
    ] {
        for side in [Side::Src, Side::Dst] {
            let mut space = Space::new();
            let net = AddressRange::prefix(net.parse().unwrap());
            let set = space.addresses(side, &[net]);
            let sample = space.sample(set).unwrap();
            let got = if side == Side::Src { sample.src } else { sample.dst };
            assert_eq!(got, address(expected));
            assert!(space.contains(set, &sample));
        }
    }
    let mut space = Space::new();
    let gap = ["10.9.0.0", "10.9.0.2"].map(|text| AddressRange::single(address(text)));
    let set = space.addresses(Side::Src, &gap);
    assert_eq!(space.sample(set).map(|packet| packet.src), Some(address("10.9.0.2")));
}

#[test]
fn sizes_count_addresses_in_their_own_width() {
    let mut space = Space::new();
    let rest = 8.0 + 16.0 + 16.0 + 8.0 + 8.0 + 8.0 + 3_f64.log2();
    let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
    let v4 = space.family(Family::V4);
    assert!(close(space.log2_size(v4), 64.0 + rest));
    let v6 = space.family(Family::V6);
    assert!(close(space.log2_size(v6), 256.0 + rest));
    let net = prefix(&mut space, Side::Src, "10.0.0.0/12");
    assert!(close(space.log2_size(net), 52.0 + rest));
    assert_eq!(space.log2_size(Set::EMPTY), f64::NEG_INFINITY);
    let one = plain(address("::1"), address("::2"));
    let one = space.packet(&Packet { proto: proto::TCP, ..one });
    assert!(close(space.log2_size(one), 16.0));
}

#[test]
fn boxes_read_like_ranges() {
    let mut space = Space::new();
    let from = AddressRange { low: address("10.0.0.128"), high: address("10.3.0.4") };
    let from = space.addresses(Side::Src, &[from]);
    let tcp = space.protocol(proto::TCP);
    let web = space.ports(Side::Dst, &[80..=80, 8000..=8080]);
    let set = [from, tcp, web].iter().fold(Set::FULL, |all, s| space.intersect(all, *s));
    let text: Vec<String> = space.boxes(set, 10).iter().map(ToString::to_string).collect();
    assert_eq!(
        text,
        [
            "10.0.0.128-10.3.0.4 → any IPv4, proto tcp, dport 80",
            "10.0.0.128-10.3.0.4 → any IPv4, proto tcp, dport 8000-8080",
        ]
    );
    assert_eq!(space.boxes(Set::EMPTY, 10), []);
    let all: Vec<String> = space.boxes(Set::FULL, 10).iter().map(ToString::to_string).collect();
    assert_eq!(all, ["any IPv4 → any IPv4", "any IPv6 → any IPv6"]);
    assert_eq!(space.boxes(Set::FULL, 0), []);
}
