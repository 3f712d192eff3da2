//! From a table as it is read to a filter with its hooks.
//!
//! A chain that base chains of several hooks call becomes one chain of the filter for each way of seeing packets
//! ([`View`]), since an interface or a state may be known in one place and not in another.

use super::hook::{self, Place, View};
use super::list::{Lists, Whole};
use super::rule::{ParsedRule, Step, Verdict};
use super::table::{Base, ParsedChain};
use super::{Compiled, NftTable};
use crate::input::dump::Doubt;
use crate::input::dump::iptables::condition::Condition;
use crate::input::dump::iptables::target::Effect;
use crate::input::dump::iptables::{Backend, Bound, Ruleset, Spot};
use crate::model::{Action, Chain, Filter, LedgerEntry, Marked, Rule, Stage, Translation, UnknownId};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// Lowers one table.
pub(super) struct Lowering<'t> {
    table: &'t NftTable,
    whole: Whole,
    lists: Lists,
    chains: Vec<Chain>,
    translations: Vec<Translation>,
    /// The position in the filter of each chain as it is seen in some way.
    known: BTreeMap<(usize, View), usize>,
    /// Whether a chain always comes back to its caller.
    comes_back: Vec<bool>,
    /// Whether a chain, or what it calls, may do more than accept.
    acts: Vec<bool>,
    hooks: Vec<Bound<Stage>>,
    translating: Vec<Bound<Spot>>,
    rerouting: Vec<usize>,
    only_marks: BTreeSet<usize>,
    havoc: Vec<Doubt>,
    doubts: Vec<Doubt>,
    ledger: Vec<LedgerEntry>,
}

/// Adds what a table compiles to.
pub(super) fn compile(table: &NftTable, whole: Whole, out: &mut Compiled) {
    let lists = Lists::new(table, whole);
    let mut lowering = Lowering {
        table,
        whole,
        lists,
        chains: Vec::new(),
        translations: Vec::new(),
        known: BTreeMap::new(),
        comes_back: vec![false; table.chains.len()],
        acts: vec![false; table.chains.len()],
        hooks: Vec::new(),
        translating: Vec::new(),
        rerouting: Vec::new(),
        only_marks: BTreeSet::new(),
        havoc: Vec::new(),
        doubts: Vec::new(),
        ledger: Vec::new(),
    };
    for chain in &table.order {
        let parsed = &table.chains[*chain];
        lowering.comes_back[*chain] = lowering.all_come_back(parsed);
        lowering.acts[*chain] = lowering.does_act(parsed);
    }
    // The kernel puts a chain in front of those that have its priority already.
    for (position, chain) in table.chains.iter().enumerate().rev() {
        if let Some(base) = &chain.base {
            lowering.base(position, chain, base, out);
        }
    }
    lowering.finish(out);
}

impl NftTable {
    /// Whether a table with chains of type `nat` translates something, or may do so.
    pub(super) fn may_translate(&self) -> bool {
        let steps = self.chains.iter().flat_map(|chain| &chain.rules).flat_map(|rule| &rule.steps);
        let mut verdicts = steps.map(|step| &step.verdict);
        verdicts.any(|verdict| {
            matches!(verdict, Verdict::Translate(_) | Verdict::Unknown { effect: Effect::Havoc, .. })
        })
    }

    /// The first chain that sets a mark.
    pub(super) fn sets_marks(&self) -> Option<Span> {
        self.chains.iter().find(|chain| chain.sets_marks()).map(|chain| chain.span)
    }

    /// The first rule that keeps packets from the tracker.
    pub(super) fn untracks(&self) -> Option<UnknownId> {
        let steps = self.chains.iter().flat_map(|chain| &chain.rules).flat_map(|rule| &rule.steps);
        let mut verdicts = steps.map(|step| &step.verdict);
        verdicts.find_map(|verdict| match verdict {
            Verdict::Unknown { id, effect: Effect::Untracks } => Some(*id),
            _ => None,
        })
    }
}

impl ParsedChain {
    /// Whether some rule sets a mark.
    fn sets_marks(&self) -> bool {
        let sets = |verdict: &Verdict| {
            matches!(verdict, Verdict::Mark(_) | Verdict::Unknown { effect: Effect::Marks, .. })
        };
        self.rules.iter().flat_map(|rule| &rule.steps).any(|step| sets(&step.verdict))
    }
}

