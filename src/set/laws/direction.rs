//! Projections, and the packet in the other direction.

use proptest::prelude::*;

use super::{any_boxes, any_packets, naive_contains, prefix, set_of};
use crate::header::{Family, Fragment, Packet, proto};
use crate::set::{Field, Set, Side, Space};

fn swapped(p: &Packet) -> Packet {
    Packet { src: p.dst, dst: p.src, sport: p.dport, dport: p.sport, ..*p }
}

/// Requests and their replies, by family.
const ASKED: [(Family, u8, u8); 6] = [
    (Family::V4, 8, 0),
    (Family::V4, 13, 14),
    (Family::V4, 15, 16),
    (Family::V4, 17, 18),
    (Family::V6, 128, 129),
    (Family::V6, 139, 140),
];

/// What a packet with this type answers or is the answer to, in its own family's ICMP.
fn other_echo(p: &Packet) -> Option<u8> {
    let own = || ASKED.into_iter().filter(|(family, ..)| *family == p.family());
    let answer = own().find(|(_, request, _)| *request == p.icmp_type).map(|(_, _, reply)| reply);
    answer.or_else(|| own().find(|(_, _, reply)| *reply == p.icmp_type).map(|(_, request, _)| request))
}

proptest! {
    #[test]
    fn mirror_swaps_every_packet(boxes in any_boxes(), packets in any_packets(40)) {
        let mut space = Space::new();
        let set = set_of(&mut space, &boxes);
        let mirrored = space.mirror(set);
        for packet in &packets {
            prop_assert_eq!(space.contains(mirrored, &swapped(packet)), naive_contains(&boxes, packet));
        }
        prop_assert_eq!(space.mirror(mirrored), set);
    }

    #[test]
    fn a_reply_is_in_the_reverse_and_nothing_else_is(boxes in any_boxes(), packets in any_packets(20)) {
        let mut space = Space::new();
        let set = set_of(&mut space, &boxes);
        let replies = space.reverse(set);
        for reply in &packets {
            let mut asked = swapped(reply);
            let is_icmp = reply.proto == reply.family().icmp();
            let kind = if is_icmp { other_echo(reply) } else { Some(reply.icmp_type) };
            let answers = kind.is_some_and(|kind| {
                asked.icmp_type = kind;
                (0..=u8::MAX).any(|flags| {
                    let mut parts = Fragment::ALL.into_iter();
                    parts.any(|fragment| naive_contains(&boxes, &Packet { flags, fragment, ..asked }))
                })
            });
            prop_assert_eq!(space.contains(replies, reply), answers);
        }
        let again = space.reverse(replies);
        prop_assert_eq!(space.reverse(again), replies);
    }

    #[test]
    fn projections_forget_and_keep(boxes in any_boxes(), packets in any_packets(30)) {
        let s = &mut Space::new();
        let set = set_of(s, &boxes);
        let (src, dst) = (s.project_src(set), s.project_dst(set));
        prop_assert!(s.is_subset(set, src) && s.is_subset(set, dst));
        prop_assert_eq!(s.project_src(src), src);
        prop_assert_eq!(s.project_dst(dst), dst);
        let (as_dst, as_src) = (s.src_as_dst(set), s.dst_as_src(set));
        for p in &packets {
            // The boxes are products and none is empty but for its flags, so a box with this source has a
            // packet.
            let real = |b: &&super::Naive| b.flags.1 & !b.flags.0 == 0;
            let in_src = boxes.iter().filter(real).any(|b| b.src.contains(p.src));
            let in_dst = boxes.iter().filter(real).any(|b| b.dst.contains(p.dst));
            prop_assert_eq!(s.contains(src, p), in_src);
            prop_assert_eq!(s.contains(dst, p), in_dst);
            prop_assert_eq!(s.contains(as_dst, &swapped(p)), in_src);
            prop_assert_eq!(s.contains(as_src, &swapped(p)), in_dst);
        }
        prop_assert_eq!(s.dst_as_src(as_dst), src);
        prop_assert_eq!(s.src_as_dst(as_src), dst);
    }

    #[test]
    fn a_forgotten_field_takes_every_value(boxes in any_boxes(), packets in any_packets(30)) {
        let s = &mut Space::new();
        let set = set_of(s, &boxes);
        let fields = [Field::Dport, Field::Proto, Field::Fragment, Field::IcmpType];
        for field in fields {
            let forgotten = s.forget(set, field);
            prop_assert!(s.is_subset(set, forgotten));
            prop_assert_eq!(s.forget(forgotten, field), forgotten);
            for p in &packets {
                // Every box with a port has one of the pool.
                let mut values: Vec<u16> = (0..=field.max().min(255)).chain(super::PORTS).collect();
                values.retain(|value| *value <= field.max());
                let found = values.iter().any(|value| naive_contains(&boxes, &with(p, field, *value)));
                prop_assert_eq!(s.contains(forgotten, p), found);
            }
        }
        prop_assert_eq!(s.forget(set, Field::Family), set);
        let no_src = s.forget_address(set, Side::Src);
        let no_dst = s.forget_address(no_src, Side::Dst);
        let (first, second) = (s.project_dst(no_src), s.project_dst(set));
        prop_assert_eq!(first, second);
        let no_src_again = s.forget_address(set, Side::Dst);
        let no_src_again = s.forget_address(no_src_again, Side::Src);
        prop_assert_eq!(no_dst, no_src_again);
    }

    #[test]
    fn a_partition_is_disjoint_and_whole(boxes in any_boxes()) {
        let s = &mut Space::new();
        let set = set_of(s, &boxes);
        for cut in [1, 2, 9, 10, 17, 18, 19, 23] {
            let parts = s.partition_below(set, cut);
            let mut whole = Set::EMPTY;
            let mut uppers = Set::EMPTY;
            for (upper, lower) in &parts {
                prop_assert!(!s.intersects(uppers, *upper));
                uppers = s.union(uppers, *upper);
                prop_assert!(!lower.is_empty() && s.level(lower.0) >= cut);
                let both = s.intersect(*upper, *lower);
                whole = s.union(whole, both);
            }
            let mut lowers: Vec<Set> = parts.iter().map(|p| p.1).collect();
            lowers.sort_unstable();
            lowers.dedup();
            prop_assert_eq!(lowers.len(), parts.len());
            prop_assert_eq!(whole, set);
        }
    }
}

