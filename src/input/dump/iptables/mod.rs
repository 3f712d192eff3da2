//! `iptables-save` and `ip6tables-save`.
//!
//! All tables are read, and every chain of theirs becomes one of the filter. The hooks bind them to the stages
//! of the walk in the order of the kernel: `raw`, `mangle`, `filter`, `security`. Chains that can only accept
//! bind nothing. The chains before routing (`PREROUTING`) are asked before the packet is translated, those behind it
//! (`POSTROUTING`) bind forwarding and output.
//!
//! What is not understood is kept as such: a match as a test that may hold, a target as an action that may
//! accept, drop or go on. A target that may do more to a packet (translation, copies, queues) is listed in
//! [`Ruleset::havoc`] too; one that only sets what the model does not have (marks, sets, TTL) goes on, since
//! everything that could read it is not understood. The chains of `nat` translate. If one of their targets is not
//! understood, every packet is uncertain, since later packets of a connection are translated without meeting a rule.
//!
//! Fragments. A device that tracks connections reassembles before it filters, so that no rule ever sees a
//! later fragment; it certainly does so if any rule asks for the connection's state or translates. If none
//! does, another table may make it do so, or nothing. Then each rule that looks beyond the IP header becomes
//! two: one for whole packets and first fragments; and one for later fragments that *may* match whatever they
//! belong to (if the device reassembles, their datagram decides), and certainly matches nothing (if it does
//! not, the kernel sees no ports there). So both readings hold in both worlds. `assume: reassembled` makes the
//! first rule be for all packets and the second for none.

mod addrtype;
mod assemble;
pub(super) mod calls;
pub(super) mod condition;
mod coverage;
pub(super) mod known;
mod lines;
mod lower;
mod marks;
mod matches;
pub(super) mod names;
mod nat;
mod rule;
mod set;
pub(super) mod target;
mod token;
pub(super) mod values;

pub(super) use coverage::coverage;

use super::ipset::{Asked, SetDump};
use super::{Doubt, Given};
use crate::diag::Diagnostics;
use crate::header::Family;
use crate::model::{Filter, LedgerEntry, Stage, Test, Unknown, UnknownId};
use crate::source::{Source, SourceId, Span, Spanned};
use std::collections::{BTreeMap, BTreeSet};

/// What one dump of rules compiles to.
#[derive(Debug, Clone)]
pub struct Ruleset {
    /// The family that its hooks bind; `None` is both.
    pub family: Option<Family>,
    /// Which program holds the rules.
    pub backend: Backend,
    /// All chains of all tables; those of `filter` have their plain name, the others `TABLE/NAME`.
    /// **The numbers of its unknowns are positions in `unknowns`**: [`super::lower`] renumbers them.
    pub filter: Filter,
    /// What is not understood in the filter.
    pub unknowns: Vec<Unknown>,
    /// Which chain binds at which stage, in the order of the walk.
    pub hooks: Vec<Bound<Stage>>,
    /// Which chain translates at which place.
    pub translating: Vec<Bound<Spot>>,
    /// Rules that may rewrite, redirect or copy packets in a way that the model does not follow (NAT, TEE,
    /// NFQUEUE, …). The filter holds an unknown at the same place, so that nothing is certain on *must*.
    pub havoc: Vec<Doubt>,
    /// What the ledger should name: logs that may carry packets on.
    pub ledger: Vec<LedgerEntry>,
    /// What keeps packets from the tracker, if something does.
    pub(super) untracks: Option<UnknownId>,
    /// What sets marks in a way, or at a place, that is not understood, if something does. Then no mark of the device is known.
    pub(super) unclear_marks: Option<UnknownId>,
    /// The chains behind which own packets whose mark they changed are routed again, by their positions in the filter.
    pub(super) rerouting: Vec<usize>,
    /// The chains that do nothing but set marks, or nothing at all.
    pub(super) only_marks: BTreeSet<usize>,
    /// The unknowns that ask for a type of address that only the routes of the device tell, in order.
    pub(super) type_tests: BTreeMap<UnknownId, (TypeTest, Side, Family)>,
    /// The unknowns that ask for a set, and whether its elements have ports, in order.
    pub(super) set_tests: BTreeMap<UnknownId, (Asked, bool)>,
    /// The sets that `SET` targets add to or delete from.
    pub(super) set_changes: Vec<Spanned<String>>,
    /// The unknown of the rules for later fragments, if there are such rules.
    pub(super) reassembly: Option<UnknownId>,
    /// The number of rules of each chain, by table and chain.
    pub(super) rules: BTreeMap<(String, String), usize>,
}

/// A chain that binds somewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound<P> {
    /// Where.
    pub at: P,
    /// Its position in the filter.
    pub chain: usize,
    /// When, among all chains of the device that bind there.
    pub rank: Rank,
}

/// The order in which a packet meets chains that bind at one place: by hook, then by priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(pub Turn, pub i64);

