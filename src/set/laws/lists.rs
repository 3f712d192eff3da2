//! First-match lists against rule-by-rule evaluation.

use proptest::prelude::*;

use super::{Naive, any_box, any_packets};
use crate::header::{Fragment, Packet};
use crate::set::{Set, Space, Summary};

/// The outcomes of one cell as bits: accept, open, ret, fall.
type Outcomes = u8;

fn then(a: Outcomes, b: Outcomes) -> Outcomes {
    if a & 8 == 0 { a } else { (a & 7) | b }
}

fn summary(space: &mut Space, cells: &[Set], outcomes: &[Outcomes]) -> Summary {
    let mut having = |bit: u8| {
        let chosen: Vec<Set> =
            cells.iter().zip(outcomes).filter(|(_, o)| *o & bit != 0).map(|(cell, _)| *cell).collect();
        space.union_all(&chosen)
    };
    Summary { accept: having(1), open: having(2), ret: having(4), fall: having(8) }
}

#[test]
fn every_pair_of_summaries_over_two_cells_composes_cell_by_cell() {
    let mut space = Space::new();
    let whole = space.fragment(Fragment::Whole);
    let cells = [whole, space.complement(whole)];
    let all: Vec<([Outcomes; 2], Summary)> = (0..16)
        .flat_map(|a| (0..16).map(move |b| [a, b]))
        .map(|outcomes| (outcomes, summary(&mut space, &cells, &outcomes)))
        .collect();
    let by_outcomes = |o: [Outcomes; 2]| all[usize::from(o[0]) * 16 + usize::from(o[1])].1;
    for (first, a) in &all {
        for (second, b) in &all {
            let expected = by_outcomes([then(first[0], second[0]), then(first[1], second[1])]);
            assert_eq!(space.compose(a, b), expected, "{first:?} then {second:?}");
        }
    }
}

#[test]
fn composing_is_what_its_definition_says() {
    let mut s = Space::new();
    let cells: Vec<Set> = Fragment::ALL.iter().map(|f| s.fragment(*f)).collect();
    let a = summary(&mut s, &cells, &[0b1001, 0b0011, 0b1100]);
    let b = summary(&mut s, &cells, &[0b0100, 0b1000, 0b0011]);
    let both = s.compose(&a, &b);
    for (of_a, of_b, got) in
        [(a.accept, b.accept, both.accept), (a.open, b.open, both.open), (a.ret, b.ret, both.ret)]
    {
        let later = s.intersect(a.fall, of_b);
        assert_eq!(s.union(of_a, later), got);
    }
    assert_eq!(s.intersect(a.fall, b.fall), both.fall);
    assert_eq!(s.compose(&Summary::PASS, &b), b);
    assert_eq!(s.compose(&a, &Summary::PASS), a);
    assert_eq!(s.compose(&Summary::DROP, &b), Summary::DROP);
    assert_eq!(s.compose_all(&[]), Summary::PASS);
    assert_eq!(s.compose_all(&[a]), a);
}

/// A rule: what it matches certainly, what it may match, and what it then does (0 accept, 1 open, 2 return,
/// 3 drop).
#[derive(Debug, Clone)]
struct Rule {
    certain: Option<Naive>,
    possible: Naive,
    action: u8,
}

fn any_rule() -> impl Strategy<Value = Rule> {
    (any_box(), any::<bool>(), 0..4_u8).prop_map(|(b, known, action)| Rule {
        certain: known.then(|| b.clone()),
        possible: b,
        action,
    })
}

impl Rule {
    fn summary(&self, s: &mut Space) -> Summary {
        let taken = self.possible.set(s);
        let certain = self.certain.as_ref().map_or(Set::EMPTY, |c| c.set(s));
        let fall = s.complement(certain);
        let mut summary = Summary { fall, ..Summary::DROP };
        match self.action {
            0 => summary.accept = taken,
            1 => (summary.accept, summary.open) = (taken, taken),
            2 => summary.ret = taken,
            _ => {}
        }
        summary
    }
}

/// Walks a packet through the rules by the book, both futures where a match is uncertain.
fn walk(rules: &[Rule], packet: &Packet) -> Outcomes {
    let mut outcomes = 0;
    for rule in rules {
        if rule.possible.contains(packet) {
            outcomes |= [0b001, 0b011, 0b100, 0][usize::from(rule.action)];
            if rule.certain.is_some() {
                return outcomes;
            }
        }
    }
    outcomes | 8
}

proptest! {
    #[test]
    fn a_list_does_what_its_rules_do_in_order(
        rules in prop::collection::vec(any_rule(), 0..12),
        packets in any_packets(40),
        cut in 0..12_usize,
    ) {
        let mut s = Space::new();
        let summaries: Vec<Summary> = rules.iter().map(|rule| rule.summary(&mut s)).collect();
        let whole = s.compose_all(&summaries);
        for packet in &packets {
            let sets = [whole.accept, whole.open, whole.ret, whole.fall];
            let bits = sets.iter().enumerate().map(|(i, set)| u8::from(s.contains(*set, packet)) << i);
            let got: Outcomes = bits.sum();
            prop_assert_eq!(got, walk(&rules, packet));
        }
        prop_assert!(s.is_subset(whole.open, whole.accept));
        // Associative: any cut gives the same numbers.
        let (left, right) = summaries.split_at(cut.min(summaries.len()));
        let (left, right) = (s.compose_all(left), s.compose_all(right));
        prop_assert_eq!(s.compose(&left, &right), whole);
    }
}
