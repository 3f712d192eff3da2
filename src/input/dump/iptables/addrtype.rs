//! `-m addrtype`: what the kernel's own routing calls an address.
//!
//! IPv4 (`net/netfilter/xt_addrtype.c`, `inet_dev_addr_type`): 0.0.0.0/8 and 255.255.255.255 are BROADCAST,
//! 224.0.0.0/4 is MULTICAST, then the `local` table decides between LOCAL (own addresses, 127.0.0.0/8),
//! BROADCAST (those of own subnets, which differ between kernels) and UNICAST, all the rest. IPv6 (`match_type6`):
//! LOCAL is a local route, UNICAST anything but `::` and groups, and several types must hold together.

use super::condition::Condition;
use super::rule::{Opening, Outcome, RuleReader, error, plain};
use crate::header::{AddressRange, Family};
use crate::model::{Match, Test};
use crate::source::Span;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Source or destination: how its tests are made.
struct Side {
    own: Test,
    within: fn(Vec<AddressRange>) -> Test,
}

/// Reads the value of `--src-type` or `--dst-type`.
pub(super) fn option(reader: &mut RuleReader<'_, '_, '_>, source: bool, mut opening: Opening) -> Outcome<()> {
    let text = reader.value(&mut opening)?;
    let span = opening.span;
    let side = match source {
        true => Side { own: Test::SourceIsOwn, within: Test::Source },
        false => Side { own: Test::DestinationIsOwn, within: Test::Destination },
    };
    let types: Vec<String> = text.value.split(',').map(str::to_ascii_uppercase).collect();
    const KNOWN: &str = "UNSPEC UNICAST LOCAL BROADCAST ANYCAST MULTICAST BLACKHOLE UNREACHABLE PROHIBIT THROW \
                         NAT XRESOLVE";
    if let Some(unknown) = types.iter().find(|word| !KNOWN.split_ascii_whitespace().any(|k| k == *word)) {
        return Err(error(text.span, format!("`{unknown}` is not a type of address")));
    }
    let family = reader.context.family;
    let unknown = || reader.context.unknown_test(span);
    let condition = match family {
        Family::V4 => v4(&types, &side, opening, unknown),
        Family::V6 => v6(&types, &side, opening, unknown),
    };
    reader.push(condition, span);
    Ok(())
}

fn block(low: Ipv4Addr, high: Ipv4Addr) -> AddressRange {
    AddressRange { low: low.into(), high: high.into() }
}

fn loopback() -> Vec<AddressRange> {
    vec![block(Ipv4Addr::new(127, 0, 0, 0), Ipv4Addr::new(127, 255, 255, 255))]
}

fn groups() -> Vec<AddressRange> {
    vec![block(Ipv4Addr::new(224, 0, 0, 0), Ipv4Addr::new(239, 255, 255, 255))]
}

/// What is a broadcast address on every device.
fn everywhere() -> Vec<AddressRange> {
    vec![
        block(Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(0, 255, 255, 255)),
        block(Ipv4Addr::BROADCAST, Ipv4Addr::BROADCAST),
    ]
}

fn v4(types: &[String], side: &Side, opening: Opening, mut unknown: impl FnMut() -> Test) -> Condition {
    let (negated, span) = (opening.negated, opening.span);
    let not = |test: Test| Match { test, negated: true, span };
    let unicast = || {
        let others = [loopback(), groups(), everywhere()].concat();
        vec![not(side.own.clone()), not((side.within)(others))]
    };
    let mut lists: Vec<Vec<Match>> = Vec::new();
    for kind in types {
        match kind.as_str() {
            "LOCAL" => {
                lists.extend([side.own.clone(), (side.within)(loopback())].map(|t| vec![plain(t, span)]))
            }
            "MULTICAST" => lists.push(vec![plain((side.within)(groups()), span)]),
            "BROADCAST" => {
                lists.push(vec![plain((side.within)(everywhere()), span)]);
                // Of the rest, those of own subnets: which these are is not asked here.
                let rest = if negated { Vec::new() } else { unicast() };
                lists.push([rest, vec![plain(unknown(), span)]].concat());
            }
            "UNICAST" if !negated => lists.push([unicast(), vec![plain(unknown(), span)]].concat()),
            _ => lists.push(vec![plain(unknown(), span)]),
        }
    }
    if !negated {
        return Condition::any(lists);
    }
    // None of the lists: each holds a single test here, so that turning each round is enough.
    let each = lists.into_iter().flatten();
    Condition::all(each.map(|one| Match { negated: !one.negated, ..one }).collect())
}

fn v6(types: &[String], side: &Side, opening: Opening, mut unknown: impl FnMut() -> Test) -> Condition {
    let Opening { negated, span } = opening;
    let within = |low: Ipv6Addr, high: Ipv6Addr| {
        (side.within)(vec![AddressRange { low: low.into(), high: high.into() }])
    };
    let groups = || within(Ipv6Addr::from(0xff << 120), Ipv6Addr::from(u128::MAX));
    let unspecified = || within(Ipv6Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
    let one = |test: Test, negated: bool| Match { test, negated, span };
    match types {
        [only] if only == "LOCAL" => {
            let loopback = within(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
            either(side.own.clone(), loopback, negated, span)
        }
        [only] if only == "MULTICAST" => Condition::test(groups(), negated, span),
        [only] if only == "UNSPEC" => Condition::test(unspecified(), negated, span),
        [only] if only == "UNICAST" && negated => either(groups(), unspecified(), false, span),
        [only] if only == "UNICAST" => Condition::all(vec![one(groups(), true), one(unspecified(), true)]),
        _ => Condition::test(unknown(), false, span),
    }
}

/// One of two tests, or neither of them.
fn either(a: Test, b: Test, negated: bool, span: Span) -> Condition {
    let [a, b] = [a, b].map(|test| Match { test, negated, span });
    match negated {
        true => Condition::all(vec![a, b]),
        false => Condition::any(vec![vec![a], vec![b]]),
    }
}
