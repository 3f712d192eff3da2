//! Shared bases, overlays, copies between spaces, limits.

use std::sync::Arc;
use std::thread;

use proptest::prelude::*;

use super::{Naive, any_boxes, any_packets, naive_contains, prefix, set_of};
use crate::set::{Exhausted, Set, Side, Space};

proptest! {
    #[test]
    fn sets_of_a_base_keep_their_numbers_in_every_overlay(
        a in any_boxes(),
        b in any_boxes(),
        c in any_boxes(),
    ) {
        let mut space = Space::new();
        let base_set = set_of(&mut space, &a);
        let base = space.freeze();
        let mut first = Space::over(Arc::clone(&base));
        let before = first.len();
        // Made again, it is found in the base and nothing is added.
        prop_assert_eq!(set_of(&mut first, &a), base_set);
        let own = set_of(&mut first, &b);
        let mut second = Space::over(Arc::clone(&base));
        set_of(&mut second, &c);
        let other = set_of(&mut second, &b);
        let (x, y) = (first.union(base_set, own), second.union(base_set, other));
        prop_assert_eq!(first.import(&second, y), x);
        prop_assert_eq!(second.import(&first, x), y);
        prop_assert!(first.len() >= before);
        // Frozen on top of the base, with others still using it, numbers stay.
        let both = first.freeze();
        let mut third = Space::over(both);
        prop_assert_eq!(set_of(&mut third, &b), own);
        prop_assert_eq!(third.union(base_set, own), x);
    }

    #[test]
    fn a_copy_is_equal_by_content(boxes in any_boxes(), noise in any_boxes(), packets in any_packets(20)) {
        let mut source = Space::new();
        let set = set_of(&mut source, &boxes);
        let not = source.complement(set);
        let mut target = Space::new();
        set_of(&mut target, &noise);
        let copy = target.import(&source, set);
        prop_assert_eq!(set_of(&mut target, &boxes), copy);
        for packet in &packets {
            prop_assert_eq!(target.contains(copy, packet), naive_contains(&boxes, packet));
        }
        let both = target.import_all(&source, &[set, not]);
        let not = target.complement(copy);
        prop_assert_eq!(both, vec![copy, not]);
    }

    #[test]
    fn a_limited_space_is_right_or_says_that_it_is_not(boxes in any_boxes(), limit in 0..60_usize) {
        let mut free = Space::new();
        let expected = set_of(&mut free, &boxes);
        let mut tight = Space::with_limit(limit);
        let got = set_of(&mut tight, &boxes);
        prop_assert!(tight.len() <= limit);
        match tight.status() {
            Ok(()) => prop_assert_eq!(free.import(&tight, got), expected),
            Err(Exhausted { limit: told }) => prop_assert_eq!(told, limit),
        }
    }
}

#[test]
fn an_exhausted_space_stays_exhausted_and_answers_nothing() {
    let mut space = Space::with_limit(3);
    let net = prefix(&mut space, Side::Src, "10.0.0.0/16");
    assert_eq!(space.status(), Ok(()));
    let other = prefix(&mut space, Side::Dst, "192.0.2.1/32");
    assert_eq!(space.intersect(net, other), Set::EMPTY);
    assert_eq!(space.status(), Err(Exhausted { limit: 3 }));
    assert_eq!(space.sample(net), None);
    assert_eq!(space.mirror(net), Set::EMPTY);
    // A copy of what an exhausted space holds, and what stands over it, is no better.
    let mut copy = Space::new();
    let whole = copy.import(&space, net);
    assert_eq!((whole, copy.status().is_err()), (Set::EMPTY, true));
    assert!(Space::over(space.freeze()).status().is_err());
}

#[test]
fn workers_over_one_base_agree_by_value() {
    let mut space = Space::new();
    let nets: Vec<Set> = (0..50).map(|i| prefix(&mut space, Side::Src, &format!("10.{i}.0.0/16"))).collect();
    let base = space.freeze();
    let work = |skip: usize| {
        let (base, nets) = (Arc::clone(&base), nets.clone());
        thread::spawn(move || {
            let mut own = Space::over(base);
            let mut order = nets.clone();
            order.rotate_left(skip);
            let all = own.union_all(&order);
            (own.sample(all), own.boxes(all, 10))
        })
    };
    let results: Vec<_> = (0..4).map(work).map(|handle| handle.join().unwrap()).collect();
    assert!(results.iter().all(|result| *result == results[0]));
    assert_eq!(results[0].1[0].to_string(), "10.0.0.0-10.49.255.255 → any IPv4");
}

#[test]
fn thousands_of_ranges_stay_small() {
    let mut space = Space::new();
    let nets: Vec<_> = (0..20_000_u32)
        .map(|i| {
            let low = std::net::Ipv4Addr::from(i * 512);
            let high = std::net::Ipv4Addr::from(i * 512 + 255);
            crate::header::AddressRange { low: low.into(), high: high.into() }
        })
        .collect();
    let set = space.addresses(Side::Dst, &nets);
    assert!(space.node_count(set) < 10, "{}", space.node_count(set));
    let own = Naive { dst: nets[777], ..everything() };
    let one = own.set(&mut space);
    assert!(space.is_subset(one, set));
}

fn everything() -> Naive {
    let all = crate::header::AddressRange::all(crate::header::Family::V4);
    Naive {
        src: all,
        dst: all,
        proto: (0, 255),
        dport: (0, 65535),
        sport: (0, 65535),
        kind: (0, 255),
        code: (0, 255),
        flags: (0, 0),
        fragment: (0, 2),
    }
}
