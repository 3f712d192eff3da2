//! From the tables of a dump to one filter with its hooks.

use super::calls::Use;
use super::condition::Holds;
use super::lines::{Dump, ParsedTable};
use super::lower::{Lowering, Place};
use super::target::{Effect, Verdict};
use super::{Backend, Bound, Context, Rank, Ruleset, Spot, Turn};
use crate::diag::Diagnostics;
use crate::input::dump::Doubt;
use crate::model::{Action, Chain, Filter, LedgerEntry, Match, Rule, Stage, Test, Translation, UnknownId};
use crate::source::Span;
use std::collections::{BTreeMap, BTreeSet};

/// Which chain binds at which stages, in the order in which a packet meets them (`enum nf_ip_hook_priorities`).
/// `nat` has rows of its own.
const HOOKS: &[(&str, &str, &[Stage], Rank)] = &[
    ("raw", "PREROUTING", &[Stage::Prerouting], Rank(Turn::Early, -300)),
    ("raw", "OUTPUT", &[Stage::EarlyOutput], Rank(Turn::Own, -300)),
    ("mangle", "PREROUTING", &[Stage::Prerouting], Rank(Turn::Early, -150)),
    ("mangle", "OUTPUT", &[Stage::EarlyOutput], Rank(Turn::Own, -150)),
    ("mangle", "INPUT", &[Stage::Input], Rank(Turn::Own, -150)),
    ("mangle", "FORWARD", &[Stage::Forward], Rank(Turn::Own, -150)),
    ("filter", "INPUT", &[Stage::Input], Rank(Turn::Own, 0)),
    ("filter", "FORWARD", &[Stage::Forward], Rank(Turn::Own, 0)),
    ("filter", "OUTPUT", &[Stage::Output], Rank(Turn::Own, 0)),
    ("security", "INPUT", &[Stage::Input], Rank(Turn::Own, 50)),
    ("security", "FORWARD", &[Stage::Forward], Rank(Turn::Own, 50)),
    ("security", "OUTPUT", &[Stage::Output], Rank(Turn::Own, 50)),
    ("mangle", "POSTROUTING", &[Stage::Forward, Stage::LateOutput], Rank(Turn::Late, -150)),
];

/// Which chain of `nat` translates where.
const SPOTS: &[(&str, Spot)] = &[
    ("PREROUTING", Spot::Prerouting),
    ("INPUT", Spot::Input),
    ("OUTPUT", Spot::Output),
    ("POSTROUTING", Spot::Postrouting),
];

/// The tables in the order in which a packet meets them.
const TABLES: &[&str] = &["raw", "mangle", "nat", "filter", "security"];

/// Makes the filter. `None` if chains call each other in a circle, or too deep.
pub(super) fn assemble(
    context: &mut Context<'_>,
    mut dump: Dump,
    diagnostics: &mut Diagnostics,
) -> Option<Ruleset> {
    let rank = |table: &ParsedTable| TABLES.iter().position(|name| *name == table.name.value);
    dump.tables.sort_by_key(|table| rank(table).unwrap_or(TABLES.len()));
    let mut uses = Vec::new();
    for table in &dump.tables {
        match Use::of(table) {
            Ok(used) => uses.push(used),
            Err(error) => diagnostics.push(error),
        }
    }
    if uses.len() < dump.tables.len() {
        return None;
    }
    let mut made = Assembly::new(context);
    made.context.tracks |= dump.backend == Backend::Nft && dump.tables.iter().any(nat_binds);
    made.note_effects(&dump, &uses);
    for (table, used) in dump.tables.iter().zip(&uses) {
        made.table(table, used);
    }
    Some(made.finish(&dump))
}

/// Whether this is a `nat` table with rules in its base chains: those of nftables load the tracker.
fn nat_binds(table: &ParsedTable) -> bool {
    table.name.value == "nat"
        && table.chains.iter().any(|chain| chain.drops.is_some() && !chain.rules.is_empty())
}

/// The first rule of `nat` that runs and whose target is not understood.
fn not_understood(table: &ParsedTable, used: &Use) -> Option<Span> {
    let running = table.chains.iter().enumerate().filter(|(position, _)| used.runs(*position));
    let mut rules =
        running.flat_map(|(position, chain)| chain.rules.iter().map(move |rule| (position, rule)));
    rules.find_map(|(position, rule)| match rule.verdict {
        Verdict::Unknown { span, .. } => Some(span),
        Verdict::Translate { end: None, translation } => {
            used.mapped_end(position).is_none().then_some(translation.span)
        }
        _ => None,
    })
}

/// The first place where a table asks for a state.
fn asks_state(table: &ParsedTable) -> Option<Span> {
    let rules = table.chains.iter().flat_map(|chain| &chain.rules);
    let mut matches = rules.flat_map(|rule| &rule.conditions).flat_map(|condition| match &condition.holds {
        Holds::All(matches) => matches.as_slice(),
        Holds::Fragment { .. } | Holds::Never => &[],
    });
    let is_state = |one: &Match| matches!(one.test, Test::State(_) | Test::Translated(_));
    let asks = |one: &Match| match &one.test {
        Test::Any(any) => any.iter().any(is_state),
        _ => is_state(one),
    };
    matches.find(|one| asks(one)).map(|one| one.span)
}

