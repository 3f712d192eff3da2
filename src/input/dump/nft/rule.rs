//! Rules: statements in order, each of which may end the rule (libnftables-json(5), STATEMENTS).
//!
//! A rule becomes steps: what holds so far, and what is then done. A statement that only looks (a counter, a log line)
//! makes no step. One that may end the rule without a match that we understand (`limit`, `quota`, an unknown one)
//! leaves a condition that is not understood for whatever follows.

use super::compare;
use super::field::{only_entry, text_of};
use super::mark;
use super::scope::Scope;
use super::set::Sets;
use super::translate;
use super::vmap;
use crate::diag::{Code, Diagnostic, suggest};
use crate::header::{Family, proto};
use crate::input::dump::fields::Reading;
use crate::input::dump::iptables::condition::Condition;
use crate::input::dump::iptables::target::{Effect, effect};
use crate::input::dump::json::{Json, Value};
use crate::model::{MarkChange, Marked, Test, Translation, UnknownId};
use crate::source::{Span, Spanned};
use std::collections::BTreeMap;

/// A rule as it is read.
#[derive(Debug, Clone)]
pub(super) struct ParsedRule {
    /// All of it.
    pub(super) span: Span,
    /// What it does, one thing after the other. After one that ends the chain no other is reached.
    pub(super) steps: Vec<Step>,
}

/// One thing that a rule does.
#[derive(Debug, Clone)]
pub(super) struct Step {
    /// All of these must hold.
    pub(super) conditions: Vec<Condition>,
    /// What is then done.
    pub(super) verdict: Verdict,
}

/// What is done with a packet.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    Accept,
    Drop,
    /// With whatever answer.
    Reject,
    Return,
    /// Nothing that decides; `continue`.
    Continue,
    /// A copy goes to a program of the device.
    Log(Span),
    /// To a chain, by its position in the table.
    Jump(usize),
    /// Likewise, without coming back.
    Goto(usize),
    Translate(Translation),
    /// Sets a mark, and goes on.
    Mark(MarkChange),
    /// It may accept, drop or go on, and no more.
    Unclear(UnknownId),
    /// Not understood: what it may do beyond that.
    Unknown {
        id: UnknownId,
        effect: Effect,
    },
}

/// What rules may refer to.
pub(super) struct Names<'n, 'j, 'a> {
    /// The sets and maps of the table.
    pub(super) sets: &'n Sets<'j, 'a>,
    /// The chains of the table: the position, and whether it is a base chain.
    pub(super) chains: &'n BTreeMap<String, (usize, bool)>,
}

/// Reads one rule while it is being read.
pub(super) struct RuleReader<'r, 'n, 'j, 'a, 's, 'd> {
    pub(super) names: &'r Names<'n, 'j, 'a>,
    pub(super) scope: &'r mut Scope<'s>,
    pub(super) reading: &'r mut Reading<'a, 'd>,
    /// What holds when the next statement is reached.
    pub(super) conditions: Vec<Condition>,
    steps: Vec<Step>,
    /// Whether nothing behind is reached.
    ended: bool,
}

pub(super) type Outcome<T> = Result<T, Diagnostic>;

/// Reads the statements of a rule.
pub(super) fn read<'j, 'a>(
    statements: &'j [Json<'a>],
    span: Span,
    names: &Names<'_, 'j, 'a>,
    scope: &mut Scope<'_>,
    reading: &mut Reading<'a, '_>,
) -> Outcome<ParsedRule> {
    let (conditions, steps) = (Vec::new(), Vec::new());
    scope.first_header = None;
    let mut reader = RuleReader { names, scope, reading, conditions, steps, ended: false };
    for statement in statements {
        reader.statement(statement)?;
    }
    let mut steps = reader.steps;
    for position in 0..steps.len() {
        // Behind a mark that the conditions ask for, they are asked about the old one.
        let leaves = |step: &Step| matches!(step.verdict, Verdict::Return | Verdict::Goto(_));
        let ends_otherwise = |step: &&Step| leaves(step) && step.more_than(&steps[position]).next().is_some();
        if steps[position].asks_what_it_sets()
            && steps[position + 1..].iter().any(|step| ends_otherwise(&step))
        {
            let id = scope.unknown_act(span);
            steps[position].verdict = Verdict::Unknown { id, effect: Effect::Marks };
        }
    }
    Ok(ParsedRule { span, steps })
}

