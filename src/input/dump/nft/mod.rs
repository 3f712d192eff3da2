//! `nft -j list ruleset` (libnftables-json(5)).
//!
//! A table becomes a filter: its chains keep their names, and its base chains hang at the stages of the walk in the order
//! of hook and priority, among those of all other tables, of iptables too (`hook.rs` has the table). `accept` ends one
//! base chain only, `drop` ends the walk. Chains of type `nat` translate, in the order of their priorities. Of two base
//! chains with the same hook and priority the later one in the dump is asked first, as the kernel inserts them.
//!
//! A table of `inet` is for both families: a match on a field of one of them, or of one protocol, is for packets of that
//! only, even if it is negated, though the dump does not say so. A set is read as ranges of values, a concatenation as
//! one box of ranges for each element, a verdict map as one rule for each verdict.
//!
//! What is not understood is kept as such at its place: an expression as a test that may hold; a statement as an action
//! that may accept, drop or go on, and, if it may do more (queues, copies, diversions, rewritten addresses), as havoc.
//! A set whose elements come and go (`timeout`, `dynamic`, rules that add to it) may hold anything. Tables of `bridge`
//! and `netdev`, and chains of the hooks `ingress` and `egress`, may stop any packet. Those of `arp` concern no IP
//! packet. What cannot be a ruleset is an error: a rule of a chain that is not there, a jump in a circle, an address
//! with 300 in it.
//!
//! A table of iptables-nft stands twice in the dumps of a device: here, and in `iptables-save`, where it is
//! read. Two tables are one only if the iptables dump says that it was made by iptables-nft, the base chains are
//! the ones that iptables-nft makes, and every chain has as many rules here as there.

mod address_type;
mod compare;
mod compatible;
mod coverage;
mod field;
mod hook;
mod list;
mod lower;
mod mark;
mod ranges;
mod rule;
mod scope;
mod set;
mod table;
mod test;
mod translate;
mod value;
mod vmap;
mod words;

use super::Doubt;
use super::fields::Reading;
use super::iptables::Ruleset;
use super::json::{self, Json, Value};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::header::Family;
use crate::model::LedgerEntry;
use crate::source::{Source, SourceId, Span};
pub(super) use coverage::coverage;
use list::Whole;
use std::collections::BTreeMap;
use table::Gathered;

/// What `nft -j list ruleset` shows.
#[derive(Debug, Clone, Default)]
pub struct NftDump {
    /// Its tables, in the order of the dump.
    pub tables: Vec<NftTable>,
    /// Doubts about the dump as a whole (a newer schema, objects outside of tables).
    pub general: Vec<Doubt>,
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
    chains: Vec<table::ParsedChain>,
    /// Positions of chains, called ones before their callers.
    order: Vec<usize>,
    unknowns: scope::Unknowns,
    /// What of its declarations is not understood.
    doubts: Vec<Doubt>,
    /// Whether it hangs nowhere.
    dormant: bool,
    /// Whether its rules make the kernel track connections.
    tracks: bool,
    twin: compatible::Twin,
}

/// What the tables of a dump come to on one device.
#[derive(Debug, Clone, Default)]
pub(super) struct Compiled {
    /// A filter for each table that does something.
    pub(super) rulesets: Vec<Ruleset>,
    /// What may stop any packet, or do more.
    pub(super) doubts: Vec<Doubt>,
    /// What the ledger should name.
    pub(super) ledger: Vec<LedgerEntry>,
    /// What sets marks in a way that is not understood, if something does.
    pub(super) unclear_marks: Option<Doubt>,
}

/// The version of the JSON schema that is read here (libnftables-json(5)).
const SCHEMA: u64 = 1;

/// The families of IP packets that tables of a family see.
fn families_of(family: &str) -> &'static [Family] {
    match family {
        "ip" => &[Family::V4],
        "ip6" => &[Family::V6],
        _ => &Family::ALL,
    }
}

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
    if !matches!(json.value, Value::Object(_)) {
        let message = format!("expected an object, found {}", json.value.kind());
        let error = Diagnostic::error(Code::Dump, json.span, message);
        reading.report(error.help("this should be the output of `nft -j list ruleset`"));
        return dump;
    }
    let Some(mut whole) = reading.fields(&json) else { return dump };
    let Some(list) = whole.take("nftables") else {
        let error = Diagnostic::error(Code::Dump, json.span, "no `nftables` in this dump");
        reading.report(error.help("this should be the output of `nft -j list ruleset`"));
        return dump;
    };
    let outside = whole.left();
    dump.general
        .extend(outside.map(|(key, at)| Doubt::havoc(format!("what `{key}` of the ruleset does"), at)));
    let mut gathering = Gathering { source, tables: Vec::new(), positions: BTreeMap::new() };
    for item in reading.items(list) {
        let Value::Object(entries) = &item.value else {
            reading.bad(item.span, format!("expected an object, found {}", item.value.kind()));
            return dump;
        };
        for (kind, object) in entries {
            let kind = kind.value.as_ref();
            if gathering.object(kind, object, &mut dump.general, &mut reading).is_none() {
                return dump;
            }
        }
    }
    let tables = gathering.tables.into_iter();
    dump.tables = tables.filter_map(|table| table.finish(source, &mut reading)).collect();
    dump
}

/// The objects of a dump, by table.
struct Gathering<'s, 'j, 'a> {
    source: &'s Source,
    tables: Vec<Gathered<'j, 'a>>,
    /// Where each table stands, by family and name.
    positions: BTreeMap<(String, String), usize>,
}