impl Rank {
    /// In front of all others.
    pub const FIRST: Rank = Rank(Turn::Early, i64::MIN);
}

/// The hooks that the model has one place for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Turn {
    /// Before routing.
    Early,
    /// The hook of the place itself.
    Own,
    /// Behind routing.
    Late,
}

impl Ruleset {
    /// Whether it may translate packets.
    pub(super) fn may_translate(&self) -> bool {
        !self.havoc.is_empty() || !self.translating.is_empty()
    }

    /// Whether the dump has a table of this name.
    pub(super) fn has_table(&self, table: &str) -> bool {
        self.rules.keys().any(|(name, _)| name == table)
    }

    /// How many rules a chain has, if it is in the dump.
    pub fn rules_in(&self, table: &str, chain: &str) -> Option<usize> {
        self.rules.get(&(table.to_owned(), chain.to_owned())).copied()
    }
}

/// Where a chain of `nat` translates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spot {
    /// Destinations of what comes in.
    Prerouting,
    /// Sources of what is delivered.
    Input,
    /// Destinations of what the device sends itself.
    Output,
    /// Sources of what leaves.
    Postrouting,
}

/// A type of address that the `local` table of the device knows (`-m addrtype`, `fib … type`), beside those that have
/// it everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypeTest {
    /// The broadcast addresses of own subnets.
    Broadcast,
    /// Anycast addresses.
    Anycast,
}

/// Which address of a packet is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The source.
    Source,
    /// The destination.
    Destination,
}

/// Which program holds the rules of a dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backend {
    /// iptables-nft, which says `(nf_tables)` in its dumps: the rules are in the nftables ruleset too.
    Nft,
    /// The old kernel interface, or a dump that does not say.
    Legacy,
}

/// Reads `iptables-save` (IPv4) or `ip6tables-save` (IPv6), beside the sets of the same device. `None` if it cannot be
/// used; the reasons are in `diagnostics`.
pub fn parse(
    source: &Source,
    id: SourceId,
    family: Family,
    sets: &Given<SetDump>,
    diagnostics: &mut Diagnostics,
) -> Option<Ruleset> {
    Context::new(source, id, family, sets).parse(diagnostics)
}

/// What reading one dump gathers on the way.
struct Context<'s> {
    source: &'s Source,
    id: SourceId,
    family: Family,
    sets: &'s Given<SetDump>,
    unknowns: Vec<Unknown>,
    set_tests: BTreeMap<UnknownId, (Asked, bool)>,
    set_changes: Vec<Spanned<String>>,
    type_tests: BTreeMap<UnknownId, (TypeTest, Side, Family)>,
    /// Whether some rule makes the device track connections.
    tracks: bool,
    /// Whether it reassembles fragments, once a rule has needed to ask.
    reassembly: Option<UnknownId>,
    /// Every place that some part of the result accounts for; kept only if a test asks.
    claims: Option<Vec<Span>>,
}

/// How much of a rule a message repeats, in characters.
const EXCERPT_CHARACTERS_MAX: usize = 80;

impl<'s> Context<'s> {
    fn new(source: &'s Source, id: SourceId, family: Family, sets: &'s Given<SetDump>) -> Context<'s> {
        Context {
            source,
            id,
            family,
            sets,
            unknowns: Vec::new(),
            set_tests: BTreeMap::new(),
            set_changes: Vec::new(),
            type_tests: BTreeMap::new(),
            tracks: false,
            reassembly: None,
            claims: None,
        }
    }

    fn parse(&mut self, diagnostics: &mut Diagnostics) -> Option<Ruleset> {
        let dump = lines::read(self, diagnostics)?;
        assemble::assemble(self, dump, diagnostics)
    }

    /// The command that makes such a dump.
    fn command(&self) -> &'static str {
        match self.family {
            Family::V4 => "iptables-save",
            Family::V6 => "ip6tables-save",
        }
    }

    fn claim(&mut self, span: Span) {
        if let Some(claims) = &mut self.claims {
            claims.push(span);
        }
    }

    fn excerpt(&self, span: Span) -> String {
        let text = self.source.slice(span.start, span.end);
        match text.char_indices().nth(EXCERPT_CHARACTERS_MAX) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.to_owned(),
        }
    }

    fn unknown(&mut self, what: String, span: Span, settle: String) -> UnknownId {
        self.unknowns.push(Unknown { what, span: Some(span), settle });
        UnknownId::at(self.unknowns.len() - 1)
    }

    /// A test that asks whether an address has a type.
    fn type_test(&mut self, kind: TypeTest, side: Side, span: Span) -> Test {
        let text = self.excerpt(span);
        let settle = "`routes:` in `config`, with the dump of `ip -j route show table all`";
        let id = self.unknown(format!("which addresses `{text}` means"), span, settle.to_owned());
        self.type_tests.insert(id, (kind, side, self.family));
        Test::Unknown(id)
    }
}

#[cfg(test)]
mod tests;