impl Step {
    /// Whether it sets a mark while its conditions ask for one.
    pub(super) fn asks_what_it_sets(&self) -> bool {
        let sets = matches!(self.verdict, Verdict::Mark(_));
        sets && self.conditions.iter().any(|one| one.asks_mark(&|_| true))
    }

    /// The conditions that it has beyond those of another.
    pub(super) fn more_than<'s>(&'s self, other: &'s Step) -> impl Iterator<Item = &'s Condition> {
        self.conditions.iter().filter(|one| !other.conditions.contains(one))
    }
}

impl<'j, 'a> RuleReader<'_, '_, 'j, 'a, '_, '_> {
    fn statement(&mut self, json: &'j Json<'a>) -> Outcome<()> {
        let Some((kind, inner)) = only_entry(json) else {
            if matches!(json.value, Value::Object(_) | Value::String(_)) {
                self.not_understood(json.span, Effect::Havoc);
                return Ok(());
            }
            let message = format!("expected a statement, found {}", json.value.kind());
            return Err(Diagnostic::error(Code::Dump, json.span, message));
        };
        let span = json.span;
        match kind {
            "match" => {
                let more = compare::read(inner, &self.conditions, self.names.sets, self.scope, self.reading)?;
                self.conditions.extend(more);
            }
            "counter" | "last" => {}
            "log" => self.log(inner, span),
            "accept" | "drop" | "continue" | "return" | "jump" | "goto" => {
                let verdict = self.verdict(kind, inner, span)?;
                self.step(verdict);
            }
            "reject" => self.reject(inner, span),
            "vmap" => vmap::read(self, inner, span)?,
            "snat" | "dnat" | "masquerade" | "redirect" => translate::read(self, kind, inner, span)?,
            "mangle" => self.mangle(inner, span),
            "notrack" | "ct helper" | "ct timeout" | "ct expectation" => {
                self.act(span, Effect::Untracks);
            }
            "secmark" => self.act(span, Effect::Quiet),
            // These match, or add to sets, by what came before.
            "limit" | "quota" | "ct count" | "meter" => self.doubt(span),
            "set" | "map" => {
                self.refer(inner)?;
                self.doubt(span);
            }
            "xt" => self.extension(inner, span),
            // Queues, copies, diversions, flow tables, and whatever is newer.
            _ => self.not_understood(span, Effect::Havoc),
        }
        Ok(())
    }

    /// Adds what is done now.
    pub(super) fn step(&mut self, verdict: Verdict) {
        let ends = matches!(
            verdict,
            Verdict::Accept
                | Verdict::Drop
                | Verdict::Reject
                | Verdict::Return
                | Verdict::Goto(_)
                | Verdict::Jump(_)
                | Verdict::Translate(_)
        );
        self.push(verdict);
        self.ended |= ends;
    }

    /// Adds one of several things that may be done now, under a further condition.
    pub(super) fn step_if(&mut self, more: Vec<Condition>, verdict: Verdict) {
        let kept = self.conditions.len();
        self.conditions.extend(more);
        self.push(verdict);
        self.conditions.truncate(kept);
    }

    /// In a table of IPv6 alone, nft prints `ip6 nexthdr tcp tcp dport 22` as it does `meta l4proto tcp tcp dport 22`. The
    /// first is for packets without further headers only, which whoever wants to be accepted may send, and whoever does
    /// not want to be dropped need not.
    fn push(&mut self, verdict: Verdict) {
        if self.ended {
            return;
        }
        let mut conditions = self.conditions.clone();
        if let Some(span) = self.scope.first_header.filter(|_| !matches!(verdict, Verdict::Accept)) {
            let text = self.scope.excerpt(span);
            let what =
                format!("whether `{text}` is for packets with extension headers: nft prints both alike");
            let settle = "a table of `inet`, where nft prints `ip6 nexthdr`".to_owned();
            let unknown = Test::Unknown(self.scope.unknowns.add(what, span, settle));
            conditions.push(compare::of_test(unknown, span));
        }
        self.steps.push(Step { conditions, verdict });
    }

