//! What translating rules make of sets of packets, forth and back.
//!
//! A chain of such rules splits the first packets of connections by the rule that translates them. A translation is a
//! function that may choose: from a pool of addresses, from a range of ports. So a set has an image, everything that
//! may become of it, and an image has an origin, everything that it may have been.

use super::marks::Marks;
use super::query::RuleRef;
use super::rules::conditions;
use super::view::View;
use crate::header::Family;
use crate::model::translation::{End, lent_addresses};
use crate::model::{Action, Chain, FilterId, Hook, InterfaceId, NewAddress, NodeId, Reading, Translation};
use crate::set::{Field, Set, Side};
use std::sync::Arc;

/// A translation with the interface whose address it may borrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Applied {
    filter: FilterId,
    index: usize,
    lender: Option<InterfaceId>,
}

/// Where in its walk a packet is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Spot {
    Prerouting,
    Input,
    Output,
    Postrouting,
}

/// A spot as one packet meets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Meeting {
    pub(super) node: NodeId,
    pub(super) spot: Spot,
    pub(super) incoming: Option<InterfaceId>,
    pub(super) outgoing: Option<InterfaceId>,
    /// With which marks packets come to it.
    pub(super) marks: Marks,
}

/// Packets by what translates them, if anything does.
pub(super) type Parts = Vec<(Option<Applied>, Set)>;

