//! Filters: ordered rules in chains, first match wins. One shape for a policy text and for netfilter tables.
//!
//! Every match is read as a pair m⁻ ⊆ m⁺ (SEMANTICS.md section 4.2): a rule whose match holds an
//! [`Test::Unknown`] certainly matches nothing and possibly matches what its other tests leave.

use super::id::{FilterId, InterfaceId, UnknownId, VrfId, ZoneId};
use super::mark::{MarkChange, Marked};
use super::network::Network;
use super::service::Service;
use super::translation::{End, Translation};
use crate::header::{AddressRange, Family, Fragment};
use crate::source::Span;

/// A filter: the chains that one text defines. Shared by all nodes that name it.
#[derive(Debug, Clone)]
pub struct Filter {
    /// The name of the policy, or of the dumped table.
    pub name: String,
    /// Where it begins.
    pub span: Span,
    /// Its chains; hooks and jumps refer to their positions. Jumps form no cycle.
    pub chains: Vec<Chain>,
    /// What its rules translate packets to; [`Action::Translate`] refers to their positions.
    pub translations: Vec<Translation>,
    /// Whether a device with this filter tracks connections, and so reassembles fragments first.
    pub tracks: bool,
    /// Whether an ICMP error of the device itself counts as related to the packet that it is about, were that the first of a
    /// connection. With netfilter it does; a policy means errors about open connections.
    pub relates_own_errors: bool,
}

impl Filter {
    /// Whether something that begins in a chain may be rejected there, or in a chain that a jump leads to. A target
    /// that is not understood may reject.
    pub fn rejects_from(&self, chain: usize) -> bool {
        let mut seen = vec![false; self.chains.len()];
        let mut open = vec![chain];
        while let Some(at) = open.pop() {
            let Some(chain) = self.chains.get(at) else { continue };
            if std::mem::replace(&mut seen[at], true) {
                continue;
            }
            for action in chain.rules.iter().map(|rule| rule.action).chain(chain.policy) {
                match action {
                    Action::Reject | Action::Unknown(_) => return true,
                    Action::Jump(to) | Action::Goto(to) => open.push(to),
                    Action::Accept
                    | Action::Drop
                    | Action::Return
                    | Action::Continue
                    | Action::Mark(_)
                    | Action::Translate(_) => {}
                }
            }
        }
        false
    }
}

impl Filter {
    /// Whether some condition of a rule, or a part of one, is such a test.
    pub fn asks(&self, wanted: &dyn Fn(&Test) -> bool) -> bool {
        fn holds(one: &Match, wanted: &dyn Fn(&Test) -> bool) -> bool {
            match &one.test {
                Test::Any(any) => any.iter().any(|part| holds(part, wanted)),
                test => wanted(test),
            }
        }
        let rules = self.chains.iter().flat_map(|chain| &chain.rules);
        rules.flat_map(|rule| &rule.matches).any(|one| holds(one, wanted))
    }
}

/// A list of rules.
#[derive(Debug, Clone)]
pub struct Chain {
    /// Its name.
    pub name: String,
    /// Where it is declared; the place of its `default` or policy if it has one.
    pub span: Span,
    /// The rules in order.
    pub rules: Vec<Rule>,
    /// What happens behind the last rule; `None` returns to the caller (and accepts, if there is none).
    /// What it accepts opens a connection, as a rule without `stateless` does.
    pub policy: Option<Action>,
}

/// A rule.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The name that the text gives it: `rule web-in`, or the rule's number in its chain.
    pub name: String,
    /// The whole rule.
    pub span: Span,
    /// All of these must match.
    pub matches: Vec<Match>,
    /// What it then does.
    pub action: Action,
    /// Whether what it accepts opens a connection (`stateless` rules do not).
    pub opens: bool,
}

/// One condition of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Match {
    /// What is asked.
    pub test: Test,
    /// Whether the answer is turned round.
    pub negated: bool,
    /// Where it is written.
    pub span: Span,
}

/// What a condition asks of a packet. Tests on ports, flags and ICMP types look at the protocol too, and on
/// a device that does not track connections a later fragment passes none of them, negated or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Test {
    /// The source address is in one of the ranges.
    Source(Vec<AddressRange>),
    /// The destination address is in one of the ranges.
    Destination(Vec<AddressRange>),
    /// The packet is of this family.
    Family(Family),
    /// The protocol number is in one of the ranges.
    Protocol(Vec<(u8, u8)>),
    /// The packet is of one of the services.
    Service(Vec<Service>),
    /// The source port, of TCP, UDP, SCTP, DCCP or UDP-Lite, is in one of the ranges.
    SourcePort(Vec<(u16, u16)>),
    /// The destination port, likewise.
    DestinationPort(Vec<(u16, u16)>),
    /// Either port, likewise.
    EitherPort(Vec<(u16, u16)>),
    /// The TCP flags under the mask are exactly these.
    TcpFlags {
        /// The bits that are looked at.
        mask: u8,
        /// The value that they must have.
        value: u8,
    },
    /// The packet is one of these parts of its datagram.
    Fragment(Vec<Fragment>),
    /// The connection state is one of these.
    State(Vec<State>),
    /// It came in on an interface of the zone.
    InZone(ZoneId),
    /// It goes out on an interface of the zone.
    OutZone(ZoneId),
    /// It came in on an interface of the VRF.
    InVrf(VrfId),
    /// It came in on the interface of this name; a final `+` stands for any rest (iptables).
    InName(String),
    /// It goes out on the interface of this name, likewise.
    OutName(String),
    /// The source is one of the device's own addresses.
    SourceIsOwn,
    /// The destination is one of the device's own addresses.
    DestinationIsOwn,
    /// A mark under the mask is in one of the ranges. What has no connection has none of a connection, and then neither the test
    /// holds nor its negation.
    Mark {
        /// Whose mark.
        of: Marked,
        /// The bits that are looked at.
        mask: u32,
        /// The values that they may have, ends included.
        values: Vec<(u32, u32)>,
    },
    /// The device has translated this end of its connection by now (`IPS_SRC_NAT`, `IPS_DST_NAT`). Of a first packet that is
    /// never the source: sources are translated behind every list.
    Translated(End),
    /// Any of these matches: a set that mixes zones and addresses. As a pair (SEMANTICS.md section 4.2) it is
    /// the union of theirs, bound by bound. All of several is several matches of one rule, or the negation
    /// of any of the negations.
    Any(Vec<Match>),
    /// Not understood: nobody knows what it matches.
    Unknown(UnknownId),
}

