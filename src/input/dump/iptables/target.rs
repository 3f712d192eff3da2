//! What rules do: `-j` and `-g`.

use crate::model::translation::End;
use crate::model::{MarkChange, Marked, Translation};
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
    /// Sets a mark, and goes on.
    Mark(MarkChange),
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
    /// It sets a counter, a set, or a header field that the model does not have, and goes on. Whatever could read that
    /// (`-m set`, `-m ttl`, `-m helper`) is not understood itself, so that nothing is lost.
    Quiet,
    /// It sets a mark that is not known, and goes on. No mark of the device is understood then.
    Marks,
    /// It keeps packets from the connection tracker, or gives them to another zone or a helper, and goes on.
    /// No test of the state is understood then.
    Untracks,
    /// It may rewrite, copy, answer or divert packets.
    Havoc,
}

/// What a target does, as far as the reader knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Accept,
    Drop,
    Return,
    Reject,
    /// Writes a line, and goes on.
    Log,
    /// Hands a copy to a program of the device, and goes on.
    Copy,
    Translate,
    /// Changes sets, and goes on.
    Set,
    /// Sets a mark, and goes on.
    Mark(Marked),
    /// Not understood.
    Other(Effect),
}

/// What an option of a target says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    /// Nothing about where packets go.
    Nothing,
    /// Addresses and ports that translated packets get.
    Ends,
    /// Ports that translated packets get.
    Ports,
    /// The prefix that addresses are mapped to.
    Prefix,
    /// That ports are chosen by chance.
    Random,
    /// A set that is changed.
    Changes,
    /// A set that marks are taken from.
    Reads,
}

/// A target.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) does: Does,
    /// Whether it loads the connection tracker (`nf_ct_netns_get` in its `checkentry`).
    pub(super) tracks: bool,
    /// Its options; those of a target that is not understood are not told apart.
    pub(super) options: &'static [(&'static str, Says)],
    pub(super) note: &'static str,
    /// Values of its options that are not understood: with them it may do anything.
    pub(super) limits: &'static str,
}

impl Target {
    /// Whether it has an option.
    pub(super) fn takes(&self, option: &str) -> bool {
        self.says(option).is_some()
    }

    /// What an option of its says.
    pub(super) fn says(&self, option: &str) -> Option<Says> {
        self.options.iter().find(|(name, _)| *name == option).map(|(_, says)| *says)
    }
}

