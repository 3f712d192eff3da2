//! Whether one condition of a rule holds for one packet: yes, no, or nobody knows.

use super::Question;
use super::filter::Sight;
use super::marks::{ConnectionMark, Marks};
use super::view::View;
use crate::header::{AddressRange, Fragment, Packet, proto};
use crate::model::filter::interface_test;
use crate::model::{
    Assumption, InterfaceId, Match, Network, NodeId, Reading, Rule, Service, State, Test, UnknownId,
};
use std::net::IpAddr;

/// An answer that may be open. Certain yes is m⁻, certain no is the complement of m⁺ (SEMANTICS.md section 4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Truth {
    /// Certainly.
    Yes,
    /// Certainly not.
    No,
    /// Not known, because of these.
    Maybe(Vec<UnknownId>),
}

impl Truth {
    fn of(holds: bool) -> Truth {
        if holds { Truth::Yes } else { Truth::No }
    }

    fn and(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::No, _) | (_, Truth::No) => Truth::No,
            (Truth::Yes, rest) | (rest, Truth::Yes) => rest,
            (Truth::Maybe(mut one), Truth::Maybe(two)) => {
                one.extend(two);
                Truth::Maybe(one)
            }
        }
    }

    fn or(self, other: Truth) -> Truth {
        match (self, other) {
            (Truth::Yes, _) | (_, Truth::Yes) => Truth::Yes,
            (Truth::No, rest) | (rest, Truth::No) => rest,
            (Truth::Maybe(mut one), Truth::Maybe(two)) => {
                one.extend(two);
                Truth::Maybe(one)
            }
        }
    }
}

/// The answer to a test and the answer to its negation. They are opposites but in two cases: a test that nobody
/// understands is open both ways, and one that cannot see what it asks for is no both ways.
struct Answer {
    plain: Truth,
    negated: Truth,
}

impl Answer {
    fn of(holds: bool) -> Answer {
        Answer { plain: Truth::of(holds), negated: Truth::of(!holds) }
    }

    /// Neither the test nor its negation holds.
    fn blind() -> Answer {
        Answer { plain: Truth::No, negated: Truth::No }
    }
}

/// Whether all conditions of a rule hold.
pub(super) fn rule_matches(view: &View<'_>, rule: &Rule, sight: &Sight<'_>) -> Truth {
    let mut all = Truth::Yes;
    for one in &rule.matches {
        all = all.and(match_holds(view, one, sight));
        if all == Truth::No {
            break;
        }
    }
    all
}

fn match_holds(view: &View<'_>, one: &Match, sight: &Sight<'_>) -> Truth {
    let answer = ask(view, &one.test, sight);
    if one.negated { answer.negated } else { answer.plain }
}

fn ask(view: &View<'_>, test: &Test, sight: &Sight<'_>) -> Answer {
    let packet = sight.packet;
    match test {
        Test::Source(ranges) => Answer::of(within(ranges, packet.src)),
        Test::Destination(ranges) => Answer::of(within(ranges, packet.dst)),
        Test::Family(family) => Answer::of(packet.family() == *family),
        Test::Protocol(ranges) => Answer::of(ranges.iter().any(|(l, h)| (*l..=*h).contains(&packet.proto))),
        Test::Service(services) => any_service(view, services, sight),
        Test::SourcePort(ranges) => ports(view, sight, |p| has(ranges, p.sport)),
        Test::DestinationPort(ranges) => ports(view, sight, |p| has(ranges, p.dport)),
        Test::EitherPort(ranges) => ports(view, sight, |p| has(ranges, p.sport) || has(ranges, p.dport)),
        Test::TcpFlags { mask, value } => {
            let is_tcp = packet.proto == proto::TCP;
            if is_tcp && is_blind(view, sight) {
                return Answer::blind();
            }
            Answer::of(is_tcp && packet.flags & mask == *value)
        }
        Test::Fragment(parts) => {
            let seen = if reassembles(view, sight.node) { Fragment::Whole } else { packet.fragment };
            Answer::of(parts.contains(&seen))
        }
        Test::State(states) => Answer::of(states.contains(&sight.state)),
        Test::InZone(_) | Test::OutZone(_) | Test::InVrf(_) | Test::InName(_) | Test::OutName(_) => {
            let holds = interface_test(test, view.network, sight.incoming, sight.outgoing);
            Answer::of(holds == Some(true))
        }
        Test::SourceIsOwn => Answer::of(view.is_own(sight.node, packet.src)),
        Test::DestinationIsOwn => Answer::of(view.is_own(sight.node, packet.dst)),
        Test::Mark { of, mask, values } => match sight.marks.of(*of) {
            ConnectionMark::Is(mark) => {
                Answer::of(values.iter().any(|(low, high)| (*low..=*high).contains(&(mark & mask))))
            }
            ConnectionMark::Absent => Answer::blind(),
            ConnectionMark::Open => {
                Answer { plain: Truth::Maybe(Vec::new()), negated: Truth::Maybe(Vec::new()) }
            }
        },
        Test::Translated(end) => match sight.marks.status.says(*end) {
            Some(Some(is_translated)) => Answer::of(is_translated),
            Some(None) => Answer { plain: Truth::Maybe(Vec::new()), negated: Truth::Maybe(Vec::new()) },
            // iptables says that what has no connection is not translated, and nftables says nothing.
            None => Answer { plain: Truth::No, negated: Truth::Maybe(Vec::new()) },
        },
        Test::Any(matches) => any_match(view, matches, sight),
        Test::Unknown(id) => Answer { plain: Truth::Maybe(vec![*id]), negated: Truth::Maybe(vec![*id]) },
    }
}

