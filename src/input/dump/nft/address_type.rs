//! `fib saddr type` and `fib daddr type`: what the kernel's own routing calls an address (nft_fib_ipv4.c,
//! nft_fib_ipv6.c). The same question as `-m addrtype` of iptables.

use super::ranges::{Ranges, has, last, others};
use super::scope::Scope;
use super::test::{all, any};
use crate::header::{AddressRange, Family};
use crate::input::dump::iptables::{Side, TypeTest};
use crate::model::{Match, Test};
use crate::source::Span;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const UNICAST: u128 = 1;
const LOCAL: u128 = 2;
const BROADCAST: u128 = 3;
const ANYCAST: u128 = 4;
const MULTICAST: u128 = 5;

/// Which address, and where it is asked for.
#[derive(Clone, Copy)]
struct Asked {
    side: Side,
    /// Whether only as the interface of the packet sees it: an own address of another interface is none then.
    limited: bool,
    span: Span,
}

impl Asked {
    fn plain(self, test: Test) -> Match {
        Match { test, negated: false, span: self.span }
    }

    fn between(self, low: impl Into<IpAddr>, high: impl Into<IpAddr>) -> Match {
        let range = vec![AddressRange { low: low.into(), high: high.into() }];
        self.plain(match self.side {
            Side::Source => Test::Source(range),
            Side::Destination => Test::Destination(range),
        })
    }

    fn own(self) -> Match {
        self.plain(match self.side {
            Side::Source => Test::SourceIsOwn,
            Side::Destination => Test::DestinationIsOwn,
        })
    }
}

/// The test that an address is of one of the types.
pub(super) fn test(side: Side, limited: bool, types: &Ranges, span: Span, scope: &mut Scope<'_>) -> Match {
    let asked = Asked { side, limited, span };
    // `!=` holds for types that do not exist, too: it is read as the negation of the rest.
    if has(types, last(32)) {
        let turned = test(side, limited, &others(types, 32), span, scope);
        return Match { negated: !turned.negated, ..turned };
    }
    let mut each = Vec::new();
    for family in scope.families {
        let of_family = match family {
            Family::V4 => v4(asked, types, scope),
            Family::V6 => v6(asked, types, scope),
        };
        let fits = asked.plain(Test::Family(*family));
        each.push(if scope.only_family().is_some() { of_family } else { all(vec![fits, of_family], span) });
    }
    any(each, span)
}

fn v4(asked: Asked, types: &Ranges, scope: &mut Scope<'_>) -> Match {
    let Asked { side, limited, span } = asked;
    let groups = || asked.between(Ipv4Addr::new(224, 0, 0, 0), Ipv4Addr::new(239, 255, 255, 255));
    let broadcast = |scope: &mut Scope<'_>| {
        vec![
            asked.between(Ipv4Addr::UNSPECIFIED, Ipv4Addr::new(0, 255, 255, 255)),
            asked.between(Ipv4Addr::BROADCAST, Ipv4Addr::BROADCAST),
            if limited {
                scope.unknown_match(span)
            } else {
                asked.plain(scope.type_test(TypeTest::Broadcast, side, Family::V4, span))
            },
        ]
    };
    let anycast = |scope: &mut Scope<'_>| {
        if limited {
            scope.unknown_match(span)
        } else {
            asked.plain(scope.type_test(TypeTest::Anycast, side, Family::V4, span))
        }
    };
    let loopback = || asked.between(Ipv4Addr::new(127, 0, 0, 0), Ipv4Addr::new(127, 255, 255, 255));
    // The kernel looks for own addresses of the interface only, so that another's is no local one there.
    let local = |scope: &mut Scope<'_>| match limited {
        true => vec![all(vec![any(vec![asked.own(), loopback()], span), scope.unknown_match(span)], span)],
        false => vec![asked.own(), loopback()],
    };
    let mut each = Vec::new();
    if has(types, LOCAL) {
        each.extend(local(scope));
    }
    if has(types, BROADCAST) {
        each.extend(broadcast(scope));
    }
    if has(types, MULTICAST) {
        each.push(groups());
    }
    if has(types, ANYCAST) {
        each.push(anycast(scope));
    }
    if has(types, UNICAST) {
        let mut others = vec![groups(), anycast(scope)];
        others.extend(local(scope));
        others.extend(broadcast(scope));
        each.push(Match { negated: true, ..any_plain(others, span) });
    }
    if each.is_empty() { scope.unknown_match(span) } else { any(each, span) }
}

fn any_plain(each: Vec<Match>, span: Span) -> Match {
    Match { test: Test::Any(each), negated: false, span }
}

/// Of IPv6 only own addresses are told apart with certainty. Those of routers that all of them share (RFC 4291, 2.6.1) are
/// `anycast`.
fn v6(asked: Asked, types: &Ranges, scope: &mut Scope<'_>) -> Match {
    let Asked { side, limited, span } = asked;
    let only_local = types.as_slice() == [(LOCAL, LOCAL)];
    if limited || !only_local {
        return scope.unknown_match(span);
    }
    let shared = asked.plain(scope.type_test(TypeTest::Anycast, side, Family::V6, span));
    let own = all(vec![asked.own(), Match { negated: true, ..shared }], span);
    any(vec![own, asked.between(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST)], span)
}
