//! From rules as they are read to rules of the model.

use super::Context;
use super::calls::{Sight, Use};
use super::condition::{Condition, Holds};
use super::rule::ParsedRule;
use super::target::{Effect, Verdict};
use crate::header::Fragment;
use crate::model::translation::End;
use crate::model::{Action, Match, Rule, Service, Test, Translation, UnknownId};
use crate::source::Span;

/// Where the rules of a chain stand.
#[derive(Clone, Copy)]
pub(super) struct Place<'u> {
    /// What the chains of the table are used for.
    pub(super) used: &'u Use,
    /// The position of the chain in its table.
    pub(super) position: usize,
    /// The position in the filter of the first chain of the table.
    pub(super) offset: usize,
    /// The policy of a built-in chain: whether it drops.
    pub(super) drops: Option<bool>,
    /// Set if nobody knows the state of packets here.
    pub(super) stateless: Option<UnknownId>,
}

/// Lowers the rules of one chain.
pub(super) struct Lowering<'c, 's, 'u> {
    pub(super) context: &'c mut Context<'s>,
    pub(super) place: Place<'u>,
    /// What the rules translate packets to.
    pub(super) translations: &'u mut Vec<Translation>,
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

/// Whether a test looks at what only the first fragment has. (So does the protocol of IPv6; but a later
/// fragment of another protocol fits in no case.)
fn asks_inside(test: &Test) -> bool {
    match test {
        Test::SourcePort(_) | Test::DestinationPort(_) | Test::EitherPort(_) | Test::TcpFlags { .. } => true,
        Test::Service(services) => services.iter().any(Service::names_ports),
        _ => false,
    }
}

/// Makes a test of the state, or the part of it that is one, not understood.
fn forget_state(test: &mut Test, unknown: UnknownId) {
    match test {
        Test::State(_) | Test::Translated(_) => *test = Test::Unknown(unknown),
        Test::Any(any) => any.iter_mut().for_each(|one| forget_state(&mut one.test, unknown)),
        _ => {}
    }
}

/// Whether a test, or part of it, is not understood.
fn holds_unknown(test: &Test) -> bool {
    match test {
        Test::Any(any) => any.iter().any(|one| holds_unknown(&one.test)),
        test => matches!(test, Test::Unknown(_)),
    }
}

