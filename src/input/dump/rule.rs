//! `ip -j rule` and `ip -6 -j rule`.

use super::Doubt;
use crate::source::{Span, Spanned};
use ipnet::IpNet;

/// What `ip -j rule` shows.
#[derive(Debug, Clone, Default)]
pub struct RuleDump {
    /// The rules by priority.
    pub rules: Vec<DumpedRule>,
}

/// A rule of the policy database.
#[derive(Debug, Clone)]
pub struct DumpedRule {
    /// Its place in the order; smaller is earlier.
    pub priority: u32,
    /// The whole object.
    pub span: Span,
    /// Only packets from here; `None` is any.
    pub from: Option<IpNet>,
    /// Only packets to there; `None` is any.
    pub to: Option<IpNet>,
    /// Only packets that came in on this interface; `lo` is the device's own.
    pub incoming: Option<Spanned<String>>,
    /// What it does.
    pub action: RuleAction,
    /// What else it asks (marks, users, …): then it may match anything that its other conditions leave.
    pub doubts: Vec<Doubt>,
}

/// What a rule does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleAction {
    /// Looks into this table, and goes on if that has no route.
    Table {
        /// Name or number of the table.
        name: String,
        /// Routes with a prefix of at most this length are passed over (`suppress_prefixlength`).
        suppress: Option<u8>,
    },
    /// Looks into the table of the VRF that the packet is in.
    L3mdev,
    /// Goes on with the first rule of this priority or behind it.
    Goto(u32),
    /// Goes on.
    Nop,
    /// Drops without a word.
    Blackhole,
    /// Drops and answers.
    Unreachable,
    /// Drops and answers.
    Prohibit,
}
