//! `-m addrtype`: what the kernel's own routing calls an address.
//!
//! IPv4 (`net/netfilter/xt_addrtype.c`, `inet_dev_addr_type`): 0.0.0.0/8 and 255.255.255.255 are BROADCAST,
//! 224.0.0.0/4 is MULTICAST, then the `local` table decides between LOCAL (own addresses, 127.0.0.0/8),
//! BROADCAST, ANYCAST, and UNICAST, all the rest. Which addresses of own subnets are BROADCAST or ANYCAST is a
//! question to the whole device ([`TypeTest`]), which the dump of its routes answers.
//!
//! IPv6 (`match_type6`): LOCAL is a local route, UNICAST anything but `::` and groups, and several types must
//! hold together.

use super::condition::Condition;
use super::rule::{Opening, Outcome, RuleReader, error, plain};
use super::{Context, Side, TypeTest};
use crate::header::{AddressRange, Family};
use crate::model::{Match, Test};
use std::net::{Ipv4Addr, Ipv6Addr};

/// Source or destination: how its tests are made.
struct Ends {
    side: Side,
    own: Test,
    within: fn(Vec<AddressRange>) -> Test,
}

/// Reads the value of `--src-type` or `--dst-type`.
pub(super) fn option(reader: &mut RuleReader<'_, '_, '_>, source: bool, mut opening: Opening) -> Outcome<()> {
    let text = reader.value(&mut opening)?;
    let span = opening.span;
    let ends = match source {
        true => Ends { side: Side::Source, own: Test::SourceIsOwn, within: Test::Source },
        false => Ends { side: Side::Destination, own: Test::DestinationIsOwn, within: Test::Destination },
    };
    let types: Vec<String> = text.value.split(',').map(str::to_ascii_uppercase).collect();
    const KNOWN: &str = "UNSPEC UNICAST LOCAL BROADCAST ANYCAST MULTICAST BLACKHOLE UNREACHABLE PROHIBIT THROW \
                         NAT XRESOLVE";
    if let Some(unknown) = types.iter().find(|word| !KNOWN.split_ascii_whitespace().any(|k| k == *word)) {
        return Err(error(text.span, format!("`{unknown}` is not a type of address")));
    }
    let condition = match reader.context.family {
        Family::V4 => v4(&types, &ends, opening, reader),
        Family::V6 => v6(&types, &ends, opening, reader),
    };
    reader.push_address_type(condition, span);
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

fn v4(types: &[String], ends: &Ends, opening: Opening, reader: &mut RuleReader<'_, '_, '_>) -> Condition {
    let Opening { negated, span } = opening;
    let context = &mut *reader.context;
    let asks = |kind, context: &mut Context<'_>| plain(context.type_test(kind, ends.side, span), span);
    let is = |test: Test| plain(test, span);
    let local = || vec![is(ends.own.clone()), is((ends.within)(loopback()))];
    let mut any: Vec<Match> = Vec::new();
    for kind in types {
        match kind.as_str() {
            "LOCAL" => any.extend(local()),
            "MULTICAST" => any.push(is((ends.within)(groups()))),
            "BROADCAST" => any.extend([is((ends.within)(everywhere())), asks(TypeTest::Broadcast, context)]),
            "ANYCAST" => any.push(asks(TypeTest::Anycast, context)),
            "UNICAST" if types.len() == 1 => {
                let fixed = [is((ends.within)(groups())), is((ends.within)(everywhere()))];
                let asked = [asks(TypeTest::Broadcast, context), asks(TypeTest::Anycast, context)];
                let others = local().into_iter().chain(fixed).chain(asked).collect();
                return Condition::any(others, !negated, span);
            }
            _ => any.push(is(context.unknown_test(span))),
        }
    }
    Condition::any(any, negated, span)
}

fn v6(types: &[String], ends: &Ends, opening: Opening, reader: &mut RuleReader<'_, '_, '_>) -> Condition {
    let Opening { negated, span } = opening;
    let within = |low: Ipv6Addr, high: Ipv6Addr| {
        (ends.within)(vec![AddressRange { low: low.into(), high: high.into() }])
    };
    let groups = || within(Ipv6Addr::from(0xff << 120), Ipv6Addr::from(u128::MAX));
    let unspecified = || within(Ipv6Addr::UNSPECIFIED, Ipv6Addr::UNSPECIFIED);
    let is = |test: Test| plain(test, span);
    match types {
        [only] if only == "LOCAL" => {
            let loopback = within(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
            Condition::any(vec![is(ends.own.clone()), is(loopback)], negated, span)
        }
        [only] if only == "MULTICAST" => Condition::test(groups(), negated, span),
        [only] if only == "UNSPEC" => Condition::test(unspecified(), negated, span),
        [only] if only == "UNICAST" => Condition::any(vec![is(groups()), is(unspecified())], !negated, span),
        _ => reader.context.not_understood(span),
    }
}
