//! `nft -j list ruleset`, as far as telling an empty ruleset, tables that change nothing, or the tables that
//! iptables-nft made, from anything else.
//!
//! A table of iptables-nft stands twice in the dumps of a device: here, and in `iptables-save`, where it is
//! read. [`NftDump::doubts`] believes that two tables are one only if the iptables dump says that it was made
//! by iptables-nft, the base chains are the ones that iptables-nft makes, and every chain has as many rules
//! here as there.

use super::Doubt;
use super::fields::{Fields, Reading};
use super::iptables::{Backend, Ruleset};
use super::json::{self, Json, Value};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::header::Family;
use crate::source::{Source, SourceId, Span};
use std::collections::BTreeMap;

/// What `nft -j list ruleset` shows.
#[derive(Debug, Clone, Default)]
pub struct NftDump {
    /// Its tables, in the order of the dump.
    pub tables: Vec<NftTable>,
    /// Doubts about the dump as a whole (a newer schema, objects outside of tables).
    pub general: Vec<Doubt>,
    /// Where each table stands, by family and name.
    positions: BTreeMap<(String, String), usize>,
}

/// A table.
#[derive(Debug, Clone)]
pub struct NftTable {
    /// `ip`, `ip6`, `inet`, `arp`, `bridge` or `netdev`.
    pub family: String,
    /// Its name.
    pub name: String,
    /// Where it is declared.
    pub span: Span,
    /// Its chains, by name.
    chains: BTreeMap<String, NftChain>,
    /// The first thing in it that iptables-nft never makes: a set, a map, a flow table, …
    foreign: Option<Span>,
    /// The first statement of its rules that can do more than accept.
    acts: Option<Span>,
}

/// Statements that only look at a packet, count it, accept it, or go elsewhere in the table.
const QUIET: &[&str] = &["match", "counter", "jump", "goto", "return", "accept", "continue"];

/// A chain.
#[derive(Debug, Clone)]
struct NftChain {
    /// Type, hook and priority, of a base chain.
    base: Option<(String, String, i64)>,
    /// Whether its policy is not to accept.
    drops: bool,
    /// The number of its rules.
    rules: usize,
}

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

/// The version of the JSON schema that is read here (libnftables-json(5)).
const SCHEMA: u64 = 1;

/// Reads `nft -j list ruleset`.
pub fn parse(source: &Source, id: SourceId, diagnostics: &mut Diagnostics) -> NftDump {
    let mut reading = Reading::new(source, diagnostics);
    let mut dump = NftDump::default();
    let json = match json::parse(&source.text, id) {
        Ok(json) => json,
        Err(error) => {
            reading.report(error);
            return dump;
        }
    };
    let Some(mut whole) = reading.fields(&json) else { return dump };
    let Some(list) = whole.take("nftables") else {
        let error = Diagnostic::error(Code::Dump, json.span, "no `nftables` in this dump");
        reading.report(error.help("this should be the output of `nft -j list ruleset`"));
        return dump;
    };
    let outside = whole.left();
    dump.general
        .extend(outside.map(|(key, at)| Doubt::havoc(format!("what `{key}` of the ruleset does"), at)));
    for item in reading.items(list) {
        let Value::Object(entries) = &item.value else {
            reading.bad(item.span, format!("expected an object, found {}", item.value.kind()));
            return dump;
        };
        for (kind, object) in entries {
            if dump.object(kind.value.as_ref(), object, &mut reading).is_none() {
                return dump;
            }
        }
    }
    dump
}