    /// Whatever follows is reached perhaps.
    pub(super) fn doubt(&mut self, span: Span) {
        let condition = self.scope.not_understood(span);
        self.conditions.push(condition);
    }

    /// A statement that is not understood: it does anything, and whatever follows is reached perhaps.
    pub(super) fn not_understood(&mut self, span: Span, effect: Effect) {
        self.act(span, effect);
        self.doubt(span);
    }

    fn act(&mut self, span: Span, effect: Effect) {
        let id = self.scope.unknown_act(span);
        self.step(Verdict::Unknown { id, effect });
    }

    /// A verdict by its word.
    pub(super) fn verdict(&mut self, kind: &str, inner: &Json<'a>, span: Span) -> Outcome<Verdict> {
        Ok(match kind {
            "accept" => Verdict::Accept,
            "drop" => Verdict::Drop,
            "continue" => Verdict::Continue,
            "return" => Verdict::Return,
            "jump" | "goto" => {
                let target = match &inner.value {
                    Value::Object(entries) => {
                        entries.iter().find(|(key, _)| key.value == "target").map(|(_, value)| value)
                    }
                    _ => None,
                };
                let Some(target) = target.and_then(|json| text_of(json).map(|t| Spanned::new(t, json.span)))
                else {
                    return Err(Diagnostic::error(
                        Code::Dump,
                        span,
                        format!("`{kind}` without its `target`"),
                    ));
                };
                let to = self.chain(target)?;
                if kind == "jump" { Verdict::Jump(to) } else { Verdict::Goto(to) }
            }
            _ => Verdict::Unclear(self.scope.unknown_act(span)),
        })
    }

    fn chain(&self, target: Spanned<&str>) -> Outcome<usize> {
        match self.names.chains.get(target.value) {
            Some((position, false)) => Ok(*position),
            Some((_, true)) => {
                let message = format!("`{}` is a base chain, which nothing can jump to", target.value);
                Err(Diagnostic::error(Code::Dump, target.span, message))
            }
            None => {
                let message = format!("chain `{}` is not declared in this table", target.value);
                let hint = suggest(target.value, self.names.chains.keys().map(String::as_str));
                Err(Diagnostic::error(Code::UnknownName, target.span, message).maybe_help(hint))
            }
        }
    }

    /// With a group, the packet goes to a program of the device; else a line is written.
    fn log(&mut self, inner: &Json<'a>, span: Span) {
        let Value::Object(entries) = &inner.value else { return };
        let known =
            |key: &str| matches!(key, "prefix" | "group" | "snaplen" | "queue-threshold" | "level" | "flags");
        if !entries.iter().all(|(key, _)| known(&key.value)) {
            return self.not_understood(span, Effect::Havoc);
        }
        if entries.iter().any(|(key, _)| key.value == "group") {
            self.step(Verdict::Log(span));
        }
    }

    /// An answer of one family, or of TCP, is for packets of that only, which nft does not print.
    fn reject(&mut self, inner: &Json<'a>, span: Span) {
        let kind = match &inner.value {
            Value::Object(entries) => {
                entries.iter().find(|(key, _)| key.value == "type").and_then(|(_, kind)| text_of(kind))
            }
            _ => None,
        };
        match kind {
            None | Some("icmpx") => {}
            Some("icmp") => self.needs(super::field::of_family(Family::V4, span, self.scope)),
            Some("icmpv6") => self.needs(super::field::of_family(Family::V6, span, self.scope)),
            Some("tcp reset") => {
                let tcp = Test::Protocol(vec![(proto::TCP, proto::TCP)]);
                self.needs(compare::of_test(tcp, span).inside());
            }
            Some(_) => self.doubt(span),
        }
        self.step(Verdict::Reject);
    }

