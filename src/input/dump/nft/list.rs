//! The conditions of a step as lists of matches of the model: what they mean where the chain hangs.
//!
//! Fragments are as in `iptables-save` (see [`crate::input::dump::iptables`]): a device that tracks connections puts
//! them together first; on one that may not, each rule that looks beyond the IP header becomes two.

use super::NftTable;
use super::hook::View;
use super::scope::Unknowns;
use crate::header::Fragment;
use crate::input::dump::iptables::condition::{Condition, Holds};
use crate::model::{Match, Service, Test, UnknownId};
use crate::source::Span;

/// What the whole device says about the packets of one table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole {
    /// Whether packets of every family of the table are tracked for certain.
    pub(super) tracked: bool,
    /// Whether anything on the device may translate.
    pub(super) translates: bool,
}

/// Makes lists of matches.
pub(super) struct Lists {
    whole: Whole,
    unknowns: Unknowns,
    reassembly: Option<UnknownId>,
    early: Option<UnknownId>,
    shifted: Option<UnknownId>,
}

/// Which packets a rule of the model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// All of them: the kernel sees no fragments, or the rule does not care.
    Any,
    /// Whole packets and first fragments.
    Early,
    /// Later fragments.
    Later,
}

/// Whether a test is settled by where the chain hangs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    Open,
    Always,
    Never,
}

impl Lists {
    pub(super) fn new(table: &NftTable, whole: Whole) -> Lists {
        Lists { whole, unknowns: table.unknowns.clone(), reassembly: None, early: None, shifted: None }
    }

    /// The unknowns, with those that came up here, and which of them asks whether the device reassembles.
    pub(super) fn into_unknowns(self) -> (Unknowns, Option<UnknownId>) {
        (self.unknowns, self.reassembly)
    }

    /// What a translation does in a chain that is none of type `nat`.
    pub(super) fn misplaced(&mut self, span: Span) -> UnknownId {
        let what = "what a translation does in a chain that is not of type `nat`".to_owned();
        self.unknowns.add(what, span, "a chain of type `nat`".to_owned())
    }

    /// The lists of a step: it applies if all matches of one of them hold.
    pub(super) fn of(&mut self, conditions: &[Condition], span: Span, view: View) -> Vec<Vec<Match>> {
        let looks_inside = conditions.iter().any(|condition| condition.looks_inside);
        let asks = conditions.iter().find_map(|condition| match condition.holds {
            Holds::Fragment { later, .. } => Some(later),
            Holds::All(_) | Holds::Never => None,
        });
        let mut lists = Vec::new();
        if self.whole.tracked && view.whole {
            // Reassembled before: no packet is a later fragment.
            if asks != Some(true) {
                lists.extend(self.matches(conditions, Part::Any, span, view));
            }
        } else if !looks_inside && asks.is_none() {
            lists.extend(self.matches(conditions, Part::Any, span, view));
        } else if self.whole.tracked {
            // Here the kernel sees fragments, and the model the whole.
            let unknown = self.reassembly(span);
            let fits = Match { test: Test::Unknown(unknown), negated: false, span };
            if let Some(mut list) = self.matches(conditions, Part::Any, span, view) {
                list.push(fits);
                lists.push(list);
            }
        } else {
            if asks != Some(true) {
                lists.extend(self.matches(conditions, Part::Early, span, view));
            }
            // A rule that asks for a later fragment and for what it does not have fits nothing.
            if !(asks == Some(true) && looks_inside) {
                lists.extend(self.matches(conditions, Part::Later, span, view));
            }
        }
        lists
    }

    /// The matches for a part of the packets; `None` if none of them fits.
    fn matches(
        &mut self,
        conditions: &[Condition],
        part: Part,
        span: Span,
        view: View,
    ) -> Option<Vec<Match>> {
        let mut matches = self.of_part(part, span);
        for Condition { holds, .. } in conditions {
            match holds {
                Holds::All(all) => {
                    for one in all {
                        if !matches.contains(one) {
                            matches.push(one.clone());
                        }
                    }
                }
                Holds::Never => return None,
                Holds::Fragment { .. } => {}
            }
        }
        if part == Part::Later {
            // A later fragment shows none of these; whether the device has put it back together is not known.
            matches.retain(|one| !asks_inside(&one.test));
        }
        let mut possible = true;
        matches.retain_mut(|one| match self.settle(one, view) {
            Settled::Open => true,
            Settled::Always => false,
            Settled::Never => {
                possible = false;
                false
            }
        });
        possible.then_some(matches)
    }

