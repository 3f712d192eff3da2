//! Which rule let a packet through, what would close it, and why it may have looked closed.

use super::judge::Judge;
use super::{Note, Remedy, presence};
use crate::claim::{Claim, Statement};
use crate::engine::{Cut, Place, Query, RuleRef, Witness, rule_size};
use crate::header::Packet;
use crate::model::{Action, InterfaceId, Network, NodeId, SegmentId, Test};
use crate::replay::filter::{Decider, Ruling};
use crate::replay::{self, Branch, Decision};
use crate::source::Span;

/// What lets a packet through that should not pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Blame {
    /// A rule, or the policy of a chain.
    Rule(RuleRef),
    /// A node without a rule that could be named: from one interface to another.
    Hop(InterfaceId, InterfaceId),
    /// The input of a node.
    Input(NodeId),
    /// Nothing in between: the sender stands at the target.
    Standing(Place),
}

/// Blames the permitting rule that fits the fewest packets; without a rule, the first node that forwards or delivers.
pub(super) fn of(judge: &Judge<'_>, witness: &Witness, ways: &[&Branch]) -> Blame {
    let mut rules: Vec<(f64, usize, RuleRef)> = Vec::new();
    for hop in ways.iter().flat_map(|way| &way.hops) {
        for decision in &hop.decisions {
            if let Some(rule) = permitting_rule(judge.network, decision) {
                rules.push((rule_size(&judge.compiled, rule), rules.len(), rule));
            }
        }
    }
    rules.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    if let Some((_, _, rule)) = rules.first() {
        return Blame::Rule(*rule);
    }
    let Some(last) = witness.journeys.last() else {
        return Blame::Standing(Place::Node(NodeId(0)));
    };
    let forwarding = last.hops.iter().find_map(|hop| Some(Blame::Hop(hop.receiver, hop.sends?)));
    match (forwarding, last.hops.last(), last.arrives) {
        (Some(hop), _, _) => hop,
        (None, Some(_), Place::Node(id)) => Blame::Input(id),
        (None, _, place) => Blame::Standing(place),
    }
}

/// The rule behind a decision that lets a packet pass, unless it only keeps open connections going.
fn permitting_rule(network: &Network, decision: &Decision) -> Option<RuleRef> {
    let Decision::Judged { judgement, .. } = decision else { return None };
    if judgement.ruling != Ruling::Accept {
        return None;
    }
    match judgement.by {
        Decider::Rule { filter, chain, rule } => {
            let spec = network.filter(filter).chains[chain].rules.get(rule)?;
            let keeps = spec.matches.iter().any(|m| match &m.test {
                Test::State(states) => !m.negated && !states.contains(&crate::model::State::New),
                _ => false,
            });
            (!keeps).then_some(RuleRef { filter, chain, rule })
        }
        Decider::Policy { filter, chain } => {
            let rule = network.filter(filter).chains[chain].rules.len();
            Some(RuleRef { filter, chain, rule })
        }
        Decider::End { .. } => None,
    }
}

/// Every rule, or policy of a chain, by which a packet that arrives passes on its way.
pub(super) fn rules_passed<'w>(network: &'w Network, way: &'w Branch) -> impl Iterator<Item = RuleRef> + 'w {
    let decisions = way.hops.iter().flat_map(|hop| &hop.decisions);
    decisions.filter_map(|decision| match decision {
        Decision::Judged { judgement, .. } => match judgement.by {
            Decider::Rule { filter, chain, rule } => Some(RuleRef { filter, chain, rule }),
            Decider::Policy { filter, chain } => {
                Some(RuleRef { filter, chain, rule: network.filter(filter).chains[chain].rules.len() })
            }
            Decider::End { .. } => None,
        },
        _ => None,
    })
}

impl Blame {
    /// Takes the cause out of the question. Returns whether something is left to ask.
    pub(super) fn close(self, query: &mut Query) -> bool {
        match self {
            Blame::Rule(rule) => query.cut.closed.push(rule),
            Blame::Hop(from, to) => query.cut.hops.push((from, to)),
            Blame::Input(node) => query.cut.deaf.push(node),
            Blame::Standing(Place::Segment(id)) => query.targets.segments[id.index()] = false,
            Blame::Standing(Place::Node(id)) => query.targets.nodes[id.index()] = false,
        }
        !query.targets.is_empty()
    }

    /// The line to look at.
    pub(super) fn span(self, network: &Network) -> Option<Span> {
        match self {
            Blame::Rule(rule) => Some(rule_span(network, rule)),
            Blame::Hop(from, _) => Some(network.node(network.interface(from).node).span),
            Blame::Input(id) => Some(network.node(id).span),
            Blame::Standing(_) => None,
        }
    }

    /// In words.
    pub(super) fn note(self, network: &Network) -> Option<Note> {
        let text = match self {
            Blame::Rule(rule) => format!("{} lets it through", rule_name(network, rule)),
            Blame::Hop(from, to) => format!(
                "{} passes it from {} to {}, and no rule there stops it",
                network.node(network.interface(from).node).name,
                network.interface(from).name,
                network.interface(to).name
            ),
            Blame::Input(id) => format!("{} takes it: no rule there stops it", network.node(id).name),
            Blame::Standing(place) => return Some(super::evidence::standing_note(network, place)),
        };
        Some(Note { text, span: self.span(network) })
    }
}