    pub(super) fn needs(&mut self, condition: Condition) {
        self.conditions.push(condition);
    }

    /// Sets a header field, a mark, or something of the connection.
    fn mangle(&mut self, inner: &'j Json<'a>, span: Span) {
        let Value::Object(entries) = &inner.value else { return self.not_understood(span, Effect::Havoc) };
        let key = entries.iter().find(|(key, _)| key.value == "key").map(|(_, key)| key);
        let Some(key) = key else { return self.not_understood(span, Effect::Havoc) };
        let value = entries.iter().find(|(key, _)| key.value == "value").map(|(_, value)| value);
        if let (Some(of), Some(value)) = (mark::marked(key), value) {
            let Some(change) = mark::change(of, value) else { return self.act(span, Effect::Marks) };
            if change.reads_connection() {
                // What has no connection ends the rule (`nft_ct_get_eval`).
                let values = vec![(0, 0)];
                let there = Test::Mark { of: Marked::Connection, mask: 0, values };
                self.needs(compare::of_test(there, span));
            }
            self.step(Verdict::Mark(change));
            return;
        }
        let word = |json: &Json<'_>, name: &str| match &json.value {
            Value::Object(entries) => entries
                .iter()
                .find(|(key, _)| key.value == name)
                .and_then(|(_, value)| text_of(value))
                .map(str::to_owned),
            _ => None,
        };
        let effect = match only_entry(key) {
            Some(("meta", of)) => match word(of, "key").as_deref() {
                Some("mark") => Effect::Marks,
                Some("priority" | "nftrace" | "secmark") => Effect::Quiet,
                _ => Effect::Havoc,
            },
            Some(("ct", of)) => match word(of, "key").as_deref() {
                Some("mark") => Effect::Marks,
                Some("label" | "event" | "secmark") => Effect::Quiet,
                Some("zone" | "helper" | "timeout" | "expectation") => Effect::Untracks,
                _ => Effect::Havoc,
            },
            Some(("tcp option", _)) => Effect::Quiet,
            Some(("payload", of)) => match word(of, "field").as_deref() {
                Some("ttl" | "hoplimit" | "dscp" | "ecn" | "flowlabel") => Effect::Quiet,
                _ => Effect::Havoc,
            },
            _ => Effect::Havoc,
        };
        // What must hold for the field to be there must hold for whatever follows too.
        if let Ok(left) = super::field::left(key, &compare::known(&self.conditions), self.scope, self.reading)
        {
            self.conditions.extend(left.needs);
        }
        self.act(span, effect);
        if effect == Effect::Havoc {
            self.doubt(span);
        }
    }

    /// A set that a statement names must be there.
    fn refer(&self, inner: &Json<'a>) -> Outcome<()> {
        let Value::Object(entries) = &inner.value else { return Ok(()) };
        for (key, value) in entries {
            let name = text_of(value).and_then(|text| text.strip_prefix('@'));
            if let Some(name) = name.filter(|_| key.value == "set" || key.value == "map")
                && !self.names.sets.contains_key(name)
            {
                return Err(super::set::undeclared(name, value.span, self.names.sets));
            }
        }
        Ok(())
    }

    /// An extension of iptables, of which nft shows the name only.
    fn extension(&mut self, inner: &Json<'a>, span: Span) {
        let word = |name: &str| match &inner.value {
            Value::Object(entries) => {
                entries.iter().find(|(key, _)| key.value == name).and_then(|(_, value)| text_of(value))
            }
            _ => None,
        };
        match (word("type"), word("name")) {
            (Some("match"), _) => self.doubt(span),
            (Some("target"), Some("LOG")) => {}
            (Some("target"), Some("NFLOG" | "ULOG")) => self.step(Verdict::Log(span)),
            (Some("target"), Some("REJECT")) => self.step(Verdict::Reject),
            (Some("target"), Some(name)) if effect(name) != Effect::Havoc => self.act(span, effect(name)),
            _ => self.not_understood(span, Effect::Havoc),
        }
    }
}