    /// The matches that keep a rule to a part of the packets.
    fn of_part(&mut self, part: Part, span: Span) -> Vec<Match> {
        let one = |test: Test| Match { test, negated: false, span };
        match part {
            Part::Any => Vec::new(),
            Part::Early => vec![one(Test::Fragment(vec![Fragment::Whole, Fragment::First]))],
            Part::Later => {
                let unknown = self.reassembly(span);
                vec![one(Test::Fragment(vec![Fragment::Later])), one(Test::Unknown(unknown))]
            }
        }
    }

    /// Turns a match into what it means where the chain hangs.
    fn settle(&mut self, one: &mut Match, view: View) -> Settled {
        let span = one.span;
        match &mut one.test {
            Test::Any(any) => {
                let mut holds = false;
                any.retain_mut(|part| match self.settle(part, view) {
                    Settled::Open => true,
                    Settled::Never => false,
                    Settled::Always => {
                        holds = true;
                        true
                    }
                });
                return match (holds, any.is_empty()) {
                    (true, _) => told(!one.negated),
                    (false, true) => told(one.negated),
                    (false, false) => Settled::Open,
                };
            }
            Test::OutName(_) if !view.outgoing => return told(one.negated),
            Test::InName(_) if !view.incoming => {
                let what = "which interface a packet came in by, as seen behind routing".to_owned();
                let settle = "a rule that names the interface in the hook `forward`".to_owned();
                one.test = Test::Unknown(self.unknowns.add(what, span, settle));
            }
            Test::Translated(_) if !(view.state && view.source && view.destination) => {
                one.test = Test::Unknown(self.shifted(span));
            }
            Test::State(_) if !view.state => one.test = Test::Unknown(self.early_state(span)),
            test if (!view.source && asks_end(test, true))
                || (!view.destination && asks_end(test, false)) =>
            {
                one.test = Test::Unknown(self.shifted(span));
            }
            _ => {}
        }
        Settled::Open
    }

    fn reassembly(&mut self, span: Span) -> UnknownId {
        if let Some(id) = self.reassembly {
            return id;
        }
        let what = "whether the device reassembles fragments before this rule".to_owned();
        let settle = "a rule that asks for the connection state: then the kernel reassembles".to_owned();
        let id = self.unknowns.add(what, span, settle);
        self.reassembly = Some(id);
        id
    }

    fn early_state(&mut self, span: Span) -> UnknownId {
        if let Some(id) = self.early {
            return id;
        }
        let what = "which state a packet has before the connection tracker has seen it".to_owned();
        let settle = "chains of a priority above -200 for rules that ask for a state".to_owned();
        let id = self.unknowns.add(what, span, settle);
        self.early = Some(id);
        id
    }

    fn shifted(&mut self, span: Span) -> UnknownId {
        if let Some(id) = self.shifted {
            return id;
        }
        let what = "whether addresses and ports are those before or behind the translation".to_owned();
        let settle = "chains that filter before -100 or behind it, and of sources below 100".to_owned();
        let id = self.unknowns.add(what, span, settle);
        self.shifted = Some(id);
        id
    }
}

fn told(holds: bool) -> Settled {
    if holds { Settled::Always } else { Settled::Never }
}

/// Whether a test looks at what only the first fragment has.
fn asks_inside(test: &Test) -> bool {
    match test {
        Test::SourcePort(_) | Test::DestinationPort(_) | Test::EitherPort(_) | Test::TcpFlags { .. } => true,
        Test::Service(services) => services.iter().any(Service::names_ports),
        Test::Any(any) => any.iter().any(|one| asks_inside(&one.test)),
        _ => false,
    }
}

/// Whether a test looks at the source of a packet, or at its destination.
fn asks_end(test: &Test, source: bool) -> bool {
    match test {
        Test::Source(_) | Test::SourcePort(_) | Test::SourceIsOwn => source,
        Test::Destination(_) | Test::DestinationPort(_) | Test::DestinationIsOwn => !source,
        Test::EitherPort(_) => true,
        Test::Service(services) => !source && services.iter().any(Service::names_ports),
        _ => false,
    }
}
