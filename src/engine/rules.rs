//! From a list of rules to the sets of packets that it accepts, by the pairs of SEMANTICS.md section 4.2.
//!
//! *May*: a match takes m⁺ into the branch, and all but m⁻ falls through. *Must*: m⁻ and all but m⁺.

use super::marks::Marks;
use super::query::{Cut, RuleRef};
use super::view::View;
use crate::header::{AddressRange, Fragment, proto};
use crate::model::filter::interface_test;
use crate::model::{
    Action, Chain, Filter, FilterId, Hook, InterfaceId, Match, Network, NodeId, Reading, Service, State, Test,
};
use crate::set::{Field, Set, Side, Space, Summary};
use rustc_hash::FxHashMap;
use std::ops::{Range, RangeInclusive};

/// What a hook accepts, by the connection state of the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accept {
    /// Accepted packets for each of [`State::ALL`].
    pub(super) states: [Set; State::ALL.len()],
    /// Packets in state `New` that are accepted by something that opens a connection.
    pub(super) opens: Set,
}

impl Accept {
    /// No filter at all.
    pub(super) const OPEN: Accept = Accept { states: [Set::FULL; State::ALL.len()], opens: Set::EMPTY };

    /// What is accepted in a state.
    pub(super) fn state(&self, state: State) -> Set {
        self.states[state as usize]
    }
}

/// Everything besides the packet that a rule may look at.
#[derive(Clone, Copy)]
pub(super) struct Situation<'a> {
    /// The network that the filter belongs to.
    pub(super) network: &'a Network,
    /// Where the packet came in.
    pub(super) incoming: Option<InterfaceId>,
    /// Where it is to go out.
    pub(super) outgoing: Option<InterfaceId>,
    /// Whether the device sees whole datagrams.
    pub(super) reassembles: bool,
    /// The device's own addresses.
    pub(super) own: &'a [AddressRange],
    /// The marks of the packet and of its connection; `None` if they may be any.
    pub(super) marks: Option<Marks>,
    /// May or must.
    pub(super) reading: Reading,
    /// Rules that are taken out.
    pub(super) cut: &'a Cut,
}

/// The sets of one hook. Chains that are called several times are compiled once.
pub(super) fn compile_hook(space: &mut Space, situation: Situation<'_>, hook: Hook) -> Accept {
    let filter = situation.network.filter(hook.filter);
    let asks_state = uses_state(filter);
    let mut states = [Set::EMPTY; State::ALL.len()];
    let mut opens = Set::EMPTY;
    for state in State::ALL {
        if state != State::New && !asks_state {
            states[state as usize] = states[State::New as usize];
            continue;
        }
        let mut list = ListCompiler::new(space, situation, hook.filter, state);
        let summary = list.chain(hook.chain);
        let passes = list.end_of_entry(hook.chain, &summary);
        states[state as usize] = list.space.union(summary.accept, passes);
        if state == State::New {
            let opening = if filter.tracks { passes } else { Set::EMPTY };
            opens = list.space.union(summary.open, opening);
        }
    }
    Accept { states, opens }
}

/// Whether some rule asks for the connection state.
pub(super) fn uses_state(filter: &Filter) -> bool {
    let mut found = false;
    each_test(filter, &mut |test| found |= matches!(test, Test::State(_)));
    found
}

/// Visits every test of a filter, those inside others too.
pub(super) fn each_test<'f>(filter: &'f Filter, visit: &mut impl FnMut(&'f Test)) {
    let mut open: Vec<&Match> = Vec::new();
    for rule in filter.chains.iter().flat_map(|chain| &chain.rules) {
        open.extend(&rule.matches);
        while let Some(m) = open.pop() {
            visit(&m.test);
            if let Test::Any(any) = &m.test {
                open.extend(any);
            }
        }
    }
}

/// Compiles the chains of a filter for packets in one state.
pub(super) struct ListCompiler<'s, 'a> {
    pub(super) space: &'s mut Space,
    situation: Situation<'a>,
    filter: &'a Filter,
    id: FilterId,
    state: State,
    known: FxHashMap<usize, Summary>,
}