fn rule_span(network: &Network, place: RuleRef) -> Span {
    let chain = &network.filter(place.filter).chains[place.chain];
    chain.rules.get(place.rule).map_or(chain.span, |rule| rule.span)
}

fn rule_name(network: &Network, place: RuleRef) -> String {
    let filter = network.filter(place.filter);
    let chain = &filter.chains[place.chain];
    match chain.rules.get(place.rule) {
        // A rule that has only a number needs its chain beside it.
        Some(rule) if rule.name.bytes().all(|b| b.is_ascii_digit()) => {
            format!("rule {} of chain {} ({})", rule.name, chain.name, filter.name)
        }
        Some(rule) => format!("rule {} of {}", rule.name, filter.name),
        None => format!("the default of {} ({})", chain.name, filter.name),
    }
}

/// What would close a finding, and which positive claims it would break.
pub(super) fn remedies(judge: &Judge<'_>, blamed: &Blame, packet: &Packet) -> Vec<Remedy> {
    let network = judge.network;
    match *blamed {
        Blame::Rule(rule) => {
            let is_default = network.filter(rule.filter).chains[rule.chain].rules.len() == rule.rule;
            let text = if is_default {
                format!("make {} deny", rule_name(network, rule))
            } else {
                format!("delete {}, or narrow it until it leaves out {packet}", rule_name(network, rule))
            };
            let cut = Cut { closed: vec![rule], ..Cut::default() };
            vec![Remedy {
                text,
                span: Some(rule_span(network, rule)),
                breaks: broken_by(judge, &cut),
                checked: true,
            }]
        }
        Blame::Hop(from, to) => {
            let cut = Cut { hops: vec![(from, to)], ..Cut::default() };
            let name = network.node(network.interface(from).node).name.clone();
            let text = format!(
                "give {name} a policy that denies {} to {}",
                network.interface(from).name,
                network.interface(to).name
            );
            vec![Remedy { text, span: blamed.span(network), breaks: broken_by(judge, &cut), checked: true }]
        }
        Blame::Input(id) => {
            let text = format!("give {} a policy with a default that denies", network.node(id).name);
            vec![Remedy { text, span: blamed.span(network), breaks: Vec::new(), checked: false }]
        }
        Blame::Standing(Place::Segment(id)) => off_the_line(network, id),
        Blame::Standing(Place::Node(_)) => Vec::new(),
    }
}

/// The ports at either end of the only line that carries a VLAN abroad, which could leave it out. The network would have other
/// segments then, so nothing is asked again.
fn off_the_line(network: &Network, id: SegmentId) -> Vec<Remedy> {
    let segment = network.segment(id);
    let ([line], Some(vlan)) = (segment.lines.as_slice(), segment.vlan) else { return Vec::new() };
    let vlan = &network.vlans[vlan.index()].name;
    let ports = line.ends.iter().filter(|end| segment.ports.contains(end));
    let remedy = |end: &InterfaceId| Remedy {
        text: format!("take vlan {vlan} off {}", network.interface_name(*end)),
        span: Some(network.interface(*end).span),
        breaks: Vec::new(),
        checked: false,
    };
    ports.map(remedy).collect()
}

/// `reachable` claims that hold now and would not hold any more.
fn broken_by(judge: &Judge<'_>, cut: &Cut) -> Vec<String> {
    let breaks = |claim: &&Claim| match &claim.statement {
        Statement::Reachable(reachable) => judge
            .standing(claim, reachable)
            .is_some_and(|pairs| !presence::still_stands(judge, reachable, pairs, cut)),
        Statement::Isolated(_) | Statement::Confined(_) | Statement::OnlyVia(_) => false,
    };
    judge.claims.iter().filter(breaks).map(|claim| claim.id.value.clone()).collect()
}

/// The position of the way that the blamed rule lets through; of the last, if it is no rule.
pub(super) fn passing(network: &Network, blamed: &Blame, ways: &[&Branch]) -> Option<usize> {
    let Blame::Rule(place) = *blamed else { return ways.len().checked_sub(1) };
    let lets = |decision: &Decision| permitting_rule(network, decision) == Some(place);
    ways.iter().position(|way| way.hops.iter().any(|hop| hop.decisions.iter().any(lets)))
}

/// A later rule of the same chain that denies the same packet, and so never sees it.
pub(super) fn looked_closed(
    network: &Network,
    blamed: &Blame,
    packet: &Packet,
    ways: &[&Branch],
) -> Option<Note> {
    let Blame::Rule(place) = *blamed else { return None };
    let chain = &network.filter(place.filter).chains[place.chain];
    let hop = ways
        .iter()
        .flat_map(|way| &way.hops)
        .find(|hop| hop.decisions.iter().any(|decision| permitting_rule(network, decision) == Some(place)))?;
    let replay::Place::Node(node) = hop.place else { return None };
    let later = chain.rules.iter().skip(place.rule + 1);
    let denies = later
        .filter(|rule| matches!(rule.action, Action::Drop | Action::Reject))
        .find(|rule| replay::certainly_matches(network, node, rule, packet, hop.incoming, hop.outgoing));
    let (name, span) = match (denies, chain.policy) {
        (Some(rule), _) => (format!("rule {}", rule.name), rule.span),
        (None, Some(Action::Drop | Action::Reject)) => ("the default".to_owned(), chain.span),
        (None, _) => return None,
    };
    let first = rule_name(network, place);
    Some(Note { text: format!("{name} denies this packet, but {first} comes first"), span: Some(span) })
}
