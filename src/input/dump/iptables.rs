//! `iptables-save` and `ip6tables-save`.

use super::Doubt;
use crate::header::Family;
use crate::model::{Filter, LedgerEntry, Stage, Unknown};

/// What one dump of rules compiles to.
#[derive(Debug, Clone)]
pub struct Ruleset {
    /// The family that its hooks bind.
    pub family: Family,
    /// All chains of all tables; those of `filter` have their plain name, the others `TABLE/NAME`.
    /// **The numbers of its unknowns are positions in `unknowns`**: [`super::lower::filter`] renumbers them.
    pub filter: Filter,
    /// What is not understood in the filter.
    pub unknowns: Vec<Unknown>,
    /// Which chain (a position in the filter) binds at which stage, in the order of the walk.
    pub hooks: Vec<(Stage, usize)>,
    /// Rules that may rewrite, redirect or copy packets in a way that the model does not follow (NAT, TEE,
    /// NFQUEUE, …). A *may* reading must let the node send anything anywhere once a packet reaches it; the
    /// filter holds an unknown at the same place, so that nothing is certain on *must*.
    pub havoc: Vec<Doubt>,
    /// What the ledger should name: logs that may carry packets on.
    pub ledger: Vec<LedgerEntry>,
}
