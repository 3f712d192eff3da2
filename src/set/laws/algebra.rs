//! The Boolean algebra: exhaustively over a small universe, and on random unions of boxes.

use proptest::prelude::*;

use super::{any_boxes, any_packets, naive_contains, prefix, set_of};
use crate::header::Fragment;
use crate::set::{Set, Side, Space};

/// A universe of six cells that together are everything: three fragments by two pieces of another level.
struct Small {
    space: Space,
    /// The set of each of the 64 subsets of cells, by mask.
    sets: Vec<Set>,
}

const CELLS: usize = 6;
const SUBSETS: usize = 1 << CELLS;

fn small(piece: impl Fn(&mut Space) -> Set) -> Small {
    let mut space = Space::new();
    let piece = piece(&mut space);
    let rest = space.complement(piece);
    let mut cells = Vec::new();
    for fragment in Fragment::ALL {
        let fragment = space.fragment(fragment);
        cells.push(space.intersect(fragment, piece));
        cells.push(space.intersect(fragment, rest));
    }
    let sets = (0..SUBSETS)
        .map(|mask| {
            let chosen: Vec<Set> = (0..CELLS).filter(|i| mask >> i & 1 == 1).map(|i| cells[i]).collect();
            space.union_all(&chosen)
        })
        .collect();
    Small { space, sets }
}

/// Universes whose second level is above, far above, and of several limbs.
fn universes() -> Vec<Small> {
    vec![
        small(|s| s.ports(Side::Dst, &[0..=1023])),
        small(|s| s.flags(0x12, 0x02)),
        small(|s| prefix(s, Side::Src, "10.1.2.0/24")),
        small(|s| prefix(s, Side::Dst, "2001:db8:0:1::/64")),
    ]
}

#[test]
fn every_operation_on_every_pair_of_subsets_is_that_of_bits() {
    for mut u in universes() {
        let all = SUBSETS - 1;
        assert_eq!((u.sets[0], u.sets[all]), (Set::EMPTY, Set::FULL));
        for a in 0..SUBSETS {
            let set_a = u.sets[a];
            assert_eq!(u.space.complement(set_a), u.sets[all & !a]);
            for b in 0..SUBSETS {
                let set_b = u.sets[b];
                // Equal sets are equal numbers, so comparing numbers compares sets; and different are
                // different.
                assert_eq!(set_a == set_b, a == b);
                assert_eq!(u.space.union(set_a, set_b), u.sets[a | b]);
                assert_eq!(u.space.intersect(set_a, set_b), u.sets[a & b]);
                assert_eq!(u.space.minus(set_a, set_b), u.sets[a & !b]);
                assert_eq!(u.space.is_subset(set_a, set_b), a & !b == 0);
                assert_eq!(u.space.intersects(set_a, set_b), a & b != 0);
            }
        }
        assert_eq!(u.space.status(), Ok(()));
    }
}

#[test]
fn union_of_many_is_the_union_of_each() {
    let mut u = small(|s| s.ports(Side::Src, &[22..=22]));
    assert_eq!(u.space.union_all(&[]), Set::EMPTY);
    for a in 0..SUBSETS {
        for b in 0..SUBSETS {
            let three = [u.sets[a], u.sets[b], u.sets[a ^ b]];
            assert_eq!(u.space.union_all(&three), u.sets[a | b]);
        }
    }
}

proptest! {
    #[test]
    fn membership_is_that_of_the_boxes(a in any_boxes(), b in any_boxes(), packets in any_packets(40)) {
        let mut space = Space::new();
        let (x, y) = (set_of(&mut space, &a), set_of(&mut space, &b));
        let (or, and) = (space.union(x, y), space.intersect(x, y));
        let (less, not) = (space.minus(x, y), space.complement(x));
        for packet in &packets {
            let (in_a, in_b) = (naive_contains(&a, packet), naive_contains(&b, packet));
            prop_assert_eq!(space.contains(x, packet), in_a);
            prop_assert_eq!(space.contains(or, packet), in_a || in_b);
            prop_assert_eq!(space.contains(and, packet), in_a && in_b);
            prop_assert_eq!(space.contains(less, packet), in_a && !in_b);
            prop_assert_eq!(space.contains(not, packet), !in_a);
        }
        prop_assert_eq!(space.is_subset(x, y), less.is_empty());
        prop_assert_eq!(space.intersects(x, y), !and.is_empty());
    }

    #[test]
    fn the_laws_of_sets_hold(a in any_boxes(), b in any_boxes(), c in any_boxes()) {
        let s = &mut Space::new();
        let (a, b, c) = (set_of(s, &a), set_of(s, &b), set_of(s, &c));
        let (a_or_b, a_and_b) = (s.union(a, b), s.intersect(a, b));
        let (b_or_c, b_and_c) = (s.union(b, c), s.intersect(b, c));
        let (not_a, not_b) = (s.complement(a), s.complement(b));
        prop_assert_eq!(s.union(a, a), a);
        prop_assert_eq!(s.intersect(a, a), a);
        prop_assert_eq!(s.union(b, a), a_or_b);
        prop_assert_eq!(s.intersect(b, a), a_and_b);
        prop_assert_eq!(s.union(a_or_b, c), s.union(a, b_or_c));
        prop_assert_eq!(s.intersect(a_and_b, c), s.intersect(a, b_and_c));
        let a_and_c = s.intersect(a, c);
        prop_assert_eq!(s.intersect(a, b_or_c), s.union(a_and_b, a_and_c));
        let a_or_c = s.union(a, c);
        prop_assert_eq!(s.union(a, b_and_c), s.intersect(a_or_b, a_or_c));
        prop_assert_eq!(s.complement(a_or_b), s.intersect(not_a, not_b));
        prop_assert_eq!(s.complement(a_and_b), s.union(not_a, not_b));
        prop_assert_eq!(s.complement(not_a), a);
        prop_assert_eq!(s.minus(a, b), s.intersect(a, not_b));
        prop_assert_eq!(s.union(a, a_and_b), a);
        prop_assert_eq!(s.intersect(a, a_or_b), a);
        prop_assert_eq!(s.union(a, not_a), Set::FULL);
        prop_assert_eq!(s.intersect(a, not_a), Set::EMPTY);
    }

    #[test]
    fn equal_sets_are_equal_numbers_however_they_were_made(boxes in any_boxes(), more in any_boxes()) {
        let s = &mut Space::new();
        let forward = set_of(s, &boxes);
        let noise = set_of(s, &more);
        let mut reversed = boxes.clone();
        reversed.reverse();
        // One by one from the other end, through a detour that adds and removes something else.
        let mut slow = noise;
        for b in &reversed {
            let one = b.set(s);
            slow = s.union(slow, one);
        }
        let extra = s.minus(noise, forward);
        let slow = s.minus(slow, extra);
        prop_assert_eq!(slow, forward);
    }
}