struct Assembly<'c, 's> {
    context: &'c mut Context<'s>,
    chains: Vec<Chain>,
    translations: Vec<Translation>,
    translating: Vec<Bound<Spot>>,
    /// The position of each chain that can do more than accept, or is of `filter`, by table and name.
    binding: BTreeMap<(String, String), usize>,
    /// Chains that make every packet uncertain.
    blankets: Vec<usize>,
    havoc: Vec<Doubt>,
    ledger: Vec<LedgerEntry>,
    rules: BTreeMap<(String, String), usize>,
    /// Set if some packets are kept from the tracker, so that nobody knows their state.
    stateless: Option<UnknownId>,
    /// Set if nobody knows the marks of packets.
    unclear_marks: Option<UnknownId>,
    /// Chains that do nothing but set marks, or nothing at all.
    only_marks: BTreeSet<usize>,
}

impl<'c, 's> Assembly<'c, 's> {
    fn new(context: &'c mut Context<'s>) -> Assembly<'c, 's> {
        let (chains, blankets, havoc, ledger) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (binding, rules) = (BTreeMap::new(), BTreeMap::new());
        let (translations, translating) = (Vec::new(), Vec::new());
        Assembly {
            context,
            chains,
            translations,
            translating,
            binding,
            blankets,
            havoc,
            ledger,
            rules,
            stateless: None,
            unclear_marks: None,
            only_marks: BTreeSet::new(),
        }
    }

    /// What rules that run do beyond deciding: translate, copy, untrack, log.
    fn note_effects(&mut self, dump: &Dump, uses: &[Use]) {
        for (table, used) in dump.tables.iter().zip(uses) {
            let running = table.chains.iter().enumerate().filter(|(chain, _)| used.runs(*chain));
            for rule in running.flat_map(|(_, chain)| &chain.rules) {
                match &rule.verdict {
                    Verdict::Unknown { span, effect: Effect::Havoc } if table.name.value != "nat" => {
                        let what = format!("what `{}` does to packets", self.context.excerpt(*span));
                        self.havoc.push(Doubt::havoc(what, *span));
                    }
                    Verdict::Unknown { span, effect: Effect::Untracks } if self.stateless.is_none() => {
                        let text = self.context.excerpt(*span);
                        let what = format!("the connection state of packets, which `{text}` changes");
                        let settle = format!("take `{text}` out of the rules, and dump them again");
                        self.stateless = Some(self.context.unknown(what, *span, settle));
                    }
                    Verdict::Unknown { span, effect: Effect::Marks } => self.note_marks(*span),
                    Verdict::Mark(change) if table.name.value == "nat" => self.note_marks(rule.span),
                    Verdict::Mark(change) if table.name.value == "raw" && change.is_of_connections() => {
                        self.note_marks(rule.span);
                    }
                    _ if table.name.value == "raw" && rule.asks_connection_mark() => {
                        self.note_marks(rule.span)
                    }
                    Verdict::Log(name) => self.note_log(name.value, name.span),
                    _ => {}
                }
            }
        }
    }

    /// Notes what sets marks in a way that is not understood: `nat` sees the first packets of connections only, and `raw` none of
    /// their connections.
    fn note_marks(&mut self, span: Span) {
        if self.unclear_marks.is_none() {
            let text = self.context.excerpt(span);
            let what = format!("the marks of packets, which `{text}` changes");
            let settle = format!("take `{text}` out of the rules, and dump them again");
            self.unclear_marks = Some(self.context.unknown(what, span, settle));
        }
    }

    fn note_log(&mut self, name: &str, span: Span) {
        let text = format!(
            "`{name}` hands packets to a program of the device; where that sends them is not considered"
        );
        if !self.ledger.iter().any(|entry| entry.text == text) {
            self.ledger.push(LedgerEntry { text, span: Some(span) });
        }
    }

