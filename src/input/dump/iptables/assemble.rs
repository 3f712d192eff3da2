//! From the tables of a dump to one filter with its hooks.

use super::condition::Holds;
use super::lines::{Dump, ParsedChain, ParsedTable};
use super::lower::Lowering;
use super::target::{Effect, Verdict};
use super::{Backend, Context, Ruleset};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::input::dump::Doubt;
use crate::model::{Action, Chain, Filter, LedgerEntry, Rule, Stage, Test, UnknownId};
use crate::source::Span;
use std::collections::BTreeMap;

/// Which chain binds at which stages, in the order in which a packet meets them (`enum nf_ip_hook_priorities`).
/// `nat` translates and never filters, so it has no row.
const HOOKS: &[(&str, &str, &[Stage])] = &[
    ("raw", "PREROUTING", &[Stage::Input, Stage::Forward]),
    ("raw", "OUTPUT", &[Stage::Output]),
    ("mangle", "PREROUTING", &[Stage::Input, Stage::Forward]),
    ("mangle", "OUTPUT", &[Stage::Output]),
    ("mangle", "INPUT", &[Stage::Input]),
    ("mangle", "FORWARD", &[Stage::Forward]),
    ("filter", "INPUT", &[Stage::Input]),
    ("filter", "FORWARD", &[Stage::Forward]),
    ("filter", "OUTPUT", &[Stage::Output]),
    ("security", "INPUT", &[Stage::Input]),
    ("security", "FORWARD", &[Stage::Forward]),
    ("security", "OUTPUT", &[Stage::Output]),
    ("mangle", "POSTROUTING", &[Stage::Forward, Stage::Output]),
];

/// The tables in the order in which a packet meets them.
const TABLES: &[&str] = &["raw", "mangle", "nat", "filter", "security"];

/// How deep chains may call each other. Real rules stay below ten; the walks over the filter recurse.
const DEPTH_MAX: usize = 100;

