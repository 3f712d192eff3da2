//! Tables that iptables-nft made. They stand twice in the dumps of a device: here, and in `iptables-save`.

use super::NftTable;
use super::table::Base;
use crate::header::Family;
use crate::input::dump::iptables::{Backend, Ruleset};
use crate::input::dump::json::{Json, Value};
use crate::source::Span;
use std::collections::BTreeMap;

/// What tells whether a table is one of iptables-nft.
#[derive(Debug, Clone, Default)]
pub(super) struct Twin {
    /// The first thing in it that iptables-nft never makes: a set, a map, a flow table, …
    pub(super) foreign: Option<Span>,
    /// The first statement of its rules that can do more than accept.
    acts: Option<Span>,
    /// Its chains, by name.
    chains: BTreeMap<String, TwinChain>,
}

#[derive(Debug, Clone)]
struct TwinChain {
    /// Type, hook and priority, of a base chain.
    base: Option<(String, String, i64)>,
    /// Whether its policy is not to accept.
    drops: bool,
    /// The number of its rules.
    rules: usize,
}

/// Statements that only look at a packet, count it, accept it, or go elsewhere in the table.
const QUIET: &[&str] = &["match", "counter", "jump", "goto", "return", "accept", "continue"];

/// The base chains of iptables-nft: table, chain, type, hook, priority (iptables, `iptables/nft.c`).
const COMPATIBLE: &[(&str, &str, &str, &str, i64)] = &[
    ("raw", "PREROUTING", "filter", "prerouting", -300),
    ("raw", "OUTPUT", "filter", "output", -300),
    ("mangle", "PREROUTING", "filter", "prerouting", -150),
    ("mangle", "INPUT", "filter", "input", -150),
    ("mangle", "FORWARD", "filter", "forward", -150),
    ("mangle", "OUTPUT", "route", "output", -150),
    ("mangle", "POSTROUTING", "filter", "postrouting", -150),
    ("nat", "PREROUTING", "nat", "prerouting", -100),
    ("nat", "INPUT", "nat", "input", 100),
    ("nat", "OUTPUT", "nat", "output", -100),
    ("nat", "POSTROUTING", "nat", "postrouting", 100),
    ("filter", "INPUT", "filter", "input", 0),
    ("filter", "FORWARD", "filter", "forward", 0),
    ("filter", "OUTPUT", "filter", "output", 0),
    ("security", "INPUT", "filter", "input", 150),
    ("security", "FORWARD", "filter", "forward", 150),
    ("security", "OUTPUT", "filter", "output", 150),
];

impl Twin {
    /// Notes a chain.
    pub(super) fn chain(&mut self, name: &str, base: Option<&Base>) {
        let drops = base.is_some_and(|base| base.drops);
        let base = base.map(|base| (base.kind.clone(), base.hook.clone(), base.priority));
        self.chains.insert(name.to_owned(), TwinChain { base, drops, rules: 0 });
    }

    /// Notes a rule.
    pub(super) fn rule(&mut self, chain: &str, rule: &Json<'_>) {
        if let Some(chain) = self.chains.get_mut(chain) {
            chain.rules += 1;
        }
        let Value::Object(entries) = &rule.value else { return };
        let statements = entries.iter().find(|(key, _)| key.value == "expr").map(|(_, value)| &value.value);
        let Some(Value::Array(statements)) = statements else { return };
        for statement in statements {
            let quiet = match &statement.value {
                Value::Object(entries) => entries.iter().all(|(key, _)| QUIET.contains(&key.value.as_ref())),
                _ => false,
            };
            if !quiet {
                self.acts.get_or_insert(statement.span);
            }
        }
    }

    /// Whether the table changes nothing: no rule does more than accept, no policy drops, and there is nothing else.
    pub(super) fn is_idle(&self) -> bool {
        self.foreign.is_none() && self.acts.is_none() && self.chains.values().all(|chain| !chain.drops)
    }
}

impl NftTable {
    /// Whether it could be one that iptables-nft made.
    pub fn is_compatible(&self) -> bool {
        let fits = |name: &String, chain: &TwinChain| match &chain.base {
            None => !COMPATIBLE.iter().any(|row| row.0 == self.name && row.1 == name),
            Some((kind, hook, priority)) => {
                COMPATIBLE.contains(&(&self.name, name, kind.as_str(), hook.as_str(), *priority))
            }
        };
        matches!(self.family.as_str(), "ip" | "ip6")
            && COMPATIBLE.iter().any(|row| row.0 == self.name)
            && self.twin.foreign.is_none()
            && self.twin.chains.iter().all(|(name, chain)| fits(name, chain))
    }

    /// Whether it is the table of its name in a dump of iptables.
    pub(super) fn is_of(&self, twin: &Ruleset) -> bool {
        let same = |(name, chain): (&String, &TwinChain)| {
            twin.rules_in(&self.name, name).is_none_or(|there| there == chain.rules)
                && (chain.rules == 0 || twin.rules_in(&self.name, name).is_some())
        };
        twin.backend == Backend::Nft && self.may_be_of(twin) && self.twin.chains.iter().all(same)
    }

    /// Whether it may be that table, though it does not look the same.
    pub(super) fn may_be_of(&self, twin: &Ruleset) -> bool {
        let family = if twin.family == Some(Family::V4) { "ip" } else { "ip6" };
        self.family == family && self.is_compatible()
    }
}
