//! From a field and what it may hold to tests of the model.

use super::address_type;
use super::field::{Field, have_ports};
use super::ranges::{self, Ranges, has, last};
use super::scope::Scope;
use super::value::Values;
use super::words;
use crate::header::{AddressRange, Family, address_from_number, proto};
use crate::input::dump::iptables::Side;
use crate::model::{Marked, Match, Service, State, Test};
use crate::source::Span;

/// Headers of IPv6 that the kernel walks over to find the protocol, so that none of them is the last.
const WALKED_OVER: Ranges_ = &[(0, 0), (43, 44), (51, 51), (60, 60)];

/// Headers of IPv6 that may stand before the last one.
const BEFORE_THE_LAST: Ranges_ = &[(0, 0), (43, 44), (51, 51), (60, 60), (135, 135), (139, 140)];

type Ranges_ = &'static [(u128, u128)];

/// The tests that all must hold for a field to hold one of the values; `None` if it never does.
///
/// `known` are conditions that the packet fits anyway: of a packet whose protocol has no ports, `th dport` reads
/// something else.
pub(super) fn of_field(
    field: Field,
    values: &Values,
    span: Span,
    known: &[Match],
    scope: &mut Scope<'_>,
) -> Option<Vec<Match>> {
    let plain = |test: Test| Match { test, negated: false, span };
    let ranges = match values {
        Values::Numbers(ranges) => ranges,
        Values::Names { patterns, others } => return names(field, patterns, *others, span),
    };
    if ranges.is_empty() {
        return None;
    }
    // What has no connection has no mark of one.
    let may_lack = matches!(field, Field::Mark { of: Marked::Connection, .. });
    if !may_lack && field.bits().is_some_and(|bits| ranges.as_slice() == [(0, last(bits))]) {
        return Some(Vec::new());
    }
    if !scope.takes(ranges.len()) {
        return Some(vec![scope.unknown_match(span)]);
    }
    let test = match field {
        Field::Address(side, family) => {
            let address = |number| address_from_number(family, number);
            let range =
                |(low, high): &(u128, u128)| AddressRange { low: address(*low), high: address(*high) };
            let made = ranges.iter().map(range).collect();
            match side {
                Side::Source => Test::Source(made),
                Side::Destination => Test::Destination(made),
            }
        }
        Field::Protocol => return Some(protocols(ranges, span, known, scope)),
        Field::NextHeader => return Some(next_header(ranges, span, scope)),
        Field::Port(side) => return Some(ports(side, ranges, span, known, scope)),
        Field::Flags => flags(ranges, span),
        Field::IcmpType(family) => {
            services(ranges, |icmp_types| Service { icmp_types, ..Service::protocol(family.icmp()) })
        }
        Field::IcmpCode(family) => {
            services(ranges, |icmp_codes| Service { icmp_codes, ..Service::protocol(family.icmp()) })
        }
        Field::State => {
            let held = State::ALL.into_iter().filter(|state| has(ranges, bit(*state)));
            let held: Vec<State> = held.collect();
            match held.len() {
                0 => return None,
                all if all == State::ALL.len() => return Some(Vec::new()),
                _ => Test::State(held),
            }
        }
        Field::Mark { of, mask } => Test::Mark { of, mask, values: words(ranges) },
        Field::NfProto => return families(ranges, &[2, 10], span, scope),
        Field::Frame => return families(ranges, &[0x0800, 0x86dd], span, scope),
        Field::AddressType { side, limited } => {
            return Some(vec![address_type::test(side, limited, ranges, span, scope)]);
        }
        Field::Status | Field::Offset | Field::InName | Field::OutName | Field::Unclear => {
            scope.unknown_test(span)
        }
    };
    Some(vec![plain(test)])
}

/// All of several tests as one.
pub(super) fn all(mut matches: Vec<Match>, span: Span) -> Match {
    if matches.len() == 1
        && let Some(only) = matches.pop()
    {
        return only;
    }
    matches.iter_mut().for_each(|one| one.negated = !one.negated);
    Match { test: Test::Any(matches), negated: true, span }
}

/// Any of several tests as one.
pub(super) fn any(mut matches: Vec<Match>, span: Span) -> Match {
    if matches.len() == 1
        && let Some(only) = matches.pop()
    {
        return only;
    }
    Match { test: Test::Any(matches), negated: false, span }
}

fn names(field: Field, patterns: &[String], others: bool, span: Span) -> Option<Vec<Match>> {
    // `*` alone fits also where there is no interface.
    if patterns.iter().any(|pattern| pattern == "+") {
        return if others { None } else { Some(Vec::new()) };
    }
    if patterns.is_empty() {
        return others.then(Vec::new);
    }
    let one = |pattern: &String| {
        let test = match field {
            Field::OutName => Test::OutName(pattern.clone()),
            _ => Test::InName(pattern.clone()),
        };
        Match { test, negated: others, span }
    };
    let each = patterns.iter().map(one).collect();
    Some(if others { each } else { vec![any(each, span)] })
}

fn bytes(ranges: &Ranges) -> Vec<(u8, u8)> {
    let byte = |number: u128| u8::try_from(number).unwrap_or(u8::MAX);
    ranges.iter().map(|(low, high)| (byte(*low), byte(*high))).collect()
}

fn words(ranges: &Ranges) -> Vec<(u32, u32)> {
    let word = |number: u128| u32::try_from(number).unwrap_or(u32::MAX);
    ranges.iter().map(|(low, high)| (word(*low), word(*high))).collect()
}

fn services(ranges: &Ranges, service: impl Fn((u8, u8)) -> Service) -> Test {
    Test::Service(bytes(ranges).into_iter().map(service).collect())
}