/// Whether the device cannot see ports, ICMP types and TCP flags of this packet: a later fragment at a device that
/// does not put datagrams together before it filters (SEMANTICS.md section 3.6).
fn is_blind(view: &View<'_>, sight: &Sight<'_>) -> bool {
    sight.packet.fragment == Fragment::Later && !reassembles(view, sight.node)
}

/// Whether the device puts datagrams together before it filters, so that it sees whole ones only.
fn reassembles(view: &View<'_>, node: NodeId) -> bool {
    view.tracks(node) || view.network.assumes(Assumption::Reassembled)
}

fn ports(view: &View<'_>, sight: &Sight<'_>, holds: impl Fn(&Packet) -> bool) -> Answer {
    let has_ports = proto::has_ports(sight.packet.proto);
    if has_ports && is_blind(view, sight) {
        return Answer::blind();
    }
    Answer::of(has_ports && holds(sight.packet))
}

fn any_service(view: &View<'_>, services: &[Service], sight: &Sight<'_>) -> Answer {
    let blind = is_blind(view, sight);
    let each = services.iter().map(|service| {
        // What is of another protocol is seen not to be the service.
        let concerns = service.protocol.is_none_or(|protocol| protocol == sight.packet.proto);
        if blind && concerns && service.names_ports() {
            Answer::blind()
        } else {
            Answer::of(service.contains(sight.packet))
        }
    });
    any(each)
}

fn any_match(view: &View<'_>, matches: &[Match], sight: &Sight<'_>) -> Answer {
    any(matches.iter().map(|one| {
        let Answer { plain, negated } = ask(view, &one.test, sight);
        if one.negated { Answer { plain: negated, negated: plain } } else { Answer { plain, negated } }
    }))
}

/// One of several: holds if one does; its negation holds if the negation of each does.
fn any(each: impl Iterator<Item = Answer>) -> Answer {
    each.fold(Answer::of(false), |so_far, next| Answer {
        plain: so_far.plain.or(next.plain),
        negated: so_far.negated.and(next.negated),
    })
}

fn within(ranges: &[AddressRange], address: IpAddr) -> bool {
    ranges.iter().any(|range| range.contains(address))
}

fn has(ranges: &[(u16, u16)], port: u16) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&port))
}

/// Whether all conditions of a rule certainly hold for a packet at a node, as a new one and by *must*, whatever marks it has.
pub fn certainly_matches(
    network: &Network,
    node: NodeId,
    rule: &Rule,
    packet: &Packet,
    incoming: Option<InterfaceId>,
    outgoing: Option<InterfaceId>,
) -> bool {
    let question = Question::default();
    let view = View::new(network, Reading::Must, &question);
    let marks = Marks::default();
    let sight = Sight { packet, node, incoming, outgoing, state: State::New, marks };
    !rule.matches.iter().any(asks_mark) && rule_matches(&view, rule, &sight) == Truth::Yes
}

fn asks_mark(one: &Match) -> bool {
    match &one.test {
        Test::Any(any) => any.iter().any(asks_mark),
        test => matches!(test, Test::Mark { .. }),
    }
}