fn with(p: &Packet, field: Field, value: u16) -> Packet {
    let mut p = *p;
    match field {
        Field::Dport => p.dport = value,
        Field::Proto => p.proto = value as u8,
        Field::IcmpType => p.icmp_type = value as u8,
        Field::Fragment => p.fragment = Fragment::ALL[usize::from(value)],
        Field::Family | Field::Sport | Field::IcmpCode | Field::Flags => unreachable!("not asked for"),
    }
    p
}

#[test]
fn a_request_from_here_to_there_is_answered_from_there_to_here() {
    let mut s = Space::new();
    let here = prefix(&mut s, Side::Src, "10.1.0.0/16");
    let there = prefix(&mut s, Side::Dst, "192.0.2.0/24");
    let tcp = s.protocol(proto::TCP);
    let web = s.ports(Side::Dst, &[443..=443]);
    let syn = s.flags(0x12, 0x02);
    let sent = [here, there, tcp, web, syn].iter().fold(Set::FULL, |all, x| s.intersect(all, *x));
    let from = prefix(&mut s, Side::Src, "192.0.2.0/24");
    let to = prefix(&mut s, Side::Dst, "10.1.0.0/16");
    let port = s.ports(Side::Src, &[443..=443]);
    let answer = [from, to, tcp, port].iter().fold(Set::FULL, |all, x| s.intersect(all, *x));
    assert_eq!(s.reverse(sent), answer);
}

#[test]
fn only_requests_are_answered_among_icmp() {
    let mut s = Space::new();
    for (family, request, reply) in ASKED {
        let asked = s.icmp(family, request, Some(0));
        let answered = s.icmp(family, reply, Some(0));
        assert_eq!(s.reverse(asked), answered);
        assert_eq!(s.reverse(answered), asked);
        let error = s.icmp(family, 3, None);
        assert_eq!(s.reverse(error), Set::EMPTY);
    }
}