/// The connection state of a packet at a device (SEMANTICS.md section 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It opens a connection.
    New,
    /// It repeats or reverses an open tuple.
    Established,
    /// It is an error about an open tuple, or belongs to a helper's expectation.
    Related,
    /// The tracker can make nothing of it.
    Invalid,
    /// The tracker was told to leave it alone.
    Untracked,
}

impl State {
    /// All states in the order of the enum.
    pub const ALL: [State; 5] =
        [State::New, State::Established, State::Related, State::Invalid, State::Untracked];
}

/// What a rule does with what it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Lets it pass; the list ends.
    Accept,
    /// Drops it without a word.
    Drop,
    /// Drops it and answers the source (SEMANTICS.md section 3.3).
    Reject,
    /// Runs another chain of the filter, then goes on behind this rule.
    Jump(usize),
    /// Runs another chain of the filter, then goes on where this chain was called.
    Goto(usize),
    /// Goes on where this chain was called.
    Return,
    /// Goes on with the next rule (a counter, a log line).
    Continue,
    /// Sets a mark, and goes on with the next rule.
    Mark(MarkChange),
    /// Lets it pass as something else; the list ends. Only chains that a node translates with hold such rules.
    Translate(usize),
    /// Not understood: it may accept, drop, or go on.
    Unknown(UnknownId),
}

/// A chain bound to a stage of a node or an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hook {
    /// The filter.
    pub filter: FilterId,
    /// The position of the chain in it.
    pub chain: usize,
    /// The family that it binds; `None` is both.
    pub family: Option<Family>,
}

/// Where in its walk through a node a packet meets a filter (SEMANTICS.md section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// On receive, by the list of the interface.
    Ingress,
    /// Of what comes in, before it is translated and routed.
    Prerouting,
    /// Before local delivery.
    Input,
    /// Between two interfaces.
    Forward,
    /// For what the device itself sends, as it made it.
    EarlyOutput,
    /// For what the device itself sends, once its destination is translated. The out-interface is still that of the first
    /// routing.
    Output,
    /// For what the device itself sends, by the interface by which it leaves.
    LateOutput,
    /// Before sending, by the list of the interface.
    Egress,
}

/// What Linux calls the loopback.
const LOOPBACK_NAME: &str = "lo";

/// Whether the name of an interface fits a pattern of iptables: exact, or a prefix followed by `+`.
pub fn name_fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('+') {
        Some(prefix) => name.starts_with(prefix),
        None => name == pattern,
    }
}

/// Whether an interface condition holds for the interfaces of a packet; `None` if the interfaces alone do not
/// settle it. An absent interface (the out-interface of the input stage) fits no name, no zone and no VRF.
pub fn interface_test(
    test: &Test,
    network: &Network,
    incoming: Option<InterfaceId>,
    outgoing: Option<InterfaceId>,
) -> Option<bool> {
    let described = |id: Option<InterfaceId>| {
        id.filter(|id| *id != InterfaceId::LOOPBACK).map(|id| network.interface(id))
    };
    let zone = |id: Option<InterfaceId>, zone: ZoneId| described(id).is_some_and(|i| i.zone == Some(zone));
    let name = |id: Option<InterfaceId>, pattern: &str| match id {
        Some(InterfaceId::LOOPBACK) => name_fits(pattern, LOOPBACK_NAME),
        id => described(id).is_some_and(|interface| name_fits(pattern, &interface.name)),
    };
    match test {
        Test::InZone(z) => Some(zone(incoming, *z)),
        Test::OutZone(z) => Some(zone(outgoing, *z)),
        Test::InVrf(vrf) => Some(described(incoming).is_some_and(|interface| interface.vrf == Some(*vrf))),
        Test::InName(pattern) => Some(name(incoming, pattern)),
        Test::OutName(pattern) => Some(name(outgoing, pattern)),
        Test::Any(matches) => {
            let answers = matches.iter().map(|one| {
                interface_test(&one.test, network, incoming, outgoing).map(|holds| holds != one.negated)
            });
            // One that holds is enough; else every other must be settled too.
            let answers: Vec<Option<bool>> = answers.collect();
            if answers.contains(&Some(true)) {
                Some(true)
            } else if answers.contains(&None) {
                None
            } else {
                Some(false)
            }
        }
        Test::Source(_)
        | Test::Destination(_)
        | Test::Family(_)
        | Test::Protocol(_)
        | Test::Service(_)
        | Test::SourcePort(_)
        | Test::DestinationPort(_)
        | Test::EitherPort(_)
        | Test::TcpFlags { .. }
        | Test::Fragment(_)
        | Test::State(_)
        | Test::SourceIsOwn
        | Test::DestinationIsOwn
        | Test::Mark { .. }
        | Test::Translated(_)
        | Test::Unknown(_) => None,
    }
}
