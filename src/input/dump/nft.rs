//! `nft -j list ruleset`, as far as telling an empty ruleset, or the tables that iptables-nft made, from
//! anything else.

use super::Doubt;
use crate::source::Span;

/// What `nft -j list ruleset` shows.
#[derive(Debug, Clone, Default)]
pub struct NftDump {
    /// Its tables.
    pub tables: Vec<NftTable>,
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
    /// Whether it is one that iptables-nft makes, so that the iptables dump of its family says what it does.
    pub compatible: bool,
    /// What is not understood, unless the table is empty or compatible.
    pub doubt: Option<Doubt>,
}