const fn target(name: &'static str, does: Does, options: &'static [(&'static str, Says)]) -> Target {
    Target { name, does, tracks: false, options, note: "", limits: "" }
}

const fn quiet(name: &'static str, note: &'static str) -> Target {
    Target { note, ..target(name, Does::Other(Effect::Quiet), &[]) }
}

const fn havoc(name: &'static str, note: &'static str) -> Target {
    Target { note, ..target(name, Does::Other(Effect::Havoc), &[]) }
}

const fn tracking(target: Target) -> Target {
    Target { tracks: true, ..target }
}

const SET_XMARK: (&str, Says) = ("--set-xmark", Says::Nothing);
const SET_MARK: (&str, Says) = ("--set-mark", Says::Nothing);
const AND_MARK: (&str, Says) = ("--and-mark", Says::Nothing);
const OR_MARK: (&str, Says) = ("--or-mark", Says::Nothing);
const XOR_MARK: (&str, Says) = ("--xor-mark", Says::Nothing);
const RANDOM: (&str, Says) = ("--random", Says::Random);
const FULLY: (&str, Says) = ("--random-fully", Says::Random);
// Which address of a pool a client gets stays the network's choice.
const PERSISTENT: (&str, Says) = ("--persistent", Says::Nothing);
const SHIFTS: &str = "a base port behind `/`, names of hosts and ports";

/// Every target. One that is not here counts as one that may do anything.
pub(super) const TARGETS: &[Target] = &[
    target("ACCEPT", Does::Accept, &[]),
    target("DROP", Does::Drop, &[]),
    target("RETURN", Does::Return, &[]),
    quiet("AUDIT", "writes a line"),
    quiet("CHECKSUM", ""),
    quiet("CLASSIFY", "classes of queues"),
    havoc("CLUSTERIP", "answers with an address of Ethernet that several nodes share"),
    tracking(Target {
        limits: "shifts, and the table `raw`: then no mark of the device is understood",
        ..target(
            "CONNMARK",
            Does::Mark(Marked::Connection),
            &[
                SET_XMARK,
                SET_MARK,
                AND_MARK,
                OR_MARK,
                XOR_MARK,
                ("--save-mark", Says::Nothing),
                ("--restore-mark", Says::Nothing),
                ("--nfmask", Says::Nothing),
                ("--ctmask", Says::Nothing),
                ("--mask", Says::Nothing),
            ],
        )
    }),
    tracking(quiet("CONNSECMARK", "")),
    target("CT", Does::Other(Effect::Untracks), &[]),
    tracking(Target {
        limits: SHIFTS,
        ..target("DNAT", Does::Translate, &[("--to-destination", Says::Ends), RANDOM, FULLY, PERSISTENT])
    }),
    havoc("DNPT", "maps prefixes without connections"),
    quiet("DSCP", ""),
    quiet("ECN", ""),
    quiet("HL", ""),
    target("HMARK", Does::Other(Effect::Marks), &[]),
    quiet("IDLETIMER", ""),
    quiet("LED", ""),
    Target {
        note: "goes on",
        ..target(
            "LOG",
            Does::Log,
            &[
                ("--log-level", Says::Nothing),
                ("--log-prefix", Says::Nothing),
                ("--log-tcp-sequence", Says::Nothing),
                ("--log-tcp-options", Says::Nothing),
                ("--log-ip-options", Says::Nothing),
                ("--log-uid", Says::Nothing),
                ("--log-macdecode", Says::Nothing),
            ],
        )
    },
    Target {
        limits: "in a chain of `nat`: then no mark of the device is understood",
        ..target("MARK", Does::Mark(Marked::Packet), &[SET_XMARK, SET_MARK, AND_MARK, OR_MARK, XOR_MARK])
    },
    tracking(target("MASQUERADE", Does::Translate, &[("--to-ports", Says::Ports), RANDOM, FULLY])),
    tracking(target("NETMAP", Does::Translate, &[("--to", Says::Prefix)])),
    Target {
        note: COPIES,
        ..target(
            "NFLOG",
            Does::Copy,
            &[
                ("--nflog-group", Says::Nothing),
                ("--nflog-prefix", Says::Nothing),
                ("--nflog-range", Says::Nothing),
                ("--nflog-size", Says::Nothing),
                ("--nflog-threshold", Says::Nothing),
            ],
        )
    },
    havoc("NFQUEUE", "a program decides, and may rewrite"),
    target("NOTRACK", Does::Other(Effect::Untracks), &[]),
    quiet("RATEEST", ""),
    tracking(Target {
        limits: SHIFTS,
        ..target("REDIRECT", Does::Translate, &[("--to-ports", Says::Ports), RANDOM, FULLY])
    }),
    Target {
        note: "whatever the answer is",
        ..target("REJECT", Does::Reject, &[("--reject-with", Says::Nothing)])
    },
    quiet("SECMARK", ""),
    Target {
        note: "goes on; what asks for a set that it changes is not understood",
        ..target(
            "SET",
            Does::Set,
            &[
                ("--add-set", Says::Changes),
                ("--del-set", Says::Changes),
                ("--map-set", Says::Reads),
                ("--exist", Says::Nothing),
                ("--timeout", Says::Nothing),
                ("--map-mark", Says::Nothing),
                ("--map-prio", Says::Nothing),
                ("--map-queue", Says::Nothing),
            ],
        )
    },
    tracking(Target {
        limits: SHIFTS,
        ..target("SNAT", Does::Translate, &[("--to-source", Says::Ends), RANDOM, FULLY, PERSISTENT])
    }),
    havoc("SNPT", "maps prefixes without connections"),
    tracking(havoc("SYNPROXY", "answers in place of the server")),
    quiet("TCPMSS", ""),
    quiet("TCPOPTSTRIP", ""),
    havoc("TEE", "sends a copy to another next hop"),
    quiet("TOS", ""),
    havoc("TPROXY", "hands packets to a program of the device"),
    quiet("TRACE", "writes lines"),
    quiet("TTL", ""),
    Target {
        note: COPIES,
        ..target(
            "ULOG",
            Does::Copy,
            &[
                ("--ulog-nlgroup", Says::Nothing),
                ("--ulog-prefix", Says::Nothing),
                ("--ulog-cprange", Says::Nothing),
                ("--ulog-qthreshold", Says::Nothing),
            ],
        )
    },
];

const COPIES: &str = "goes on; where the program that gets the copy sends it is in the ledger";

/// The target of a name.
pub(super) fn known(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Whether a name that no chain has can be that of a target: those are written in capitals and digits. Any
/// other word is a chain that the dump does not declare.
/// Whether a rule with this target makes the kernel track connections, and so reassemble fragments.
pub(in crate::input::dump) fn tracks(name: &str) -> bool {
    known(name).is_some_and(|target| target.tracks)
}

/// The effect of a target where what it says is not understood.
pub(in crate::input::dump) fn effect(name: &str) -> Effect {
    match known(name).map(|target| target.does) {
        Some(Does::Other(effect)) => effect,
        // Of what they say, nothing is known.
        Some(Does::Set | Does::Mark(_)) => Effect::Marks,
        Some(_) | None => Effect::Havoc,
    }
}

pub(super) fn is_target_name(name: &str) -> bool {
    let built_in = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
    let capital = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit();
    name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.chars().all(capital)
        && !built_in.contains(&name)
}
