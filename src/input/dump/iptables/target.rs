//! What rules do: `-j` and `-g`.

use crate::model::Translation;
use crate::model::translation::End;
use crate::source::{Span, Spanned};

/// What a rule does with what it matches.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    /// `-j ACCEPT`.
    Accept,
    /// `-j DROP`.
    Drop,
    /// `-j REJECT`, with whatever answer.
    Reject,
    /// `-j RETURN`.
    Return,
    /// Nothing, or a log line.
    Continue,
    /// Hands a copy to a program of the device (`NFLOG`, `ULOG`), and goes on.
    Log(Spanned<&'static str>),
    /// `-j CHAIN`, by its position in the table.
    Jump(usize),
    /// `-g CHAIN`, likewise.
    Goto(usize),
    /// A target that translates addresses.
    Translate {
        /// What it makes of them.
        translation: Translation,
        /// Which end it changes; `None` if that depends on the chain.
        end: Option<End>,
    },
    /// A target that is not understood.
    Unknown {
        /// The target with its options.
        span: Span,
        /// What it may do beyond accepting, dropping or going on.
        effect: Effect,
    },
}

/// What a target that is not understood may do to packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::input::dump) enum Effect {
    /// It sets a mark, a counter, a set, or a header field that the model does not have, and goes on. Whatever
    /// could read that (`-m mark`, `-m set`, `-m ttl`, a rule of `ip rule` with `fwmark`) is not understood
    /// itself, so that nothing is lost.
    Quiet,
    /// It keeps packets from the connection tracker, or gives them to another zone or a helper, and goes on.
    /// No test of the state is understood then.
    Untracks,
    /// It may rewrite, copy, answer or divert packets.
    Havoc,
}

/// Targets of [`Effect::Quiet`]. Any target that is not here, and not one of the verdicts, counts as
/// [`Effect::Havoc`].
const QUIET: &[&str] = &[
    "AUDIT",
    "CHECKSUM",
    "CLASSIFY",
    "CONNMARK",
    "CONNSECMARK",
    "DSCP",
    "ECN",
    "HL",
    "HMARK",
    "IDLETIMER",
    "LED",
    "MARK",
    "RATEEST",
    "SECMARK",
    "SET",
    "TCPMSS",
    "TCPOPTSTRIP",
    "TOS",
    "TRACE",
    "TTL",
];

/// Targets that load the connection tracker (`nf_ct_netns_get` in their `checkentry`).
const TRACKING: &[&str] =
    &["CONNMARK", "CONNSECMARK", "DNAT", "MASQUERADE", "NETMAP", "REDIRECT", "SNAT", "SYNPROXY"];

/// Matches that load the connection tracker.
pub(in crate::input::dump) const TRACKING_MATCHES: &[&str] =
    &["connbytes", "connlabel", "connlimit", "connmark", "conntrack", "helper", "state"];

/// Whether a rule with this target makes the kernel track connections, and so reassemble fragments.
pub(in crate::input::dump) fn tracks(target: &str) -> bool {
    TRACKING.contains(&target)
}

/// The effect of a target that is not understood.
pub(in crate::input::dump) fn effect(target: &str) -> Effect {
    match target {
        "CT" | "NOTRACK" => Effect::Untracks,
        _ if QUIET.contains(&target) => Effect::Quiet,
        _ => Effect::Havoc,
    }
}

/// Whether a name that no chain has can be that of a target: those are written in capitals and digits. Any
/// other word is a chain that the dump does not declare.
pub(super) fn is_target_name(name: &str) -> bool {
    let built_in = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
    let capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(capital)
        && !built_in.contains(&name)
}