impl View<'_> {
    /// All packets by what translates them at a spot when they are new. On *may* one may be in several parts, on *must*
    /// in none.
    pub(super) fn translations(&mut self, meeting: Meeting) -> Arc<Parts> {
        let marks = if self.asks_marks(&meeting) { meeting.marks } else { Marks::NONE };
        let meeting = Meeting { marks, ..meeting };
        if let Some(known) = self.known_translations(meeting) {
            return known;
        }
        let network = self.compiled.network;
        let translating = &network.node(meeting.node).translating;
        let (hooks, lender) = match meeting.spot {
            Spot::Prerouting => (&translating.prerouting, meeting.incoming),
            Spot::Input => (&translating.input, meeting.incoming),
            // A node lends its own packets no address of its own: they would not leave it.
            Spot::Output => (&translating.output, None),
            Spot::Postrouting => (&translating.postrouting, meeting.outgoing),
        };
        let mut parts: Parts = Vec::new();
        let mut left = Set::FULL;
        for hook in hooks {
            let bound = hook.family.map_or(Set::FULL, |family| self.family(family));
            let asked = self.space.intersect(left, bound);
            let unasked = self.space.minus(left, bound);
            let mut chains =
                Chains { view: &mut *self, meeting, hook: *hook, passed: Set::EMPTY, parts: Vec::new() };
            let passed = chains.entry(asked);
            let found = chains.parts;
            left = self.space.union(unasked, passed);
            for (index, set) in found {
                parts.push((Some(Applied { filter: hook.filter, index, lender }), set));
            }
        }
        parts.push((None, left));
        parts.retain(|(_, set)| !set.is_empty());
        let parts = Arc::new(parts);
        self.keep_translations(meeting, Arc::clone(&parts));
        parts
    }

    /// Whether a chain that translates there asks for marks.
    fn asks_marks(&self, meeting: &Meeting) -> bool {
        let translating = &self.compiled.network.node(meeting.node).translating;
        translating.all().any(|hook| self.compiled.mark_use(*hook).asks)
    }

    fn family(&self, family: Family) -> Set {
        self.compiled.common.families[family as usize]
    }

    fn translation(&self, applied: Applied) -> Translation {
        self.compiled.network.filter(applied.filter).translations[applied.index]
    }

    /// Everything that may become of packets that a translation takes; with `None`, of those that a spot for an end lets
    /// pass.
    pub(super) fn image(&mut self, packets: Set, applied: Option<Applied>, end: End) -> Set {
        let Some(applied) = applied else { return self.image_kept(packets, end) };
        let translation = self.translation(applied);
        let moved = self.moved(packets, &translation, applied.lender);
        let with_ports = self.compiled.common.with_ports;
        let (ported, others) = self.part(moved, with_ports);
        let field = port_field(translation.end);
        let within = self.port_range(&translation);
        let ported = match (translation.ports, self.draws_ports(&translation)) {
            (None, false) => ported,
            (_, true) => {
                let any = self.space.forget(ported, field);
                self.space.intersect(any, within)
            }
            (Some(_), false) => {
                let (fitting, rest) = self.part(ported, within);
                let drawn = self.space.forget(rest, field);
                let drawn = self.space.intersect(drawn, within);
                self.space.union(fitting, drawn)
            }
        };
        self.space.union(ported, others)
    }

    /// Everything in `domain` that may have become one of these packets.
    pub(super) fn origin(&mut self, results: Set, applied: Option<Applied>, end: End, domain: Set) -> Set {
        let Some(applied) = applied else {
            let before = self.image_kept(results, end);
            return self.space.intersect(before, domain);
        };
        let translation = self.translation(applied);
        let with_ports = self.compiled.common.with_ports;
        let (ported, others) = self.part(results, with_ports);
        let field = port_field(translation.end);
        let within = self.port_range(&translation);
        let ported = match (translation.ports, self.draws_ports(&translation)) {
            (None, false) => ported,
            (_, true) => {
                let fitting = self.space.intersect(ported, within);
                self.space.forget(fitting, field)
            }
            (Some(_), false) => {
                let fitting = self.space.intersect(ported, within);
                let drawn = self.space.forget(fitting, field);
                let drawn = self.space.minus(drawn, within);
                self.space.union(fitting, drawn)
            }
        };
        let results = self.space.union(ported, others);
        let before = self.moved_back(results, &translation, applied.lender);
        self.space.intersect(before, domain)
    }

    /// Those packets that a translation may leave as they are.
    pub(super) fn fixed(&mut self, packets: Set, applied: Option<Applied>) -> Set {
        let Some(applied) = applied else { return packets };
        let translation = self.translation(applied);
        let there = match translation.to {
            NewAddress::Kept => Set::FULL,
            NewAddress::Prefix(net) => self.space.prefix(side(translation.end), net),
            NewAddress::Range(_) | NewAddress::Interface => self.new_addresses(&translation, applied.lender),
        };
        let packets = self.space.intersect(packets, there);
        let within = self.port_range(&translation);
        let with_ports = self.compiled.common.with_ports;
        let (ported, others) = self.part(packets, with_ports);
        let ported = self.space.intersect(ported, within);
        self.space.union(ported, others)
    }

    /// On *may* a device that translates may give any new connection another source port: that which it has may be taken
    /// behind a translation (`nf_nat_l4proto_unique_tuple`).
    fn image_kept(&mut self, packets: Set, end: End) -> Set {
        if end == End::Destination || self.reading == Reading::Must {
            return packets;
        }
        let with_ports = self.compiled.common.with_ports;
        let (ported, others) = self.part(packets, with_ports);
        let any = self.space.forget(ported, Field::Sport);
        self.space.union(any, others)
    }

    fn draws_ports(&self, translation: &Translation) -> bool {
        let may_draw = translation.end == End::Source || translation.ports.is_some();
        translation.random || (self.reading == Reading::May && may_draw)
    }

    fn port_range(&mut self, translation: &Translation) -> Set {
        match translation.ports {
            None => Set::FULL,
            Some((low, high)) => self.space.field(port_field(translation.end), low, high),
        }
    }

    /// The packets with their new addresses.
    fn moved(&mut self, packets: Set, translation: &Translation, lender: Option<InterfaceId>) -> Set {
        let side = side(translation.end);
        match translation.to {
            NewAddress::Kept => packets,
            NewAddress::Prefix(net) => self.space.move_to_prefix(packets, side, net),
            NewAddress::Range(_) | NewAddress::Interface => {
                let there = self.new_addresses(translation, lender);
                let any = self.space.forget_address(packets, side);
                self.space.intersect(any, there)
            }
        }
    }

    /// The packets with any old address.
    fn moved_back(&mut self, results: Set, translation: &Translation, lender: Option<InterfaceId>) -> Set {
        let side = side(translation.end);
        match translation.to {
            NewAddress::Kept => results,
            NewAddress::Prefix(net) => {
                let there = self.space.prefix(side, net);
                let results = self.space.intersect(results, there);
                self.space.forget_prefix(results, side, net)
            }
            NewAddress::Range(_) | NewAddress::Interface => {
                let there = self.new_addresses(translation, lender);
                let results = self.space.intersect(results, there);
                self.space.forget_address(results, side)
            }
        }
    }

    /// Packets with one of the addresses that a translation gives.
    fn new_addresses(&mut self, translation: &Translation, lender: Option<InterfaceId>) -> Set {
        let side = side(translation.end);
        match (translation.to, lender) {
            (NewAddress::Range(range), _) => self.space.addresses(side, &[range]),
            (NewAddress::Interface, Some(lender)) => {
                let mut all = Vec::new();
                for family in Family::ALL {
                    let lent = lent_addresses(self.compiled.network, lender, family);
                    // Which of several it is, its routes decide.
                    if self.reading == Reading::May && lent.is_empty() {
                        // It may have one that nobody described.
                        all.push(crate::header::AddressRange::all(family));
                    } else if self.reading == Reading::May || lent.len() == 1 {
                        all.extend(lent);
                    }
                }
                self.space.addresses(side, &all)
            }
            (NewAddress::Interface | NewAddress::Kept | NewAddress::Prefix(_), _) => Set::EMPTY,
        }
    }
}

