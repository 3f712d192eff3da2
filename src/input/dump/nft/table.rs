//! Objects of a dump: tables with their chains, sets and rules (libnftables-json(5), RULESET ELEMENTS).

use super::compatible::Twin;
use super::field::text_of;
use super::rule::{self, Names, ParsedRule};
use super::scope::{Scope, excerpt};
use super::set::{Named, Sets};
use super::{NftTable, families_of};
use crate::diag::{Code, Diagnostic, suggest};
use crate::input::dump::Doubt;
use crate::input::dump::fields::{Fields, Reading};
use crate::input::dump::iptables::calls::order_of_calls;
use crate::input::dump::iptables::{known, target};
use crate::input::dump::json::{Json, Value};
use crate::source::{Source, Span, Spanned};
use std::collections::BTreeMap;

/// A chain as it is read.
#[derive(Debug, Clone)]
pub(super) struct ParsedChain {
    pub(super) name: String,
    /// Where it is declared.
    pub(super) span: Span,
    /// What makes it a base chain.
    pub(super) base: Option<Base>,
    pub(super) rules: Vec<ParsedRule>,
}

/// Where a base chain hangs.
#[derive(Debug, Clone)]
pub(super) struct Base {
    /// `filter`, `nat` or `route`.
    pub(super) kind: String,
    /// `prerouting`, `input`, …
    pub(super) hook: String,
    /// Chains of one hook run from the lowest to the highest.
    pub(super) priority: i64,
    /// Whether what no rule decides is dropped.
    pub(super) drops: bool,
    /// Whether the dump says something of it that is not understood, so that it may hang elsewhere, or nowhere.
    pub(super) unclear: bool,
}

/// A table whose objects are being gathered.
pub(super) struct Gathered<'j, 'a> {
    pub(super) family: String,
    pub(super) name: String,
    pub(super) span: Span,
    pub(super) doubts: Vec<Doubt>,
    pub(super) dormant: bool,
    chains: Vec<ParsedChain>,
    positions: BTreeMap<String, (usize, bool)>,
    sets: Sets<'j, 'a>,
    /// Each with the name of its chain.
    rules: Vec<(Spanned<&'j str>, &'j Json<'a>)>,
    twin: Twin,
}

/// Keys of objects that say nothing about packets.
const IDENTITY: &str = "family table name handle comment";

impl<'j, 'a> Gathered<'j, 'a> {
    /// Begins a table with its declaration.
    pub(super) fn new(
        family: String,
        name: String,
        fields: &mut Fields<'j, 'a>,
        source: &Source,
    ) -> Gathered<'j, 'a> {
        let mut made = Gathered {
            family,
            name,
            span: fields.span,
            doubts: Vec::new(),
            dormant: false,
            chains: Vec::new(),
            positions: BTreeMap::new(),
            sets: Sets::new(),
            rules: Vec::new(),
            twin: Twin::default(),
        };
        if let Some(flags) = fields.take("flags") {
            made.twin.foreign = Some(flags.span);
            for flag in one_or_many(flags) {
                match text_of(flag) {
                    Some("dormant") => made.dormant = true,
                    // Who may change the table.
                    Some("owner" | "persist") => {}
                    // nft 1.0.6 prints rubbish here, so that a table with any flag may be dormant.
                    _ => {
                        let what = format!(
                            "whether the table `{} {}` is asleep, as `{}` may say",
                            made.family,
                            made.name,
                            excerpt(source, flag.span)
                        );
                        made.doubts.push(Doubt::about(what, flag.span).settled_by("a table without flags"));
                    }
                }
            }
        }
        fields.irrelevant(IDENTITY);
        made.doubts.extend(fields.doubts("the table"));
        made
    }

    /// Takes an object of the table; `None` after an error.
    pub(super) fn object(
        &mut self,
        kind: &str,
        object: &'j Json<'a>,
        mut fields: Fields<'j, 'a>,
        reading: &mut Reading<'a, '_>,
    ) -> Option<()> {
        match kind {
            "chain" => self.chain(fields, reading),
            "set" | "map" | "meter" => {
                self.twin.foreign.get_or_insert(object.span);
                let name = fields.need("name", "a set", reading)?;
                let name = reading.text(name)?.value;
                self.set(name, fields, reading)
            }
            "rule" => {
                let chain = fields.need("chain", "a rule", reading)?;
                let chain = reading.text(chain)?;
                self.rules.push((chain, object));
                Some(())
            }
            // Objects that rules refer to: what they do is said there.
            "counter" | "quota" | "limit" | "ct helper" | "ct timeout" | "ct expectation" | "secmark"
            | "synproxy" | "flowtable" => {
                self.twin.foreign.get_or_insert(object.span);
                Some(())
            }
            _ => {
                self.twin.foreign.get_or_insert(object.span);
                let what = format!("what a `{kind}` of the table `{} {}` does", self.family, self.name);
                self.doubts.push(Doubt::havoc(what, object.span));
                Some(())
            }
        }
    }