impl<'s, 'a> ListCompiler<'s, 'a> {
    pub(super) fn new(
        space: &'s mut Space,
        situation: Situation<'a>,
        id: FilterId,
        state: State,
    ) -> ListCompiler<'s, 'a> {
        let filter = situation.network.filter(id);
        ListCompiler { space, situation, filter, id, state, known: FxHashMap::default() }
    }

    pub(super) fn filter(&self) -> &'a Filter {
        self.filter
    }

    pub(super) fn id(&self) -> FilterId {
        self.id
    }

    pub(super) fn cut(&self) -> &'a Cut {
        self.situation.cut
    }

    pub(super) fn reading(&self) -> Reading {
        self.situation.reading
    }

    /// Goes on with packets of other marks. What is known of chains is kept for each.
    pub(super) fn change_marks(
        &mut self,
        marks: Marks,
        kept: &mut FxHashMap<Marks, FxHashMap<usize, Summary>>,
    ) {
        if let Some(old) = self.situation.marks.replace(marks).filter(|old| *old != marks) {
            let next = kept.remove(&marks).unwrap_or_default();
            kept.insert(old, std::mem::replace(&mut self.known, next));
        }
    }

    /// A chain with its policy. The builder refuses cycles, so this ends.
    fn chain(&mut self, index: usize) -> Summary {
        if let Some(known) = self.known.get(&index) {
            return *known;
        }
        let mut parts = self.parts(index, 0..self.filter.chains[index].rules.len());
        parts.extend(self.policy(index));
        let summary = self.space.compose_all(&parts);
        self.known.insert(index, summary);
        summary
    }

    /// Some rules of a chain, those that are not taken out.
    pub(super) fn parts(&mut self, index: usize, positions: Range<usize>) -> Vec<Summary> {
        let chain: &Chain = &self.filter.chains[index];
        let mut parts = Vec::with_capacity(positions.len() + 1);
        for position in positions {
            let rule = &chain.rules[position];
            let place = RuleRef { filter: self.id, chain: index, rule: position };
            if self.situation.cut.rules.contains(&place) {
                continue;
            }
            let (certain, possible) = self.conditions(&rule.matches);
            let closed = self.situation.cut.closed.contains(&place);
            parts.push(self.rule(
                if closed { Action::Drop } else { rule.action },
                rule.opens,
                certain,
                possible,
            ));
        }
        parts
    }

    /// What stands behind the last rule of a chain.
    pub(super) fn policy(&mut self, index: usize) -> Option<Summary> {
        let chain: &Chain = &self.filter.chains[index];
        let place = RuleRef { filter: self.id, chain: index, rule: chain.rules.len() };
        let closed = self.situation.cut.closed.contains(&place);
        let policy = chain.policy.map(|policy| if closed { Action::Drop } else { policy })?;
        Some(self.rule(policy, true, Set::FULL, Set::FULL))
    }

    /// What an entry chain accepts though no rule of it does. What returns from it meets its policy (iptables(8),
    /// RETURN), and without a policy everything that is left passes.
    pub(super) fn end_of_entry(&mut self, index: usize, summary: &Summary) -> Set {
        let chain: &Chain = &self.filter.chains[index];
        let place = RuleRef { filter: self.id, chain: index, rule: chain.rules.len() };
        let closed = self.situation.cut.closed.contains(&place);
        let returns_pass = match chain.policy {
            None | Some(Action::Accept | Action::Translate(_)) => !closed,
            Some(Action::Unknown(_)) => self.situation.reading == Reading::May,
            Some(Action::Drop | Action::Reject) => false,
            // No policy of an entry chain; whatever is not understood passes on *may* only.
            Some(Action::Jump(_) | Action::Goto(_) | Action::Return | Action::Continue | Action::Mark(_)) => {
                self.situation.reading == Reading::May
            }
        };
        let returned = if returns_pass { summary.ret } else { Set::EMPTY };
        let fallen = if chain.policy.is_none() { summary.fall } else { Set::EMPTY };
        self.space.union(returned, fallen)
    }

    /// One rule with its pair.
    fn rule(&mut self, action: Action, opens: bool, certain: Set, possible: Set) -> Summary {
        let (take, stays) = match self.situation.reading {
            Reading::May => (possible, certain),
            Reading::Must => (certain, possible),
        };
        let fall = self.space.complement(stays);
        let nothing = Summary { accept: Set::EMPTY, open: Set::EMPTY, ret: Set::EMPTY, fall };
        let opened = |accept: Set| if opens { accept } else { Set::EMPTY };
        match action {
            // What a translation makes of packets is asked of its chain in another way: see `translate`.
            Action::Accept | Action::Translate(_) => Summary { accept: take, open: opened(take), ..nothing },
            Action::Drop | Action::Reject => nothing,
            Action::Return => Summary { ret: take, ..nothing },
            // What sets marks is compiled by the marks of packets: see `marks`.
            Action::Continue | Action::Mark(_) => Summary::PASS,
            Action::Unknown(_) if self.situation.reading == Reading::May => {
                Summary { accept: take, open: opened(take), fall: Set::FULL, ..nothing }
            }
            Action::Unknown(_) => nothing,
            Action::Jump(chain) => {
                let called = self.chain(chain);
                let back = self.space.union(called.fall, called.ret);
                let back = self.space.intersect(take, back);
                Summary {
                    accept: self.space.intersect(take, called.accept),
                    open: self.space.intersect(take, called.open),
                    fall: self.space.union(fall, back),
                    ..nothing
                }
            }
            Action::Goto(chain) => {
                let called = self.chain(chain);
                let back = self.space.union(called.fall, called.ret);
                Summary {
                    accept: self.space.intersect(take, called.accept),
                    open: self.space.intersect(take, called.open),
                    ret: self.space.intersect(take, back),
                    fall,
                }
            }
        }
    }

    /// m⁻ and m⁺ of a conjunction.
    pub(super) fn conditions(&mut self, matches: &[Match]) -> (Set, Set) {
        let mut certain = Set::FULL;
        let mut possible = Set::FULL;
        for m in matches {
            let (low, high) = self.condition(m);
            certain = self.space.intersect(certain, low);
            possible = self.space.intersect(possible, high);
        }
        (certain, possible)
    }

    fn condition(&mut self, m: &Match) -> (Set, Set) {
        let all_or_nothing = |yes: bool| if yes != m.negated { Set::FULL } else { Set::EMPTY };
        let situation = &self.situation;
        if let Some(yes) = interface_test(&m.test, situation.network, situation.incoming, situation.outgoing)
        {
            let set = all_or_nothing(yes);
            return (set, set);
        }
        let set = match &m.test {
            Test::Unknown(_) => return (Set::EMPTY, Set::FULL),
            Test::Any(any) => return self.any(any, m.negated),
            Test::Mark { of, mask, values } => {
                let all = |yes: bool| if yes { Set::FULL } else { Set::EMPTY };
                let any = (false, true);
                let (certain, possible) =
                    situation.marks.map_or(any, |marks| marks.answer(*of, *mask, values, m.negated));
                return (all(certain), all(possible));
            }
            Test::Translated(end) => {
                let marks = situation.marks;
                return marks.map_or((Set::EMPTY, Set::FULL), |marks| marks.status.answer(*end, m.negated));
            }
            Test::State(states) => all_or_nothing(states.contains(&self.state)),
            Test::Fragment(parts) if situation.reassembles => {
                all_or_nothing(parts.contains(&Fragment::Whole))
            }
            test => {
                let (holds, undecided) = self.test(test);
                if m.negated {
                    let not = self.space.union(holds, undecided);
                    self.space.complement(not)
                } else {
                    holds
                }
            }
        };
        (set, set)
    }

    /// Any of several conditions; turned round, all of their negations.
    fn any(&mut self, any: &[Match], negated: bool) -> (Set, Set) {
        if negated {
            let turned: Vec<Match> = any.iter().map(|m| Match { negated: !m.negated, ..m.clone() }).collect();
            return self.conditions(&turned);
        }
        let mut certain = Set::EMPTY;
        let mut possible = Set::EMPTY;
        for m in any {
            let (low, high) = self.condition(m);
            certain = self.space.union(certain, low);
            possible = self.space.union(possible, high);
        }
        (certain, possible)
    }

    /// The packets for which a test holds, and those that it cannot judge: later fragments of protocols whose ports,
    /// types or flags it looks at.
    fn test(&mut self, test: &Test) -> (Set, Set) {
        let own = self.situation.own;
        let space = &mut *self.space;
        let simple = match test {
            Test::Source(ranges) => space.addresses(Side::Src, ranges),
            Test::Destination(ranges) => space.addresses(Side::Dst, ranges),
            Test::SourceIsOwn => space.addresses(Side::Src, own),
            Test::DestinationIsOwn => space.addresses(Side::Dst, own),
            Test::Family(family) => space.family(*family),
            Test::Protocol(ranges) => space.field_in(Field::Proto, &wide(ranges)),
            Test::Fragment(parts) => {
                let sets: Vec<Set> = parts.iter().map(|part| space.fragment(*part)).collect();
                space.union_all(&sets)
            }
            Test::Service(services) => return self.services(services),
            Test::SourcePort(ranges) => return self.ports(ranges, &[Side::Src]),
            Test::DestinationPort(ranges) => return self.ports(ranges, &[Side::Dst]),
            Test::EitherPort(ranges) => return self.ports(ranges, &[Side::Src, Side::Dst]),
            Test::TcpFlags { mask, value } => {
                let tcp = space.protocol(proto::TCP);
                let flags = space.flags(*mask, *value);
                let holds = space.intersect(tcp, flags);
                return self.seen(holds, tcp);
            }
            // Answered by the caller.
            Test::State(_)
            | Test::Translated(_)
            | Test::InZone(_)
            | Test::OutZone(_)
            | Test::InVrf(_)
            | Test::InName(_)
            | Test::OutName(_)
            | Test::Mark { .. }
            | Test::Any(_)
            | Test::Unknown(_) => Set::EMPTY,
        };
        (simple, Set::EMPTY)
    }

    /// Takes later fragments out of a set, unless the device reassembles; they are undecided for `protocols`.
    fn seen(&mut self, holds: Set, protocols: Set) -> (Set, Set) {
        if self.situation.reassembles {
            return (holds, Set::EMPTY);
        }
        let later = self.space.fragment(Fragment::Later);
        (self.space.minus(holds, later), self.space.intersect(protocols, later))
    }

    fn ports(&mut self, ranges: &[(u16, u16)], sides: &[Side]) -> (Set, Set) {
        let ranges: Vec<RangeInclusive<u16>> = ranges.iter().map(|(low, high)| *low..=*high).collect();
        let sets: Vec<Set> = sides.iter().map(|side| self.space.ports(*side, &ranges)).collect();
        let ports = self.space.union_all(&sets);
        let protocols = protocols_with_ports(self.space);
        let holds = self.space.intersect(ports, protocols);
        self.seen(holds, protocols)
    }

    fn services(&mut self, services: &[Service]) -> (Set, Set) {
        let mut holds = Vec::new();
        let mut undecided = Vec::new();
        for service in services {
            let set = service_set(self.space, service);
            if service.names_ports() {
                let protocol = self.space.protocol(service.protocol.unwrap_or(0));
                let (seen, blind) = self.seen(set, protocol);
                holds.push(seen);
                undecided.push(blind);
            } else {
                holds.push(set);
            }
        }
        let holds = self.space.union_all(&holds);
        let undecided = self.space.union_all(&undecided);
        (holds, self.space.minus(undecided, holds))
    }
}