impl Lowering<'_, '_, '_> {
    pub(super) fn rules(&mut self, parsed: &[ParsedRule]) -> Vec<Rule> {
        let mut rules = Vec::with_capacity(parsed.len());
        for (index, rule) in parsed.iter().enumerate() {
            let name = (index + 1).to_string();
            let mut lists = self.lists(rule);
            let actions = self.actions(rule);
            if self.comes_back(rule) {
                // Nothing depends on whether it fits: a test that is not understood must not take anything away.
                let certain = |one: &Match| !holds_unknown(&one.test);
                lists.iter_mut().for_each(|list| list.retain(certain));
            }
            for action in actions {
                rules.extend(lists.iter().map(|matches| Rule {
                    name: name.clone(),
                    span: rule.span,
                    matches: matches.clone(),
                    action,
                    opens: true,
                }));
            }
        }
        rules
    }

    /// Whether what follows a rule is the next one, whether the rule fits or not.
    fn comes_back(&self, rule: &ParsedRule) -> bool {
        match rule.verdict {
            Verdict::Continue | Verdict::Log(_) => true,
            Verdict::Unknown { effect, .. } => effect != Effect::Havoc,
            Verdict::Jump(to) => self.place.used.comes_back[to],
            Verdict::Accept
            | Verdict::Drop
            | Verdict::Reject
            | Verdict::Return
            | Verdict::Goto(_)
            | Verdict::Mark(_)
            | Verdict::Translate { .. } => false,
        }
    }

    /// What a rule does, as actions in order. In a built-in chain `RETURN` is the policy; and what comes back
    /// from a `-g` there meets the policy too, so that it is a jump and then the policy.
    fn actions(&mut self, rule: &ParsedRule) -> Vec<Action> {
        let policy = self.place.drops.map(|drops| if drops { Action::Drop } else { Action::Accept });
        match &rule.verdict {
            Verdict::Accept => vec![Action::Accept],
            Verdict::Drop => vec![Action::Drop],
            Verdict::Reject => vec![Action::Reject],
            Verdict::Continue | Verdict::Log(_) => vec![Action::Continue],
            Verdict::Return => vec![policy.unwrap_or(Action::Return)],
            // A chain that only logs changes nothing, whatever it asks; nor may what it asks and we do not
            // understand.
            Verdict::Jump(to) if self.place.used.comes_back[*to] => vec![Action::Continue],
            Verdict::Goto(to) if self.place.used.comes_back[*to] => vec![policy.unwrap_or(Action::Return)],
            Verdict::Jump(to) => vec![Action::Jump(self.place.offset + to)],
            Verdict::Goto(to) => match policy {
                Some(policy) => vec![Action::Jump(self.place.offset + to), policy],
                None => vec![Action::Goto(self.place.offset + to)],
            },
            Verdict::Mark(change) => vec![Action::Mark(*change)],
            Verdict::Unknown { effect: Effect::Quiet | Effect::Marks | Effect::Untracks, .. } => {
                vec![Action::Continue]
            }
            Verdict::Translate { translation, end } => {
                // A chain that maps now one end and now the other makes the whole table not understood.
                let mapped = self.place.used.mapped_end(self.place.position);
                let end = end.or(mapped).unwrap_or(End::Destination);
                self.translations.push(Translation { end, ..*translation });
                vec![Action::Translate(self.translations.len() - 1)]
            }
            Verdict::Unknown { span, effect: Effect::Havoc } => {
                let text = self.context.excerpt(*span);
                let settle = format!("take `{text}` out of the rules, and dump them again");
                vec![Action::Unknown(self.context.unknown(format!("what `{text}` does"), *span, settle))]
            }
        }
    }

    /// The matches of a rule: it fits if all matches of one list do.
    fn lists(&mut self, rule: &ParsedRule) -> Vec<Vec<Match>> {
        let looks_inside = rule.conditions.iter().any(|condition| condition.looks_inside);
        let asks = rule.conditions.iter().find_map(|condition| match condition.holds {
            Holds::Fragment { later, .. } => Some(later),
            Holds::All(_) | Holds::Never => None,
        });
        if self.context.tracks {
            // Reassembled before: no packet is a later fragment.
            return if asks == Some(true) {
                Vec::new()
            } else {
                self.matches(rule, Part::Any).into_iter().collect()
            };
        }
        if self.comes_back(rule) || (!looks_inside && asks.is_none()) {
            return self.matches(rule, Part::Any).into_iter().collect();
        }
        let mut lists = Vec::new();
        if asks != Some(true) {
            lists.extend(self.matches(rule, Part::Early));
        }
        // A rule that asks for a later fragment and for what it does not have fits nothing.
        if !(asks == Some(true) && looks_inside) {
            lists.extend(self.matches(rule, Part::Later));
        }
        lists
    }

    /// The matches of a rule for a part of the packets; `None` if it fits none of them.
    fn matches(&mut self, rule: &ParsedRule, part: Part) -> Option<Vec<Match>> {
        let mut matches = self.of_part(rule, part);
        for Condition { holds, .. } in &rule.conditions {
            match holds {
                Holds::All(all) => matches.extend_from_slice(all),
                Holds::Never => return None,
                Holds::Fragment { .. } => {}
            }
        }
        if part == Part::Later {
            // A later fragment shows none of these; whether the device has put it back together is not known.
            let asks_ports = |test: &Test| match test {
                Test::Unknown(id) => self.context.set_tests.get(id).is_some_and(|(_, inside)| *inside),
                test => asks_inside(test),
            };
            matches.retain(|one| !asks_ports(&one.test));
        }
        self.adapt(&mut matches).then_some(matches)
    }

    /// Turns tests into what they mean in this chain; whether the list can hold at all.
    fn adapt(&mut self, list: &mut Vec<Match>) -> bool {
        let (sees_in, sees_out) =
            (self.place.used.sees_in(self.place.position), self.place.used.sees_out(self.place.position));
        let mut possible = true;
        list.retain_mut(|one| {
            let sight = match one.test {
                Test::State(_) | Test::Translated(_) | Test::Any(_) => {
                    if let Some(unknown) = self.place.stateless {
                        forget_state(&mut one.test, unknown);
                    }
                    Sight::Exact
                }
                Test::InName(_) => sees_in,
                Test::OutName(_) => sees_out,
                _ => Sight::Exact,
            };
            match sight {
                Sight::Exact => true,
                Sight::Absent => {
                    possible &= one.negated;
                    false
                }
                Sight::Unclear => {
                    one.test = self.context.unknown_test(one.span);
                    true
                }
            }
        });
        possible
    }

    /// The matches that keep a rule to a part of the packets.
    fn of_part(&mut self, rule: &ParsedRule, part: Part) -> Vec<Match> {
        let written = rule.conditions.iter().find_map(|condition| match condition.holds {
            Holds::Fragment { span, .. } => Some(span),
            Holds::All(_) | Holds::Never => None,
        });
        let span = written.unwrap_or(rule.span);
        let one = |test: Test| Match { test, negated: false, span };
        match part {
            Part::Any => Vec::new(),
            Part::Early => vec![one(Test::Fragment(vec![Fragment::Whole, Fragment::First]))],
            Part::Later => {
                let unknown = self.reassembly(rule.span);
                vec![one(Test::Fragment(vec![Fragment::Later])), one(Test::Unknown(unknown))]
            }
        }
    }

    fn reassembly(&mut self, span: Span) -> UnknownId {
        if let Some(id) = self.context.reassembly {
            return id;
        }
        let what = "whether the device reassembles fragments before this rule".to_owned();
        let settle = "a rule that asks for the connection state: then the kernel reassembles";
        let id = self.context.unknown(what, span, settle.to_owned());
        self.context.reassembly = Some(id);
        id
    }
}