impl Lowering<'_> {
    fn base(&mut self, position: usize, chain: &ParsedChain, base: &Base, out: &mut Compiled) {
        let reached = self.reached(position);
        let (place, view) = hook::place(base, self.whole.translates);
        let foreign = !matches!(self.table.family.as_str(), "ip" | "ip6" | "inet");
        self.note_effects(&reached, &base.kind);
        self.note_marks(&reached, base, !foreign && !base.unclear && place != Place::Nowhere, out);
        let (stages, rank) = match place {
            _ if foreign || base.unclear => return self.nowhere(position, chain),
            Place::Nowhere => return self.nowhere(position, chain),
            Place::Filters(stages, rank) => (stages, rank),
            Place::Translates(at, rank) => {
                if !self.acts[position] {
                    return;
                }
                if let Some(id) = self.unclear_translation(&reached) {
                    let doubt = self.doubt_of(id);
                    self.doubts.push(Doubt { havoc: true, ..doubt });
                    return;
                }
                let chain = self.chain_tree(position, &reached, view);
                self.translating.push(Bound { at, chain, rank });
                return;
            }
        };
        // What can only accept decides nothing before routing and behind it.
        let is_central = matches!(base.hook.as_str(), "input" | "forward" | "output");
        let marks =
            self.table.chains.iter().zip(&reached).any(|(chain, reached)| *reached && chain.sets_marks());
        if self.acts[position] || is_central || marks {
            let chain = self.chain_tree(position, &reached, view);
            if !self.acts[position] && !is_central {
                self.only_marks.insert(chain);
            }
            self.hooks.extend(stages.iter().map(|at| Bound { at: *at, chain, rank }));
            if base.kind == "route" {
                self.rerouting.push(chain);
            }
        }
    }

    /// The chains that a chain leads to, itself among them.
    fn reached(&self, from: usize) -> Vec<bool> {
        let mut reached = vec![false; self.table.chains.len()];
        reached[from] = true;
        for chain in self.table.order.iter().rev() {
            if reached[*chain] {
                for rule in &self.table.chains[*chain].rules {
                    for to in called(rule) {
                        reached[to] = true;
                    }
                }
            }
        }
        reached
    }

    /// A base chain for which the model has no place.
    fn nowhere(&mut self, position: usize, chain: &ParsedChain) {
        if self.acts[position] {
            let (family, table) = (&self.table.family, &self.table.name);
            let what =
                format!("which packets the chain `{}` of the table `{family} {table}` stops", chain.name);
            let settle = "take the chain out of the device's configuration, and dump it again";
            let doubt = Doubt::about(what, chain.span).settled_by(settle);
            // What may translate may do anything.
            let havoc = chain.base.as_ref().is_some_and(|base| base.kind == "nat");
            self.doubts.push(Doubt { havoc, ..doubt });
        }
    }

    fn doubt_of(&self, id: UnknownId) -> Doubt {
        let unknown = &self.table.unknowns.all[id.index()];
        let span = unknown.span.unwrap_or(self.table.span);
        Doubt::about(unknown.what.clone(), span).settled_by(unknown.settle.clone())
    }

    /// What the rules that run do beyond deciding: rewrite, copy, log.
    fn note_effects(&mut self, reached: &[bool], kind: &str) {
        for (chain, _) in self.table.chains.iter().zip(reached).filter(|(_, reached)| **reached) {
            for step in chain.rules.iter().flat_map(|rule| &rule.steps) {
                match &step.verdict {
                    Verdict::Unknown { id, effect: Effect::Havoc } if kind != "nat" => {
                        let doubt = Doubt { havoc: true, ..self.doubt_of(*id) };
                        if !self.havoc.contains(&doubt) {
                            self.havoc.push(doubt);
                        }
                    }
                    Verdict::Log(span) => self.note_log(*span),
                    _ => {}
                }
            }
        }
    }

    /// Notes what sets marks in a way, or at a place, that is not understood: chains of `nat` see the first packets of
    /// connections only; what hangs behind the translation of destinations stands behind routing in the model; before
    /// the tracker no packet has a connection.
    fn note_marks(&self, reached: &[bool], base: &Base, is_placed: bool, out: &mut Compiled) {
        let early = matches!(base.hook.as_str(), "prerouting" | "output");
        let misplaced = !is_placed
            || base.kind == "nat"
            || (base.hook == "prerouting" && base.priority > hook::DESTINATIONS);
        let untracked = early && base.priority <= hook::TRACKS;
        let running = self.table.chains.iter().zip(reached).filter(|(_, reached)| **reached);
        for rule in running.flat_map(|(chain, _)| &chain.rules) {
            let unclear = |step: &Step| match step.verdict {
                Verdict::Unknown { effect: Effect::Marks, .. } => true,
                Verdict::Mark(change) => misplaced || (untracked && change.is_of_connections()),
                _ => false,
            };
            let asks = |step: &Step| {
                untracked && step.conditions.iter().any(|one| one.asks_mark(&|of| of == Marked::Connection))
            };
            if out.unclear_marks.is_none() && rule.steps.iter().any(|step| unclear(step) || asks(step)) {
                let (family, table) = (&self.table.family, &self.table.name);
                let what =
                    format!("the marks of packets, which a rule of the table `{family} {table}` changes");
                let settle =
                    "a mark that is set to a number, before routing, in a chain of type `filter` or `route`";
                out.unclear_marks = Some(Doubt::about(what, rule.span).settled_by(settle));
            }
        }
    }

    fn note_log(&mut self, span: Span) {
        let text =
            "`log group` hands packets to a program of the device; where that sends them is not considered";
        if self.ledger.is_empty() {
            self.ledger.push(LedgerEntry { text: text.to_owned(), span: Some(span) });
        }
    }

    /// The first statement that keeps the translation of a chain from being known.
    fn unclear_translation(&self, reached: &[bool]) -> Option<UnknownId> {
        let running = self.table.chains.iter().zip(reached).filter(|(_, reached)| **reached);
        let mut steps = running.flat_map(|(chain, _)| &chain.rules).flat_map(|rule| &rule.steps);
        let unclear = steps.find_map(|step| match &step.verdict {
            Verdict::Unknown { id, effect: Effect::Havoc } | Verdict::Unclear(id) => Some(*id),
            _ => None,
        });
        // What is kept from the tracker is not translated either.
        unclear.or_else(|| self.table.untracks())
    }

    /// Lowers a base chain and all that it calls.
    fn chain_tree(&mut self, base: usize, reached: &[bool], view: View) -> usize {
        let mut last = 0;
        let table = self.table;
        for chain in table.order.iter().filter(|chain| reached[**chain]) {
            last = self.chain(*chain, view);
            if *chain == base {
                break;
            }
        }
        last
    }

    fn chain(&mut self, position: usize, view: View) -> usize {
        if let Some(known) = self.known.get(&(position, view)) {
            return *known;
        }
        let parsed = &self.table.chains[position];
        let policy = parsed.base.as_ref().map(|base| if base.drops { Action::Drop } else { Action::Accept });
        let mut rules = Vec::with_capacity(parsed.rules.len());
        for (index, rule) in parsed.rules.iter().enumerate() {
            self.rule(rule, &(index + 1).to_string(), (view, policy), &mut rules);
        }
        self.chains.push(Chain { name: parsed.name.clone(), span: parsed.span, rules, policy });
        self.known.insert((position, view), self.chains.len() - 1);
        self.chains.len() - 1
    }

    fn rule(
        &mut self,
        parsed: &ParsedRule,
        name: &str,
        (view, policy): (View, Option<Action>),
        rules: &mut Vec<Rule>,
    ) {
        let before = rules.len();
        let made =
            |matches, action| Rule { name: name.to_owned(), span: parsed.span, matches, action, opens: true };
        for (position, step) in parsed.steps.iter().enumerate() {
            let rest = &parsed.steps[position + 1..];
            if step.asks_what_it_sets() && !rest.is_empty() {
                let chain = self.marking_chain(step, rest, parsed.span, (view, policy));
                let goes = rest.iter().any(|step| matches!(step.verdict, Verdict::Return | Verdict::Goto(_)));
                let action = if goes && policy.is_none() { Action::Goto(chain) } else { Action::Jump(chain) };
                let lists = self.lists.of(&step.conditions, parsed.span, view);
                rules.extend(lists.into_iter().map(|matches| made(matches, action)));
                break;
            }
            let actions = self.actions(&step.verdict, view, policy);
            if actions == [Action::Continue] {
                continue;
            }
            let lists = self.lists.of(&step.conditions, parsed.span, view);
            for action in actions {
                rules.extend(lists.iter().map(|matches| made(matches.clone(), action)));
            }
        }
        if rules.len() == before {
            rules.push(made(Vec::new(), Action::Continue));
        }
    }

    /// A chain for what a rule does once its conditions have been asked about the old mark: it sets the new one first.
    fn marking_chain(
        &mut self,
        step: &Step,
        rest: &[Step],
        span: Span,
        (view, policy): (View, Option<Action>),
    ) -> usize {
        let mut rules = Vec::new();
        let add = |rules: &mut Vec<Rule>, matches, action| {
            let name = (rules.len() + 1).to_string();
            rules.push(Rule { name, span, matches, action, opens: true });
        };
        for action in self.actions(&step.verdict, view, policy) {
            add(&mut rules, Vec::new(), action);
        }
        for later in rest {
            let more: Vec<Condition> = later.more_than(step).cloned().collect();
            let actions = self.actions(&later.verdict, view, policy);
            for matches in self.lists.of(&more, span, view) {
                actions.iter().for_each(|action| add(&mut rules, matches.clone(), *action));
            }
        }
        self.chains.push(Chain { name: "marked".to_owned(), span, rules, policy: None });
        self.chains.len() - 1
    }

    /// What is done, as actions in order. In a base chain `return` is the policy; and what comes back from a `goto`
    /// there meets the policy too, so that it is a jump and then the policy.
    fn actions(&mut self, verdict: &Verdict, view: View, policy: Option<Action>) -> Vec<Action> {
        let end = policy.unwrap_or(Action::Return);
        match verdict {
            Verdict::Accept => vec![Action::Accept],
            Verdict::Drop => vec![Action::Drop],
            Verdict::Reject => vec![Action::Reject],
            Verdict::Return => vec![end],
            Verdict::Continue | Verdict::Log(_) => vec![Action::Continue],
            // A chain that only logs changes nothing; nor may what it asks and we do not understand.
            Verdict::Jump(to) if self.comes_back[*to] => vec![Action::Continue],
            Verdict::Goto(to) if self.comes_back[*to] => vec![end],
            Verdict::Jump(to) => vec![Action::Jump(self.chain(*to, view))],
            Verdict::Goto(to) => match policy {
                Some(policy) => vec![Action::Jump(self.chain(*to, view)), policy],
                None => vec![Action::Goto(self.chain(*to, view))],
            },
            Verdict::Translate(translation) if view.translates => {
                self.translations.push(*translation);
                vec![Action::Translate(self.translations.len() - 1)]
            }
            // The kernel loads no such rule.
            Verdict::Translate(translation) => vec![Action::Unknown(self.lists.misplaced(translation.span))],
            Verdict::Unclear(id) => vec![Action::Unknown(*id)],
            Verdict::Mark(change) => vec![Action::Mark(*change)],
            Verdict::Unknown { effect: Effect::Quiet | Effect::Marks | Effect::Untracks, .. } => {
                vec![Action::Continue]
            }
            Verdict::Unknown { id, effect: Effect::Havoc } => vec![Action::Unknown(*id)],
        }
    }

    fn all_come_back(&self, chain: &ParsedChain) -> bool {
        let comes_back = |verdict: &Verdict| match verdict {
            Verdict::Return | Verdict::Continue | Verdict::Log(_) => true,
            Verdict::Unknown { effect: Effect::Quiet | Effect::Marks | Effect::Untracks, .. } => true,
            Verdict::Mark(_) => false,
            Verdict::Jump(to) | Verdict::Goto(to) => self.comes_back[*to],
            Verdict::Accept | Verdict::Drop | Verdict::Reject | Verdict::Translate(_) => false,
            Verdict::Unclear(_) | Verdict::Unknown { effect: Effect::Havoc, .. } => false,
        };
        let mut steps = chain.rules.iter().flat_map(|rule| &rule.steps);
        chain.base.is_none() && steps.all(|step| comes_back(&step.verdict))
    }

    fn does_act(&self, chain: &ParsedChain) -> bool {
        let acts = |verdict: &Verdict| match verdict {
            Verdict::Drop | Verdict::Reject | Verdict::Translate(_) | Verdict::Unclear(_) => true,
            Verdict::Mark(_) => false,
            Verdict::Unknown { effect, .. } => *effect == Effect::Havoc,
            Verdict::Jump(to) | Verdict::Goto(to) => self.acts[*to],
            Verdict::Accept | Verdict::Return | Verdict::Continue | Verdict::Log(_) => false,
        };
        let mut steps = chain.rules.iter().flat_map(|rule| &rule.steps);
        chain.base.as_ref().is_some_and(|base| base.drops) || steps.any(|step| acts(&step.verdict))
    }

    fn finish(self, out: &mut Compiled) {
        out.doubts.extend(self.doubts);
        if self.hooks.is_empty() && self.translating.is_empty() && self.havoc.is_empty() {
            return;
        }
        let unknowns = self.lists.into_unknowns();
        out.rulesets.push(Ruleset {
            family: match self.table.family.as_str() {
                "ip" => Some(crate::header::Family::V4),
                "ip6" => Some(crate::header::Family::V6),
                _ => None,
            },
            backend: Backend::Nft,
            filter: Filter {
                name: format!("{} {}", self.table.family, self.table.name),
                span: self.table.span,
                chains: self.chains,
                translations: self.translations,
                tracks: self.whole.tracked,
                relates_own_errors: true,
            },
            type_tests: unknowns.0.type_tests,
            set_tests: BTreeMap::new(),
            set_changes: Vec::new(),
            reassembly: unknowns.1,
            unknowns: unknowns.0.all,
            hooks: self.hooks,
            translating: self.translating,
            havoc: self.havoc,
            ledger: self.ledger,
            untracks: self.table.untracks(),
            unclear_marks: None,
            rerouting: self.rerouting,
            only_marks: self.only_marks,
            rules: BTreeMap::new(),
        });
    }
}

/// The chains that a rule leads to.
fn called(rule: &ParsedRule) -> impl Iterator<Item = usize> {
    rule.steps.iter().filter_map(|step| match step.verdict {
        Verdict::Jump(to) | Verdict::Goto(to) => Some(to),
        _ => None,
    })
}