/// m⁻ and m⁺ of one rule as a node sees it in state `New`; everything for the policy behind the last rule.
pub(super) fn rule_sets(
    view: &mut View<'_>,
    at: (NodeId, Hook),
    rule: RuleRef,
    interfaces: (Option<InterfaceId>, Option<InterfaceId>),
    marks: Option<Marks>,
) -> (Set, Set) {
    let network = view.compiled.network;
    match network.filter(at.1.filter).chains[rule.chain].rules.get(rule.rule) {
        Some(spec) => conditions(view, at, &spec.matches, interfaces, marks),
        None => (Set::FULL, Set::FULL),
    }
}

/// m⁻ and m⁺ of conditions as a node sees them in state `New`.
pub(super) fn conditions(
    view: &mut View<'_>,
    (node, hook): (NodeId, Hook),
    matches: &[Match],
    (incoming, outgoing): (Option<InterfaceId>, Option<InterfaceId>),
    marks: Option<Marks>,
) -> (Set, Set) {
    let compiled = view.compiled;
    let situation = Situation {
        network: compiled.network,
        incoming,
        outgoing,
        reassembles: compiled.reassembles(node),
        own: &compiled.nodes[node.index()].own,
        marks,
        reading: view.reading,
        cut: &Cut::default(),
    };
    ListCompiler::new(&mut view.space, situation, hook.filter, State::New).conditions(matches)
}

