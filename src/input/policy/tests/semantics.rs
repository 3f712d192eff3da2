//! What rules mean, against a naive reading of their text: sets, negations and `self` in each chain.

use super::*;
use crate::model::{Match, Rule};
use proptest::prelude::*;
use std::net::IpAddr;

/// A term, as a reader understands it.
#[derive(Debug, Clone)]
enum Said {
    Any,
    Own,
    Zone(usize),
    Net(&'static str),
    Set(Vec<Said>),
    Not(Box<Said>),
}

/// One end of a packet at a stage.
struct End {
    zone: Option<usize>,
    address: IpAddr,
    /// Whether it is the device itself.
    is_own: bool,
}

impl Said {
    fn text(&self) -> String {
        match self {
            Said::Any => "any".to_owned(),
            Said::Own => "self".to_owned(),
            Said::Zone(zone) => format!("zone {}", ZONES[*zone]),
            Said::Net(net) => (*net).to_owned(),
            Said::Set(members) => {
                format!("{{ {} }}", members.iter().map(Said::text).collect::<Vec<_>>().join(", "))
            }
            Said::Not(inner) => format!("not {}", inner.text()),
        }
    }

    fn holds(&self, end: &End) -> bool {
        match self {
            Said::Any => true,
            Said::Own => end.is_own,
            Said::Zone(zone) => end.zone == Some(*zone),
            Said::Net(net) => range(net).contains(end.address),
            Said::Set(members) => members.iter().any(|member| member.holds(end)),
            Said::Not(inner) => !inner.holds(end),
        }
    }

    fn says_self(&self) -> bool {
        match self {
            Said::Own => true,
            Said::Set(members) => members.iter().any(Said::says_self),
            Said::Not(inner) => inner.says_self(),
            Said::Any | Said::Zone(_) | Said::Net(_) => false,
        }
    }
}

fn said() -> impl Strategy<Value = Said> {
    let leaf = prop_oneof![
        1 => Just(Said::Any),
        2 => Just(Said::Own),
        2 => (0..3_usize).prop_map(Said::Zone),
        4 => prop::sample::select(NETS).prop_map(Said::Net),
    ];
    leaf.prop_recursive(4, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Said::Set),
            inner.prop_map(|inner| Said::Not(Box::new(inner))),
        ]
    })
}

const NETS: &[&str] =
    &["10.0.0.0/8", "10.1.0.0/16", "10.1.0.20", "0.0.0.0/1", "128.0.0.0/1", "2001:db8::/32", "::/0"];

/// Addresses inside and at the edges of the prefixes, by family.
const ADDRESSES: [&[&str]; 2] = [
    &["10.1.0.20", "10.1.0.21", "10.2.0.0", "9.255.255.255", "127.255.255.255", "200.0.0.1"],
    &["2001:db8::1", "2001:db7:ffff::", "::1"],
];

/// Whether a condition of the model holds.
fn holds(one: &Match, source: &End, destination: &End) -> bool {
    let zone = |end: &End, id: ZoneId| end.zone == Some(id.index());
    let within = |end: &End, ranges: &[AddressRange]| ranges.iter().any(|range| range.contains(end.address));
    let answer = match &one.test {
        Test::Source(ranges) => within(source, ranges),
        Test::Destination(ranges) => within(destination, ranges),
        Test::InZone(id) => zone(source, *id),
        Test::OutZone(id) => zone(destination, *id),
        Test::Any(matches) => matches.iter().any(|one| holds(one, source, destination)),
        other => panic!("{other:?} is of no such rule"),
    };
    answer != one.negated
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_rule_matches_what_its_text_says(
        from in said(),
        to in said(),
        zones in (prop::option::of(0..3_usize), prop::option::of(0..3_usize)),
        family in 0..2_usize,
        picks in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
    ) {
        let rule = format!("rule a {{ allow from $f to {} }}", to.text());
        let text = format!("define f = {}\npolicy p {{ default deny {rule} }}", from.text());
        let (lowered, _, diagnostics) = lower_all(&text, None);
        // A packet has both addresses of one family.
        let address = |pick: prop::sample::Index| pick.get(ADDRESSES[family]).parse::<IpAddr>().unwrap();
        let addresses = (address(picks.0), address(picks.1));
        let never = diagnostics.has_errors();
        for part in Part::ALL {
            let (is_output, is_input) = (part == Part::Output, part == Part::Input);
            let source = End { zone: zones.0.filter(|_| !is_output), address: addresses.0, is_own: is_output };
            let destination =
                End { zone: zones.1.filter(|_| !is_input), address: addresses.1, is_own: is_input };
            let belongs = match part {
                Part::Forward => true,
                Part::Input => to.says_self(),
                Part::Output => from.says_self(),
            };
            let expected = belongs && from.holds(&source) && to.holds(&destination);
            let rules = &lowered[0].filter.chains[part.position()].rules;
            let rule = rules.iter().find(|rule| rule.name == "a");
            let all = |rule: &Rule| rule.matches.iter().all(|one| holds(one, &source, &destination));
            let found = rule.is_some_and(all);
            prop_assert_eq!(found, expected, "{} in {}", &text, part.word());
            prop_assert!(!(never && expected), "said to match never: {text}");
        }
    }
}