fn within(ranges: &Ranges, some: Ranges_) -> Ranges {
    ranges::where_holds(8, |number| {
        has(ranges, number) && some.iter().any(|(low, high)| (*low..=*high).contains(&number))
    })
}

fn protocols(ranges: &Ranges, span: Span, known: &[Match], scope: &mut Scope<'_>) -> Vec<Match> {
    let plain = |test: Test| Match { test, negated: false, span };
    let only_v4 = known.iter().any(|one| !one.negated && one.test == Test::Family(Family::V4));
    let walked = within(ranges, WALKED_OVER);
    if walked.is_empty() || only_v4 || !scope.sees(Family::V6) {
        return vec![plain(Test::Protocol(bytes(ranges)))];
    }
    let rest: Ranges = ranges::where_holds(8, |number| has(ranges, number) && !has(&walked, number));
    let doubtful = vec![plain(Test::Protocol(bytes(&walked))), scope.unknown_match(span)];
    let mut either = vec![all(doubtful, span)];
    if scope.sees(Family::V4) {
        let of_v4 = vec![plain(Test::Protocol(bytes(&walked))), plain(Test::Family(Family::V4))];
        either.push(all(of_v4, span));
    }
    if !rest.is_empty() {
        either.push(plain(Test::Protocol(bytes(&rest))));
    }
    vec![any(either, span)]
}

/// The model knows the last header only. The first may be another one, if that is one of those that stand before.
fn next_header(ranges: &Ranges, span: Span, scope: &mut Scope<'_>) -> Vec<Match> {
    let before: u128 = BEFORE_THE_LAST.iter().map(|(low, high)| high - low + 1).sum();
    let fitting: u128 = within(ranges, BEFORE_THE_LAST).iter().map(|(low, high)| high - low + 1).sum();
    let plain = Match { test: Test::Protocol(bytes(ranges)), negated: false, span };
    let unknown = scope.unknown_match(span);
    if fitting == 0 {
        vec![plain, unknown]
    } else if fitting == before {
        vec![any(vec![plain, unknown], span)]
    } else {
        vec![unknown]
    }
}

fn ports(side: Side, ranges: &Ranges, span: Span, known: &[Match], scope: &mut Scope<'_>) -> Vec<Match> {
    let port = |number: u128| u16::try_from(number).unwrap_or(u16::MAX);
    let made: Vec<(u16, u16)> = ranges.iter().map(|(low, high)| (port(*low), port(*high))).collect();
    let test = match side {
        Side::Source => Test::SourcePort(made),
        Side::Destination => Test::DestinationPort(made),
    };
    let plain = Match { test, negated: false, span };
    if have_ports(known.iter()) {
        return vec![plain];
    }
    // Of any other protocol, the same bytes mean something else.
    let numbers = (0..=u8::MAX).filter(|number| proto::has_ports(*number)).map(|number| (number, number));
    let foreign = Match { test: Test::Protocol(numbers.collect()), negated: true, span };
    let unknown = scope.unknown_match(span);
    vec![any(vec![plain, all(vec![foreign, unknown], span)], span)]
}

/// The number that nft knows a state by.
fn bit(state: State) -> u128 {
    let word = match state {
        State::New => "new",
        State::Established => "established",
        State::Related => "related",
        State::Invalid => "invalid",
        State::Untracked => "untracked",
    };
    words::STATES.iter().find(|(name, _)| *name == word).map_or(0, |(_, bit)| *bit)
}

/// Flags of TCP that hold one of the values: as few pairs of mask and value as halving finds.
fn flags(ranges: &Ranges, span: Span) -> Test {
    let mut found = Vec::new();
    cubes(ranges, 0, 0, &mut found);
    match found.as_slice() {
        [(mask, value)] => Test::TcpFlags { mask: *mask, value: *value },
        _ => {
            let one = |(mask, value)| Match { test: Test::TcpFlags { mask, value }, negated: false, span };
            Test::Any(found.into_iter().map(one).collect())
        }
    }
}

/// Adds the pairs for the flags that agree with `value` under `mask`.
fn cubes(ranges: &Ranges, mask: u8, value: u8, found: &mut Vec<(u8, u8)>) {
    let fits = |number: &u8| number & mask == value;
    let held = (0..=u8::MAX).filter(fits).filter(|number| has(ranges, u128::from(*number))).count();
    let whole = 1_usize << mask.count_zeros();
    if held == whole {
        found.push((mask, value));
    } else if held > 0 {
        // The bit that tells most: the one on which the values that hold are least alike.
        let free = (0..8).map(|bit| 1_u8 << bit).filter(|bit| mask & bit == 0);
        let with = |bit: u8| {
            let set = |number: &u8| number & bit != 0;
            let held = |number: &u8| has(ranges, u128::from(*number));
            (0..=u8::MAX).filter(fits).filter(set).filter(held).count()
        };
        let best = free.max_by_key(|bit| with(*bit).abs_diff(held - with(*bit)));
        let Some(bit) = best else { return };
        cubes(ranges, mask | bit, value | bit, found);
        cubes(ranges, mask | bit, value, found);
    }
}

/// The families of IP among numbers.
fn families(ranges: &Ranges, numbers: &[u128; 2], span: Span, scope: &Scope<'_>) -> Option<Vec<Match>> {
    let held = [Family::V4, Family::V6].map(|family| has(ranges, numbers[family as usize]));
    match (held, scope.only_family()) {
        ([true, true], _) => Some(Vec::new()),
        ([false, false], _) => None,
        ([v4, _], Some(only)) => (v4 == (only == Family::V4)).then(Vec::new),
        ([v4, _], None) => {
            let family = if v4 { Family::V4 } else { Family::V6 };
            Some(vec![Match { test: Test::Family(family), negated: false, span }])
        }
    }
}
