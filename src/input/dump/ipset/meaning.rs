//! What a rule that names a set asks of packets, as a test of the model.
//!
//! A set is the union of boxes ([`super::boxes`]); a box is all of its parts, which is written as the negation of any
//! of their negations. Whatever may match beyond what is certain is a test that is not understood beside the boxes.

use super::boxes::{Block, blocks, hull};
use super::kinds::Dimension;
use super::{Element, IpSet, SetDump};
use crate::header::{AddressRange, Family, proto};
use crate::input::dump::iptables::Side;
use crate::model::build::NetworkBuilder;
use crate::model::{Match, Service, Test, Unknown, UnknownId};
use crate::source::{Span, Spanned};
use std::collections::BTreeMap;

/// What a rule asks: `--match-set NAME SIDES`.
#[derive(Debug, Clone)]
pub(in crate::input::dump) struct Asked {
    /// The set.
    pub(in crate::input::dump) name: Spanned<String>,
    /// Which end of the packet each part of an element is compared with.
    pub(in crate::input::dump) sides: Vec<Side>,
    /// Whether exceptions are asked for, and not what they are exceptions to.
    pub(in crate::input::dump) exceptions: bool,
}

/// What asking for a set means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::input::dump) enum Meaning {
    /// No packet matches.
    Never,
    /// Those for which the test holds.
    Test(Test),
}

/// How many ranges of addresses the rules of one device may get from sets together. What goes beyond is not
/// understood.
const RANGES_MAX: usize = 4 << 20;

/// Answers what the rules of a device ask, and remembers the boxes of its sets.
pub(in crate::input::dump) struct Answers<'d> {
    sets: &'d SetDump,
    /// The sets that rules of the device change, with the place of one.
    changed: BTreeMap<usize, Span>,
    /// The boxes of a set; of its exceptions.
    blocks: BTreeMap<(usize, bool), Option<Vec<Block>>>,
    /// The unknowns that were made, by set and words.
    unknowns: BTreeMap<(usize, String), UnknownId>,
    /// How many ranges may still be handed out.
    ranges_left: usize,
}

impl<'d> Answers<'d> {
    /// For a device whose rules change these sets.
    pub(in crate::input::dump) fn new<'s>(
        sets: &'d SetDump,
        changes: impl Iterator<Item = &'s Spanned<String>>,
    ) -> Answers<'d> {
        let mut changed = BTreeMap::new();
        for change in changes {
            let Some(position) = sets.by_name.get(&change.value) else { continue };
            // What is added to a list goes to one of its members.
            let members = sets.sets.get(*position).map_or(&[][..], |set| &set.members);
            for set in members.iter().chain([position]) {
                changed.entry(*set).or_insert(change.span);
            }
        }
        let (blocks, unknowns) = (BTreeMap::new(), BTreeMap::new());
        Answers { sets, changed, blocks, unknowns, ranges_left: RANGES_MAX }
    }

    /// What a question at a place means for packets of a family.
    pub(in crate::input::dump) fn meaning(
        &mut self,
        asked: &Asked,
        family: Family,
        span: Span,
        builder: &mut NetworkBuilder,
    ) -> Meaning {
        let position = self.sets.by_name.get(&asked.name.value);
        let mut any = match position {
            Some(position) => Question { answers: self, builder, asked, family, span }.set(*position),
            None => Vec::new(),
        };
        match any.pop() {
            None => Meaning::Never,
            Some(one) if any.is_empty() && !one.negated => Meaning::Test(one.test),
            Some(last) => {
                any.push(last);
                Meaning::Test(Test::Any(any))
            }
        }
    }
}

struct Question<'q, 'd> {
    answers: &'q mut Answers<'d>,
    builder: &'q mut NetworkBuilder,
    asked: &'q Asked,
    family: Family,
    span: Span,
}

impl Question<'_, '_> {
    /// The packets that a set matches: any of these.
    fn set(&mut self, position: usize) -> Vec<Match> {
        let sets = self.answers.sets;
        let Some(set) = sets.sets.get(position) else { return Vec::new() };
        let name = &set.name.value;
        // The kernel compares neither another family nor with fewer parts than an element has.
        let fits = set.family.is_none_or(|family| family == self.family);
        if !fits || set.dimensions().len() > self.asked.sides.len() {
            return Vec::new();
        }
        if let Some(opaque) = &set.opaque {
            let settle = "rules that do not ask for this set".to_owned();
            return vec![self.unknown(position, opaque.value.clone(), opaque.span, settle)];
        }
        if let Some(place) = self.answers.changed.get(&position).copied() {
            let what = format!("which elements the set `{name}` has, since rules change it");
            return vec![self.unknown(position, what, place, format!("rules without `SET` for `{name}`"))];
        }
        let mut any = match set.dimensions() {
            [Dimension::Member] if set.timeout.is_some() => Vec::new(),
            [Dimension::Member] => set.members.iter().flat_map(|member| self.set(*member)).collect(),
            _ => self.elements(position, set),
        };
        if let Some(place) = set.timeout {
            let what = format!("which elements the set `{name}` has beyond its permanent ones");
            any.push(self.unknown(position, what, place, "a set without `timeout`".to_owned()));
        }
        any
    }