    fn chain(&mut self, mut fields: Fields<'j, 'a>, reading: &mut Reading<'a, '_>) -> Option<()> {
        let name = fields.need("name", "a chain", reading)?;
        let name = reading.text(name)?;
        let kind = fields.text("type", reading);
        let hook = fields.text("hook", reading);
        let priority = fields.take("prio");
        let policy = fields.text("policy", reading);
        fields.irrelevant(IDENTITY);
        fields.irrelevant("dev");
        let unclear = fields.left().next().is_some();
        let base = match (kind, hook, priority) {
            (None, None, None) => None,
            (Some(kind), Some(hook), Some(priority)) => Some(Base {
                kind: kind.value.to_owned(),
                hook: hook.value.to_owned(),
                priority: reading.number(priority)?.value,
                unclear,
                drops: match policy {
                    None => false,
                    Some(policy) => match policy.value {
                        "accept" => false,
                        "drop" => true,
                        other => {
                            reading.bad(policy.span, format!("`{other}` is not a policy"));
                            return None;
                        }
                    },
                },
            }),
            _ => {
                reading.bad(fields.span, "a base chain has `type`, `hook` and `prio`");
                return None;
            }
        };
        let place = (self.chains.len(), base.is_some());
        if let Some((first, _)) = self.positions.insert(name.value.to_owned(), place) {
            let first = self.chains.get(first).map_or(fields.span, |chain| chain.span);
            let message = format!("chain `{}` is declared twice", name.value);
            let error = Diagnostic::error(Code::DuplicateKey, fields.span, message);
            reading.report(error.also(first, "first here"));
            return None;
        }
        self.twin.chain(name.value, base.as_ref());
        let name = name.value.to_owned();
        self.chains.push(ParsedChain { name, span: fields.span, base, rules: Vec::new() });
        Some(())
    }

    fn set(
        &mut self,
        name: &'j str,
        mut fields: Fields<'j, 'a>,
        reading: &mut Reading<'a, '_>,
    ) -> Option<()> {
        let flags = fields.take("flags").map_or(&[][..], one_or_many);
        let fixed = |flag: &Json<'_>| matches!(text_of(flag), Some("constant" | "interval"));
        let timed = fields.take("timeout").is_some();
        let elements = fields.take("elem").map_or(&[][..], one_or_many);
        // What is done when an element matches: only a counter changes nothing.
        let stmt = fields.take("stmt").map_or(&[][..], one_or_many);
        let quiet = |json: &Json<'_>| {
            super::field::only_entry(json).is_some_and(|(kind, _)| matches!(kind, "counter" | "last"))
        };
        fields.irrelevant(IDENTITY);
        fields.irrelevant("type size policy gc-interval auto-merge map");
        let unread = fields.left().next().is_some();
        let changes = timed || unread || !flags.iter().all(fixed) || !stmt.iter().all(quiet);
        let span = fields.span;
        if let Some(first) = self.sets.insert(name, Named { span, elements, changes }) {
            let message = format!("the set `{name}` is declared twice");
            let error = Diagnostic::error(Code::DuplicateKey, span, message);
            reading.report(error.also(first.span, "first here"));
            return None;
        }
        Some(())
    }

    /// Reads the rules, once every chain and set is known; `None` after an error.
    pub(super) fn finish(mut self, source: &Source, reading: &mut Reading<'a, '_>) -> Option<NftTable> {
        let mut scope = Scope::new(source, families_of(&self.family));
        let mut tracks = false;
        for (_, rule) in &self.rules {
            mark_changing(rule, &mut self.sets, 0);
            tracks |= tracks_connections(rule);
        }
        let names = Names { sets: &self.sets, chains: &self.positions };
        let mut good = true;
        for (chain, object) in &self.rules {
            let read = position_of(*chain, &self.positions)
                .and_then(|position| Ok((position, read_rule(object, &names, &mut scope, reading)?)));
            match read {
                Ok((position, rule)) => {
                    self.twin.rule(chain.value, object);
                    self.chains[position].rules.push(rule);
                }
                Err(error) => {
                    reading.report(error);
                    good = false;
                    if reading.is_full() {
                        return None;
                    }
                }
            }
        }
        if !good {
            return None;
        }
        let order = match order_of_calls(&calls(&self.chains), &|chain| {
            (self.chains[chain].name.as_str(), self.chains[chain].span)
        }) {
            Ok(order) => order,
            Err(error) => {
                reading.report(error);
                return None;
            }
        };
        Some(NftTable {
            family: self.family,
            name: self.name,
            span: self.span,
            chains: self.chains,
            order,
            unknowns: scope.unknowns,
            doubts: self.doubts,
            dormant: self.dormant,
            tracks,
            twin: self.twin,
        })
    }
}