    fn table(&mut self, table: &ParsedTable, used: &Use) {
        let name = table.name.value.as_str();
        let offset = self.chains.len();
        let stateless = match name {
            // `raw` comes before the tracker has looked at the packet.
            "raw" if self.stateless.is_none() => asks_state(table).map(|span| self.early_state(span)),
            _ => self.stateless,
        };
        for (position, chain) in table.chains.iter().enumerate() {
            let shown = if name == "filter" { chain.name.clone() } else { format!("{name}/{}", chain.name) };
            let place = Place { used, position, offset, drops: chain.drops, stateless };
            // What nothing calls decides nothing, and no device answers because of it.
            let parsed = if used.runs(position) { &chain.rules[..] } else { &[] };
            let translations = &mut self.translations;
            let rules = Lowering { context: self.context, place, translations }.rules(parsed);
            let policy = chain.drops.map(|drops| if drops { Action::Drop } else { Action::Accept });
            self.chains.push(Chain { name: shown, span: chain.span, rules, policy });
            let key = (name.to_owned(), chain.name.clone());
            self.rules.insert(key.clone(), chain.rules.len());
            let acts = name == "filter" || used.acts[position].is_some();
            if acts || used.marks[position] {
                self.binding.insert(key, offset + position);
            }
            if !acts {
                self.only_marks.insert(offset + position);
            }
        }
        let first = (0..table.chains.len()).find_map(|chain| used.acts[chain].filter(|_| used.runs(chain)));
        if name == "nat" {
            // What is kept from the tracker is not translated either.
            let untracked = self.stateless.and_then(|id| self.context.unknowns[id.index()].span);
            match not_understood(table, used).or(untracked.filter(|_| first.is_some())) {
                Some(span) => {
                    let text = self.context.excerpt(span);
                    self.blanket("nat", format!("how `{text}` translates packets"), span);
                }
                None if first.is_some() => self.translate(table, used, offset),
                None => {}
            }
        } else if !TABLES.contains(&name) {
            self.blanket(name, format!("what the table `{name}` does"), table.name.span);
        }
    }

    /// Makes the chains of a table those that translate.
    fn translate(&mut self, table: &ParsedTable, used: &Use, offset: usize) {
        for (position, chain) in table.chains.iter().enumerate() {
            let spot = SPOTS.iter().find(|(name, _)| chain.drops.is_some() && *name == chain.name);
            if let Some((_, spot)) = spot.filter(|_| used.acts[position].is_some()) {
                let priority = if matches!(spot, Spot::Prerouting | Spot::Output) { -100 } else { 100 };
                let rank = Rank(Turn::Own, priority);
                self.translating.push(Bound { at: *spot, chain: offset + position, rank });
            }
        }
    }

    /// The unknown for tests of the state where it is not known yet.
    fn early_state(&mut self, span: Span) -> UnknownId {
        let what = "which state a packet has before the connection tracker has seen it".to_owned();
        self.context.unknown(what, span, "rules of `raw` that do not ask for a state".to_owned())
    }

    /// A chain that makes every packet uncertain, because of what stands at a place.
    fn blanket(&mut self, name: &str, what: String, span: Span) {
        let doubt = Doubt::havoc(what, span);
        let unknown = self.context.unknown(doubt.what.clone(), span, doubt.settle.clone());
        self.havoc.push(doubt);
        let action = Action::Unknown(unknown);
        let rule = Rule { name: "1".to_owned(), span, matches: Vec::new(), action, opens: true };
        self.blankets.push(self.chains.len());
        self.chains.push(Chain {
            name: name.to_owned(),
            span,
            rules: vec![rule],
            policy: Some(Action::Accept),
        });
    }

    fn finish(mut self, dump: &Dump) -> Ruleset {
        for span in &dump.incomplete {
            self.blanket("incomplete", "rules that this dump does not show".to_owned(), *span);
        }
        let every = [Stage::Input, Stage::Forward, Stage::Output];
        let blankets = self.blankets.iter();
        let mut hooks: Vec<Bound<Stage>> = blankets
            .flat_map(|chain| every.map(|at| Bound { at, chain: *chain, rank: Rank::FIRST }))
            .collect();
        for (table, chain, stages, rank) in HOOKS {
            // iptables-nft has a number of its own for `security`.
            let is_other = *table == "security" && dump.backend == Backend::Nft;
            let rank = if is_other { &Rank(rank.0, 150) } else { rank };
            if let Some(position) = self.binding.get(&((*table).to_owned(), (*chain).to_owned())) {
                hooks.extend(stages.iter().map(|at| Bound { at: *at, chain: *position, rank: *rank }));
            }
        }
        let rerouting = ("mangle".to_owned(), "OUTPUT".to_owned());
        let rerouting = self.binding.get(&rerouting).copied().into_iter().collect();
        let first = dump.tables.first().map(|table| table.name.span);
        let span = first.unwrap_or(Span::new(self.context.id, 0, 0));
        let name = self.context.command().trim_end_matches("-save").to_owned();
        Ruleset {
            family: Some(self.context.family),
            backend: dump.backend,
            filter: Filter {
                name,
                span,
                chains: self.chains,
                translations: self.translations,
                tracks: self.context.tracks,
                relates_own_errors: true,
            },
            type_tests: std::mem::take(&mut self.context.type_tests),
            set_tests: std::mem::take(&mut self.context.set_tests),
            set_changes: std::mem::take(&mut self.context.set_changes),
            reassembly: self.context.reassembly,
            unknowns: std::mem::take(&mut self.context.unknowns),
            hooks,
            translating: self.translating,
            havoc: self.havoc,
            untracks: self.stateless,
            unclear_marks: self.unclear_marks,
            rerouting,
            only_marks: self.only_marks,
            ledger: self.ledger,
            rules: self.rules,
        }
    }
}