    /// The packets that the permanent elements of a set match.
    fn elements(&mut self, position: usize, set: &IpSet) -> Vec<Match> {
        let permanent: Vec<Element>;
        let elements = if set.timeout.is_none() {
            &set.elements
        } else if set.elements.iter().any(|element| element.nomatch) {
            // Nobody knows which exceptions still stand.
            return Vec::new();
        } else {
            permanent = set.elements.iter().filter(|element| !element.expires).copied().collect();
            &permanent
        };
        let exceptions = self.asked.exceptions && set.dimensions().contains(&Dimension::Net);
        let key = (position, exceptions);
        let made = self.answers.blocks.remove(&key).unwrap_or_else(|| blocks(set, elements, exceptions));
        let count = made.iter().flatten().map(Block::ranges).sum::<usize>();
        let any = match &made {
            Some(blocks) if count <= self.answers.ranges_left => {
                self.answers.ranges_left -= count;
                blocks.iter().map(|block| self.block(position, set, block)).collect()
            }
            Some(_) | None => self.bounded(position, set, elements),
        };
        self.answers.blocks.insert(key, made);
        any
    }

    /// What a set with too many boxes may match: something within its addresses.
    fn bounded(&mut self, position: usize, set: &IpSet, elements: &[Element]) -> Vec<Match> {
        let name = &set.name.value;
        let what = format!("which packets the many elements of the set `{name}` match");
        let settle = "fewer combinations of addresses, ports and exceptions in the set".to_owned();
        let unknown = self.unknown(position, what, set.span, settle);
        let hull = hull(elements);
        if hull.is_empty() || hull.len() > self.answers.ranges_left {
            return vec![unknown];
        }
        self.answers.ranges_left -= hull.len();
        let within = self.plain(address_test(self.asked.sides.first(), hull));
        vec![self.all(vec![within, unknown])]
    }

    /// The packets of a box.
    fn block(&mut self, position: usize, set: &IpSet, block: &Block) -> Match {
        let mut parts = Vec::new();
        let mut addresses = [&block.first, &block.second].into_iter().flatten();
        for (dimension, side) in set.dimensions().iter().zip(&self.asked.sides) {
            if dimension.is_address() {
                let ranges = addresses.next().cloned().unwrap_or_default();
                parts.push(self.plain(address_test(Some(side), ranges)));
            } else if let Some((protocol, ports)) = &block.ports {
                self.ports(position, *protocol, ports, *side, &mut parts);
            }
        }
        self.all(parts)
    }

    fn ports(
        &mut self,
        position: usize,
        protocol: Option<u8>,
        ports: &[(u16, u16)],
        side: Side,
        parts: &mut Vec<Match>,
    ) {
        // Linux walks over these headers of IPv6 and compares the protocol behind them.
        let is_walked_over = matches!(protocol, Some(0 | 43 | 44 | 51 | 60));
        if self.family == Family::V6 && is_walked_over {
            let number = protocol.unwrap_or(0);
            let what = format!("which packets of IPv6 have the protocol {number} for a set");
            let settle = "a set without this protocol".to_owned();
            let unknown = self.unknown(position, what, self.span, settle);
            parts.push(unknown);
            return;
        }
        let protocols = match protocol {
            Some(number @ (proto::ICMP | proto::ICMPV6)) => {
                let services = ports.iter().flat_map(|range| icmp(number, *range)).collect();
                return parts.push(self.plain(Test::Service(services)));
            }
            Some(number) => vec![(number, number)],
            None => vec![(proto::TCP, proto::TCP), (proto::UDP, proto::UDP)],
        };
        // Where the kernel sees no ports, the number is always 0.
        let sees_ports =
            protocols.iter().all(|(number, _)| proto::has_ports(*number) && *number != proto::DCCP);
        parts.push(self.plain(Test::Protocol(protocols)));
        if sees_ports && ports != [(0, u16::MAX)] {
            parts.push(self.plain(match side {
                Side::Source => Test::SourcePort(ports.to_vec()),
                Side::Destination => Test::DestinationPort(ports.to_vec()),
            }));
        }
    }

    fn plain(&self, test: Test) -> Match {
        Match { test, negated: false, span: self.span }
    }

    /// All of several matches as one.
    fn all(&self, mut parts: Vec<Match>) -> Match {
        match parts.pop() {
            Some(only) if parts.is_empty() => only,
            last => {
                parts.extend(last);
                let turned = parts.into_iter().map(|one| Match { negated: !one.negated, ..one });
                Match { test: Test::Any(turned.collect()), negated: true, span: self.span }
            }
        }
    }

    /// A test that nobody understands; the same one wherever the set is asked for.
    fn unknown(&mut self, position: usize, what: String, span: Span, settle: String) -> Match {
        let key = (position, what);
        let id = match self.answers.unknowns.get(&key) {
            Some(id) => *id,
            None => {
                let what = key.1.clone();
                let id = self.builder.add_unknown(Unknown { what, span: Some(span), settle });
                self.answers.unknowns.insert(key, id);
                id
            }
        };
        self.plain(Test::Unknown(id))
    }
}

impl Block {
    /// How many ranges of addresses it has.
    fn ranges(&self) -> usize {
        [&self.first, &self.second].into_iter().flatten().map(Vec::len).sum()
    }
}

fn address_test(side: Option<&Side>, ranges: Vec<AddressRange>) -> Test {
    match side {
        Some(Side::Destination) => Test::Destination(ranges),
        Some(Side::Source) | None => Test::Source(ranges),
    }
}

/// Types and codes of ICMP between two numbers, each a type above a code.
fn icmp(protocol: u8, (low, high): (u16, u16)) -> impl Iterator<Item = Service> {
    let [first, first_code] = low.to_be_bytes();
    let [last, last_code] = high.to_be_bytes();
    (first..=last).map(move |kind| {
        let from = if kind == first { first_code } else { 0 };
        let to = if kind == last { last_code } else { u8::MAX };
        Service { icmp_codes: (from, to), ..Service::icmp(protocol, kind) }
    })
}