impl<'j, 'a> Gathering<'_, 'j, 'a> {
    /// Takes one object of the list; `None` after an error.
    fn object(
        &mut self,
        kind: &str,
        object: &'j Json<'a>,
        general: &mut Vec<Doubt>,
        reading: &mut Reading<'a, '_>,
    ) -> Option<()> {
        let mut fields = reading.fields(object)?;
        if kind == "metainfo" {
            let version = fields.number::<u64>("json_schema_version", reading);
            if let Some(version) = version.filter(|v| v.value != SCHEMA) {
                let what = format!("what a ruleset of JSON schema {} means", version.value);
                general.push(Doubt::havoc(what, version.span));
            }
            return Some(());
        }
        let family = fields.text("family", reading).map(|t| t.value.to_owned());
        let name_of_table = if kind == "table" { "name" } else { "table" };
        let table = fields.text(name_of_table, reading).map(|t| t.value.to_owned());
        let (Some(family), Some(table)) = (family, table) else {
            // Objects without a table (a newer kind) are outside of everything that we can place.
            general.push(Doubt::havoc(format!("what a `{kind}` of the ruleset does"), object.span));
            return Some(());
        };
        let key = (family, table);
        if kind == "table" {
            if let Some(first) = self.positions.insert(key.clone(), self.tables.len()) {
                let message = format!("the table `{} {}` is declared twice", key.0, key.1);
                let error = Diagnostic::error(Code::DuplicateKey, object.span, message);
                reading.report(error.also(self.tables[first].span, "first here"));
                return None;
            }
            self.tables.push(Gathered::new(key.0, key.1, &mut fields, self.source));
            return Some(());
        }
        let position = self.positions.get(&key);
        let Some(known) = position.and_then(|position| self.tables.get_mut(*position)) else {
            let (family, table) = key;
            reading
                .bad(object.span, format!("a {kind} of the table `{family} {table}`, which is not declared"));
            return None;
        };
        known.object(kind, object, fields, reading)
    }
}

impl NftDump {
    /// What the ruleset does on a device, beside the given dumps of iptables. Tables of IPv6 do not count
    /// where it does not run.
    pub(super) fn compile(
        &self,
        iptables: Option<&Ruleset>,
        ip6tables: Option<&Ruleset>,
        ipv6_runs: bool,
    ) -> Compiled {
        let mut out = Compiled { doubts: self.general.clone(), ..Compiled::default() };
        let mut read = Vec::new();
        for table in self.tables.iter().filter(|table| ipv6_runs || table.family != "ip6") {
            let twin = match table.family.as_str() {
                "ip" => iptables,
                "ip6" => ip6tables,
                _ => None,
            };
            match (table.family.as_str(), twin) {
                _ if table.twin.is_idle() && table.doubts.is_empty() => {}
                (_, Some(twin)) if table.is_of(twin) => {}
                (_, Some(twin)) if table.may_be_of(twin) && twin.has_table(&table.name) => {
                    let what = format!("what the nftables table `{} {}` does", table.family, table.name);
                    let settle = "dumps of `iptables-save` and `nft -j list ruleset` from the same moment";
                    out.doubts.push(Doubt::havoc(what, table.span).settled_by(settle));
                }
                ("ip" | "ip6" | "inet" | "bridge" | "netdev", _) => read.push(table),
                ("arp", _) => out.note(table, "it filters no IP packets"),
                (family, _) => {
                    let what = format!("what a table of the family `{family}` does");
                    out.doubts.push(Doubt::havoc(what, table.span));
                }
            }
        }
        let iptables = [iptables, ip6tables];
        let of_iptables = |family: Family| iptables[family as usize];
        let tracked = Family::ALL.map(|family| {
            of_iptables(family).is_some_and(|ruleset| ruleset.filter.tracks)
                || read.iter().any(|table| table.tracks && families_of(&table.family).contains(&family))
        });
        let translates = out.doubts.iter().any(|doubt| doubt.havoc)
            || iptables.iter().flatten().any(|one| !one.havoc.is_empty() || !one.translating.is_empty())
            || read.iter().any(|table| table.may_translate());
        for table in read {
            if !table.doubts.is_empty() {
                let sets = table.sets_marks().map(|span| Doubt::about("which marks packets have", span));
                out.unclear_marks = out.unclear_marks.or(sets);
                // Nobody knows whether it hangs anywhere, so that nothing it does is certain.
                let more = table.may_translate() || table.untracks().is_some();
                out.doubts
                    .extend(table.doubts.iter().map(|one| Doubt { havoc: one.havoc || more, ..one.clone() }));
                continue;
            }
            if table.dormant {
                out.note(table, "it is dormant: none of its chains is asked");
                continue;
            }
            let families =
                families_of(&table.family).iter().filter(|family| ipv6_runs || **family == Family::V4);
            let whole =
                Whole { tracked: families.into_iter().all(|family| tracked[*family as usize]), translates };
            lower::compile(table, whole, &mut out);
        }
        out
    }
}

impl Compiled {
    fn note(&mut self, table: &NftTable, why: &str) {
        let text = format!("the nftables table `{} {}` is not considered: {why}", table.family, table.name);
        self.ledger.push(LedgerEntry { text, span: Some(table.span) });
    }
}

#[cfg(test)]
mod tests;