/// How many packets fit a rule, as a binary logarithm, whatever interfaces they use.
pub fn rule_size(compiled: &super::Compiled<'_>, rule: RuleRef) -> f64 {
    let filter = compiled.network.filter(rule.filter);
    let Some(spec) = filter.chains[rule.chain].rules.get(rule.rule) else { return f64::INFINITY };
    let mut space = Space::new();
    let situation = Situation {
        network: compiled.network,
        incoming: None,
        outgoing: None,
        reassembles: filter.tracks,
        own: &[],
        marks: None,
        reading: Reading::May,
        cut: &Cut::default(),
    };
    let of_packets = |m: &&Match| interface_test(&m.test, compiled.network, None, None).is_none();
    let matches: Vec<Match> = spec.matches.iter().filter(of_packets).cloned().collect();
    let mut list = ListCompiler::new(&mut space, situation, rule.filter, State::New);
    let (_, possible) = list.conditions(&matches);
    space.log2_size(possible)
}

fn wide(ranges: &[(u8, u8)]) -> Vec<RangeInclusive<u16>> {
    ranges.iter().map(|(low, high)| u16::from(*low)..=u16::from(*high)).collect()
}

/// The packets of the protocols that have ports.
pub(super) fn protocols_with_ports(space: &mut Space) -> Set {
    let sets: Vec<Set> =
        proto::NAMES.iter().filter(|(n, _)| proto::has_ports(*n)).map(|(n, _)| space.protocol(*n)).collect();
    space.union_all(&sets)
}

/// The packets of a service, whatever the fragment.
pub(super) fn service_set(space: &mut Space, service: &Service) -> Set {
    let Some(number) = service.protocol else { return Set::FULL };
    let mut set = space.protocol(number);
    if proto::has_ports(number) && service.ports != Service::ANY.ports {
        let ports = space.ports(Side::Dst, &[service.ports.0..=service.ports.1]);
        set = space.intersect(set, ports);
    }
    if matches!(number, proto::ICMP | proto::ICMPV6) {
        let (low, high) = service.icmp_types;
        let types = space.field(Field::IcmpType, low.into(), high.into());
        let (low, high) = service.icmp_codes;
        let codes = space.field(Field::IcmpCode, low.into(), high.into());
        let both = space.intersect(types, codes);
        set = space.intersect(set, both);
    }
    set
}

/// The packets of any of the services; every packet if there is none.
pub(super) fn services_set(space: &mut Space, services: &[Service]) -> Set {
    if services.is_empty() {
        return Set::FULL;
    }
    let sets: Vec<Set> = services.iter().map(|service| service_set(space, service)).collect();
    space.union_all(&sets)
}