/// The items of an array, or the one value that stands for it.
fn one_or_many<'j, 'a>(json: &'j Json<'a>) -> &'j [Json<'a>] {
    match &json.value {
        Value::Array(items) => items,
        _ => std::slice::from_ref(json),
    }
}

/// Where the chain of a rule stands; the dump may declare it behind the rule.
fn position_of(
    chain: Spanned<&str>,
    positions: &BTreeMap<String, (usize, bool)>,
) -> Result<usize, Diagnostic> {
    positions.get(chain.value).map(|(position, _)| *position).ok_or_else(|| {
        let message = format!("a rule of the chain `{}`, which is not declared", chain.value);
        let hint = suggest(chain.value, positions.keys().map(String::as_str));
        Diagnostic::error(Code::UnknownName, chain.span, message).maybe_help(hint)
    })
}

fn read_rule<'j, 'a>(
    object: &'j Json<'a>,
    names: &Names<'_, 'j, 'a>,
    scope: &mut Scope<'_>,
    reading: &mut Reading<'a, '_>,
) -> Result<ParsedRule, Diagnostic> {
    let span = object.span;
    let Some(mut fields) = reading.fields(object) else {
        return Err(Diagnostic::error(Code::Dump, span, "a rule that cannot be read"));
    };
    let statements = match fields.take("expr").map(|json| (&json.value, json.span)) {
        None => &[][..],
        Some((Value::Array(items), _)) => items,
        Some((_, span)) => {
            return Err(Diagnostic::error(Code::Dump, span, "expected an array of statements"));
        }
    };
    fields.irrelevant(IDENTITY);
    fields.irrelevant("chain index");
    let mut rule = rule::read(statements, span, names, scope, reading)?;
    // A key that a newer nft prints may say when the rule applies.
    if let Some((_, unread)) = fields.left().next() {
        for step in &mut rule.steps {
            step.conditions.push(scope.not_understood(unread));
        }
    }
    Ok(rule)
}

/// The chains that each chain calls, with the place of each call.
fn calls(chains: &[ParsedChain]) -> Vec<Vec<(usize, Span)>> {
    let of_rule = |rule: &ParsedRule| {
        let steps = rule.steps.iter();
        let to = steps.filter_map(|step| match step.verdict {
            rule::Verdict::Jump(to) | rule::Verdict::Goto(to) => Some(to),
            _ => None,
        });
        to.map(|to| (to, rule.span)).collect::<Vec<_>>()
    };
    chains.iter().map(|chain| chain.rules.iter().flat_map(of_rule).collect()).collect()
}

/// Marks the sets that rules add to, or take from, when packets come.
fn mark_changing(json: &Json<'_>, sets: &mut Sets<'_, '_>, depth: usize) {
    match &json.value {
        Value::Array(items) if depth < 3 => {
            items.iter().for_each(|item| mark_changing(item, sets, depth + 1))
        }
        Value::Object(entries) => {
            for (key, value) in entries {
                match (key.value.as_ref(), &value.value) {
                    ("expr", _) => mark_changing(value, sets, depth + 1),
                    ("set" | "map", Value::Object(parts)) if depth > 0 => {
                        let named = parts.iter().filter(|(key, _)| key.value == "set" || key.value == "map");
                        for name in named.filter_map(|(_, value)| text_of(value)?.strip_prefix('@')) {
                            if let Some(set) = sets.get_mut(name) {
                                set.changes = true;
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// Whether a rule makes the kernel track connections (`nf_ct_netns_get` in what its expressions call).
fn tracks_connections(json: &Json<'_>) -> bool {
    const WORDS: &[&str] = &[
        "ct",
        "ct count",
        "ct helper",
        "ct timeout",
        "ct expectation",
        "snat",
        "dnat",
        "masquerade",
        "redirect",
        "synproxy",
        "flow",
    ];
    match &json.value {
        Value::Array(items) => items.iter().any(tracks_connections),
        Value::Object(entries) => entries.iter().any(|(key, value)| {
            WORDS.contains(&key.value.as_ref())
                || (key.value == "xt" && is_tracking_extension(value))
                || tracks_connections(value)
        }),
        _ => false,
    }
}

/// Whether an extension of iptables does so, by its name.
fn is_tracking_extension(json: &Json<'_>) -> bool {
    let Value::Object(entries) = &json.value else { return false };
    let mut words = entries.iter().filter_map(|(_, value)| text_of(value));
    words.any(|word| known::tracks(word) || target::tracks(word))
}