/// Makes the filter. `None` if chains call each other in a circle, or too deep.
pub(super) fn assemble(
    context: &mut Context<'_>,
    mut dump: Dump,
    diagnostics: &mut Diagnostics,
) -> Option<Ruleset> {
    let rank = |table: &ParsedTable| TABLES.iter().position(|name| *name == table.name.value);
    dump.tables.sort_by_key(|table| rank(table).unwrap_or(TABLES.len()));
    let mut sound = true;
    for table in &dump.tables {
        if let Err(error) = check_calls(table) {
            diagnostics.push(error);
            sound = false;
        }
    }
    if !sound {
        return None;
    }
    let uses: Vec<Use> = dump.tables.iter().map(Use::of).collect();
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

/// The chains that a chain calls, with the place of each call.
fn calls(chain: &ParsedChain) -> impl Iterator<Item = (usize, Span)> {
    chain.rules.iter().filter_map(|rule| match rule.verdict {
        Verdict::Jump(to) | Verdict::Goto(to) => Some((to, rule.span)),
        Verdict::Accept
        | Verdict::Drop
        | Verdict::Reject
        | Verdict::Return
        | Verdict::Continue
        | Verdict::Log(_)
        | Verdict::Unknown { .. } => None,
    })
}

/// Refuses circles, and calls that are nested too deep. Without recursion: a hostile dump has a long line of
/// chains.
fn check_calls(table: &ParsedTable) -> Result<(), Diagnostic> {
    let calls: Vec<Vec<(usize, Span)>> = table.chains.iter().map(|chain| calls(chain).collect()).collect();
    // The number of levels at and below a chain; 0 is not visited yet.
    let mut levels = vec![0_usize; calls.len()];
    let mut open = vec![false; calls.len()];
    for root in 0..calls.len() {
        let mut path = vec![(root, 0)];
        while let Some((chain, next)) = path.pop() {
            open[chain] = true;
            match calls[chain].get(next) {
                Some((to, span)) if open[*to] => {
                    let message = format!(
                        "chain `{}` calls itself, directly or through others",
                        table.chains[*to].name
                    );
                    return Err(Diagnostic::error(Code::Dump, *span, message));
                }
                Some((to, _)) => {
                    path.push((chain, next + 1));
                    if levels[*to] == 0 {
                        path.push((*to, 0));
                    }
                }
                None => {
                    open[chain] = false;
                    let below = calls[chain].iter().map(|(to, _)| levels[*to]).max().unwrap_or(0);
                    levels[chain] = below + 1;
                    if below >= DEPTH_MAX {
                        let message =
                            format!("chains that call each other more than {DEPTH_MAX} levels deep");
                        return Err(Diagnostic::error(Code::Limit, table.chains[chain].span, message));
                    }
                }
            }
        }
    }
    Ok(())
}

/// Which chains of a table ever run, and which can do more than accept.
struct Use {
    /// Whether a built-in chain calls it, or it is one.
    runs: Vec<bool>,
    /// The first place in it, or in what it calls, that does more than accept.
    acts: Vec<Option<Span>>,
}

impl Use {
    fn of(table: &ParsedTable) -> Use {
        let chains = &table.chains;
        let mut used = Use { runs: vec![false; chains.len()], acts: vec![None; chains.len()] };
        let roots = (0..chains.len()).filter(|index| chains[*index].drops.is_some());
        let mut waiting: Vec<usize> = roots.collect();
        let mut order = Vec::new();
        while let Some(chain) = waiting.pop() {
            if !std::mem::replace(&mut used.runs[chain], true) {
                order.push(chain);
                waiting.extend(calls(&chains[chain]).map(|(to, _)| to));
            }
        }
        // Called chains may stand before or behind their callers: repeat until nothing is added.
        let mut grows = true;
        while grows {
            grows = false;
            for chain in order.iter().rev().copied() {
                if used.acts[chain].is_none() {
                    used.acts[chain] = used.first_act(&chains[chain]);
                    grows |= used.acts[chain].is_some();
                }
            }
        }
        used
    }

    fn first_act(&self, chain: &ParsedChain) -> Option<Span> {
        let of_rule = |verdict: &Verdict, span: Span| match verdict {
            Verdict::Accept | Verdict::Return | Verdict::Continue | Verdict::Log(_) => None,
            Verdict::Drop | Verdict::Reject | Verdict::Unknown { .. } => Some(span),
            Verdict::Jump(to) | Verdict::Goto(to) => self.acts[*to],
        };
        let rule = chain.rules.iter().find_map(|rule| of_rule(&rule.verdict, rule.span));
        rule.or((chain.drops == Some(true)).then_some(chain.span))
    }
}

/// The first place where a table asks for a state.
fn asks_state(table: &ParsedTable) -> Option<Span> {
    let rules = table.chains.iter().flat_map(|chain| &chain.rules);
    let mut matches = rules.flat_map(|rule| &rule.conditions).flat_map(|condition| match &condition.holds {
        Holds::Any(lists) => lists.as_slice(),
        Holds::Fragment { .. } => &[],
    });
    matches.find_map(|list| list.iter().find(|one| matches!(one.test, Test::State(_))).map(|one| one.span))
}

struct Assembly<'c, 's> {
    context: &'c mut Context<'s>,
    chains: Vec<Chain>,
    /// The position of each chain that can do more than accept, or is of `filter`, by table and name.
    binding: BTreeMap<(String, String), usize>,
    /// Chains that make every packet uncertain.
    blankets: Vec<usize>,
    havoc: Vec<Doubt>,
    ledger: Vec<LedgerEntry>,
    rules: BTreeMap<(String, String), usize>,
    /// Set if some packets are kept from the tracker, so that nobody knows their state.
    stateless: Option<UnknownId>,
}

impl<'c, 's> Assembly<'c, 's> {
    fn new(context: &'c mut Context<'s>) -> Assembly<'c, 's> {
        let (chains, blankets, havoc, ledger) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (binding, rules) = (BTreeMap::new(), BTreeMap::new());
        Assembly { context, chains, binding, blankets, havoc, ledger, rules, stateless: None }
    }

    /// What rules that run do beyond deciding: translate, copy, untrack, log.
    fn note_effects(&mut self, dump: &Dump, uses: &[Use]) {
        for (table, used) in dump.tables.iter().zip(uses) {
            let running = table.chains.iter().zip(&used.runs).filter(|(_, runs)| **runs);
            for rule in running.flat_map(|(chain, _)| &chain.rules) {
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
                    Verdict::Log(name) => self.note_log(name.value, name.span),
                    _ => {}
                }
            }
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
            let mut lowering = Lowering::new(self.context, offset, chain.drops, stateless);
            let rules = lowering.rules(&chain.rules);
            let policy = chain.drops.map(|drops| if drops { Action::Drop } else { Action::Accept });
            self.chains.push(Chain { name: shown, span: chain.span, rules, policy });
            let key = (name.to_owned(), chain.name.clone());
            self.rules.insert(key.clone(), chain.rules.len());
            if name == "filter" || used.acts[position].is_some() {
                self.binding.insert(key, offset + position);
            }
        }
        let first = used.acts.iter().zip(&used.runs).find_map(|(acts, runs)| acts.filter(|_| *runs));
        if name == "nat" {
            if let Some(span) = first {
                let text = self.context.excerpt(span);
                self.blanket("nat", format!("how `{text}` translates packets"), span);
            }
        } else if !TABLES.contains(&name) {
            self.blanket(name, format!("what the table `{name}` does"), table.name.span);
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
        let mut hooks: Vec<(Stage, usize)> =
            self.blankets.iter().flat_map(|chain| every.map(|stage| (stage, *chain))).collect();
        for (table, chain, stages) in HOOKS {
            if let Some(position) = self.binding.get(&((*table).to_owned(), (*chain).to_owned())) {
                hooks.extend(stages.iter().map(|stage| (*stage, *position)));
            }
        }
        let first = dump.tables.first().map(|table| table.name.span);
        let span = first.unwrap_or(Span::new(self.context.id, 0, 0));
        let name = self.context.command().trim_end_matches("-save").to_owned();
        Ruleset {
            family: self.context.family,
            backend: dump.backend,
            filter: Filter { name, span, chains: self.chains, tracks: true },
            unknowns: std::mem::take(&mut self.context.unknowns),
            hooks,
            havoc: self.havoc,
            ledger: self.ledger,
            translation_tests: std::mem::take(&mut self.context.translation_tests),
            rules: self.rules,
        }
    }
}