impl NftDump {
    /// Takes one object of the list; `None` after an error.
    fn object<'a>(&mut self, kind: &str, object: &Json<'a>, reading: &mut Reading<'a, '_>) -> Option<()> {
        let mut fields = reading.fields(object)?;
        if kind == "metainfo" {
            let version = fields.number::<u64>("json_schema_version", reading);
            if let Some(version) = version.filter(|v| v.value != SCHEMA) {
                let what = format!("what a ruleset of JSON schema {} means", version.value);
                self.general.push(Doubt::havoc(what, version.span));
            }
            return Some(());
        }
        let family = fields.text("family", reading).map(|t| t.value.to_owned());
        let name_of_table = if kind == "table" { "name" } else { "table" };
        let table = fields.text(name_of_table, reading).map(|t| t.value.to_owned());
        let (Some(family), Some(table)) = (family, table) else {
            // Objects without a table (a newer kind) are outside of everything that we can place.
            self.general.push(Doubt::havoc(format!("what a `{kind}` of the ruleset does"), object.span));
            return Some(());
        };
        if kind == "table" {
            let foreign = fields.take("flags").map(|json| json.span);
            let chains = BTreeMap::new();
            let twin = self.positions.insert((family.clone(), table.clone()), self.tables.len());
            if let Some(first) = twin {
                let message = format!("the table `{family} {table}` is declared twice");
                let error = Diagnostic::error(Code::DuplicateKey, object.span, message);
                reading.report(error.also(self.tables[first].span, "first here"));
                return None;
            }
            self.tables.push(NftTable {
                family,
                name: table,
                span: object.span,
                chains,
                foreign,
                acts: None,
            });
            return Some(());
        }
        let key = (family, table);
        let position = self.positions.get(&key);
        let Some(known) = position.and_then(|position| self.tables.get_mut(*position)) else {
            let (family, table) = key;
            reading
                .bad(object.span, format!("a {kind} of the table `{family} {table}`, which is not declared"));
            return None;
        };
        known.object(kind, fields, object.span, reading)
    }

    /// What of the ruleset is not understood, beside the given dumps of iptables. Tables of IPv6 do not count
    /// on a device where it does not run.
    pub fn doubts(
        &self,
        iptables: Option<&Ruleset>,
        ip6tables: Option<&Ruleset>,
        ipv6_runs: bool,
    ) -> Vec<Doubt> {
        let mut doubts = self.general.clone();
        for table in self.tables.iter().filter(|table| ipv6_runs || table.family != "ip6") {
            let twin = match table.family.as_str() {
                "ip" => iptables,
                "ip6" => ip6tables,
                _ => None,
            };
            if table.is_idle() || twin.is_some_and(|twin| table.is_of(twin)) {
                continue;
            }
            let what = format!("what the nftables table `{} {}` does", table.family, table.name);
            let settle = match (table.family.as_str(), table.is_compatible()) {
                ("ip", true) => "give the dump of `iptables-save` that belongs to it, as `iptables`",
                ("ip6", true) => "give the dump of `ip6tables-save` that belongs to it, as `ip6tables`",
                _ => "take the table out of the device's configuration, and dump it again",
            };
            doubts.push(Doubt::havoc(what, table.span).settled_by(settle));
        }
        doubts
    }
}

impl NftTable {
    fn object<'a>(
        &mut self,
        kind: &str,
        mut fields: Fields<'_, 'a>,
        span: Span,
        reading: &mut Reading<'a, '_>,
    ) -> Option<()> {
        match kind {
            "chain" => {
                let name = fields.text("name", reading)?.value.to_owned();
                let mut word = |key| fields.text(key, reading).map(|t| t.value.to_owned());
                let (kind, hook, policy) = (word("type"), word("hook"), word("policy"));
                let priority = fields.number::<i64>("prio", reading).map(|n| n.value);
                let base = match (kind, hook, priority) {
                    (Some(kind), Some(hook), Some(priority)) => Some((kind, hook, priority)),
                    _ => None,
                };
                let drops = policy.is_some_and(|policy| policy != "accept");
                self.chains.insert(name, NftChain { base, drops, rules: 0 });
            }
            "rule" => {
                let chain = fields.text("chain", reading)?;
                let Some(known) = self.chains.get_mut(chain.value) else {
                    reading
                        .bad(span, format!("a rule of the chain `{}`, which is not declared", chain.value));
                    return None;
                };
                known.rules += 1;
                let statements = fields.take("expr").map_or(&[][..], |json| reading.items(json));
                for statement in statements {
                    let mut fields = reading.fields(statement)?;
                    for quiet in QUIET {
                        fields.take(quiet);
                    }
                    self.acts = self.acts.or(fields.left().map(|(_, span)| span).next());
                }
            }
            _ => self.foreign = self.foreign.or(Some(span)),
        }
        Some(())
    }

    /// Whether it changes nothing: no rule does more than accept, no policy drops, and there is nothing else.
    fn is_idle(&self) -> bool {
        self.foreign.is_none() && self.acts.is_none() && self.chains.values().all(|chain| !chain.drops)
    }

    /// Whether it could be one that iptables-nft made.
    pub fn is_compatible(&self) -> bool {
        let fits = |name: &String, chain: &NftChain| match &chain.base {
            None => !COMPATIBLE.iter().any(|row| row.0 == self.name && row.1 == name),
            Some((kind, hook, priority)) => {
                COMPATIBLE.contains(&(&self.name, name, kind.as_str(), hook.as_str(), *priority))
            }
        };
        matches!(self.family.as_str(), "ip" | "ip6")
            && COMPATIBLE.iter().any(|row| row.0 == self.name)
            && self.foreign.is_none()
            && self.chains.iter().all(|(name, chain)| fits(name, chain))
    }

    /// Whether it is the table of its name in a dump of iptables.
    fn is_of(&self, twin: &Ruleset) -> bool {
        let family = if twin.family == Family::V4 { "ip" } else { "ip6" };
        let same = |(name, chain): (&String, &NftChain)| {
            twin.rules_in(&self.name, name).is_none_or(|there| there == chain.rules)
                && (chain.rules == 0 || twin.rules_in(&self.name, name).is_some())
        };
        twin.backend == Backend::Nft
            && self.family == family
            && self.is_compatible()
            && self.chains.iter().all(same)
    }
}