fn side(end: End) -> Side {
    match end {
        End::Source => Side::Src,
        End::Destination => Side::Dst,
    }
}

fn port_field(end: End) -> Field {
    match end {
        End::Source => Field::Sport,
        End::Destination => Field::Dport,
    }
}

/// Sets of packets on their way through the chains of one hook.
struct Chains<'v, 'c> {
    view: &'v mut View<'c>,
    meeting: Meeting,
    hook: Hook,
    /// Packets that some rule lets pass as they are.
    passed: Set,
    /// Packets by the translation that takes them, in the order in which they were met.
    parts: Vec<(usize, Set)>,
}

/// How packets leave a chain that did not settle them.
#[derive(Clone, Copy)]
struct Left {
    falls: Set,
    returns: Set,
}

impl Chains<'_, '_> {
    /// Pushes packets through the chain of the hook; what passes untranslated comes back.
    fn entry(&mut self, packets: Set) -> Set {
        let left = self.chain(self.hook.chain, packets);
        let network = self.view.compiled.network;
        let policy = network.filter(self.hook.filter).chains[self.hook.chain].policy;
        // Whoever returns from an entry chain meets its policy, like whoever falls off its end.
        let returned = match policy {
            None => left.returns,
            Some(policy) => {
                let beyond = self.act(policy, left.returns, left.returns);
                self.view.space.union(beyond.falls, beyond.returns)
            }
        };
        let passed = self.view.space.union(left.falls, returned);
        self.view.space.union(self.passed, passed)
    }

    /// Pushes packets through a chain. The builder refuses circles, so this ends.
    fn chain(&mut self, index: usize, packets: Set) -> Left {
        let network = self.view.compiled.network;
        let chain: &Chain = &network.filter(self.hook.filter).chains[index];
        let mut at = packets;
        let mut returns = Set::EMPTY;
        for (position, rule) in chain.rules.iter().enumerate() {
            let place = RuleRef { filter: self.hook.filter, chain: index, rule: position };
            if at.is_empty() {
                break;
            }
            if self.view.is_taken_out(place) {
                continue;
            }
            let Meeting { node, incoming, outgoing, marks, .. } = self.meeting;
            let interfaces = (incoming, outgoing);
            let (certain, possible) =
                conditions(self.view, (node, self.hook), &rule.matches, interfaces, Some(marks));
            let (take, keep) = match self.view.reading {
                Reading::May => (possible, certain),
                Reading::Must => (certain, possible),
            };
            // Chains that translate set no marks, or their whole device is not understood.
            if matches!(rule.action, Action::Continue | Action::Mark(_)) {
                continue;
            }
            let taken = self.view.space.intersect(at, take);
            let rest = self.view.space.minus(at, keep);
            let action = if self.view.is_closed_rule(place) { Action::Drop } else { rule.action };
            let left = self.act(action, taken, taken);
            at = self.view.space.union(rest, left.falls);
            returns = self.view.space.union(returns, left.returns);
        }
        match chain.policy {
            None => Left { falls: at, returns },
            Some(policy) => {
                let left = self.act(policy, at, at);
                Left { falls: left.falls, returns: self.view.space.union(returns, left.returns) }
            }
        }
    }

    /// What an action does with packets; what it does not settle falls through or returns.
    fn act(&mut self, action: Action, taken: Set, all: Set) -> Left {
        let settled = Left { falls: Set::EMPTY, returns: Set::EMPTY };
        match action {
            Action::Accept => {
                self.passed = self.view.space.union(self.passed, taken);
                settled
            }
            Action::Drop | Action::Reject => settled,
            Action::Translate(index) => {
                match self.parts.iter().position(|(known, _)| *known == index) {
                    Some(at) => self.parts[at].1 = self.view.space.union(self.parts[at].1, taken),
                    None => self.parts.push((index, taken)),
                }
                settled
            }
            Action::Return => Left { returns: taken, ..settled },
            Action::Continue | Action::Mark(_) => Left { falls: all, ..settled },
            Action::Jump(chain) => {
                let left = self.chain(chain, taken);
                Left { falls: self.view.space.union(left.falls, left.returns), ..settled }
            }
            Action::Goto(chain) => {
                let left = self.chain(chain, taken);
                Left { returns: self.view.space.union(left.falls, left.returns), ..settled }
            }
            Action::Unknown(_) if self.view.reading == Reading::May => {
                self.passed = self.view.space.union(self.passed, taken);
                Left { falls: taken, ..settled }
            }
            Action::Unknown(_) => settled,
        }
    }
}
