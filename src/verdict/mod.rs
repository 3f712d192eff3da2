//! Verdicts: what is decided of each claim, with the evidence. Plain data, ready for any report.

mod absence;
mod belonging;
mod blame;
mod evidence;
mod judge;
mod lower;
mod presence;
mod proof;
mod schedule;
mod telling;
mod trust;
mod vacuity;

pub use judge::{Judge, Options};
#[doc(hidden)]
pub use schedule::confirms;
pub use telling::hops as tell_hops;

use crate::claim::{Claim, Severity};
use crate::header::Packet;
use crate::source::Span;

/// What was decided (DESIGN.md section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// Proved over all packets and paths.
    Holds,
    /// Broken: there is a replayed counterexample.
    Violated,
    /// Neither: something is not known, or a limit was reached.
    Undetermined,
    /// The claim says nothing about this network.
    Vacuous,
}

impl Verdict {
    /// The word of the reports.
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Holds => "holds",
            Verdict::Violated => "violated",
            Verdict::Undetermined => "undetermined",
            Verdict::Vacuous => "vacuous",
        }
    }
}

/// Everything decided of one claim.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// The claim.
    pub claim: Claim,
    /// The verdict.
    pub verdict: Verdict,
    /// One sentence that says the verdict in words: "zone app can reach places outside jurisdiction CN".
    pub summary: String,
    /// Counterexamples of a violated claim, one for each cause; for an undetermined one, the possible paths.
    pub findings: Vec<Finding>,
    /// Whether there are more causes than were looked for.
    pub more_findings: bool,
    /// What an undetermined or vacuous verdict waits for, each with the line that would settle it.
    pub open: Vec<Open>,
    /// What was proved, for a claim that holds: one sentence each, with a place where there is one.
    pub proof: Vec<Note>,
    /// Assumptions that the verdict rests on: name and reason.
    pub assumptions: Vec<(String, String)>,
    /// Limits that were reached, one sentence each.
    pub limits: Vec<String>,
    /// Anything else the reader should know, in full sentences.
    pub notes: Vec<Note>,
}

impl Judgement {
    /// The severity of its claim.
    pub fn severity(&self) -> Severity {
        self.claim.severity
    }
}

/// A sentence, and the place that it speaks of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The sentence, without a full stop.
    pub text: String,
    /// The place.
    pub span: Option<Span>,
}

/// Something that would have to be settled.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Open {
    /// What is not known.
    pub what: String,
    /// Where the question arises.
    pub span: Option<Span>,
    /// The one line that would settle it.
    pub settle: String,
}

/// One way in which a claim breaks (or, undetermined, may break).
#[derive(Debug, Clone)]
pub struct Finding {
    /// A stable id: a hash of the claim and the named hops, never of lines.
    pub fingerprint: String,
    /// The packets in order. A single one unless connections are opened first; the last is what arrives.
    pub legs: Vec<Leg>,
    /// The rule or route that let it through and fits the fewest packets, if there is one.
    pub cause: Option<Note>,
    /// Why a reader may have thought it closed: the rule that tries to stop it, and why it does not.
    pub looked_closed: Option<Note>,
    /// What would close it; each was checked against all claims.
    pub remedies: Vec<Remedy>,
    /// Network choices it depends on: "depends on the hash at r1".
    pub choices: Vec<String>,
}

/// A change that would close a finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remedy {
    /// What to change.
    pub text: String,
    /// Where.
    pub span: Option<Span>,
    /// Claims that would then break, by id.
    pub breaks: Vec<String>,
    /// Whether every `reachable` claim was asked again in the network so changed. The others forbid, and a change that only
    /// closes breaks none of them.
    pub checked: bool,
}

/// Who sends a packet of a counterexample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sender {
    /// The adversary.
    Adversary,
    /// Somebody of the other side who helps.
    Accomplice,
    /// An honest node with its own address.
    Honest,
    /// A device that answers what reached it.
    Answer,
    /// The far end of an excepted channel, which may pass on whatever it is sent.
    FarEnd,
    /// Somebody whom nobody described, at an address that a packet was sent to.
    Undescribed,
}

/// One packet of a counterexample and its walk.
#[derive(Debug, Clone)]
pub struct Leg {
    /// Who sends it.
    pub sender: Sender,
    /// The excepted channel, if the sender is the far end of one: its selectors, and where it is written.
    pub channel: Option<Note>,
    /// Where it starts: the name of a node or a segment.
    pub origin: String,
    /// Whether its source address is not the sender's own.
    pub spoofed: bool,
    /// The packet as sent.
    pub packet: Packet,
    /// Its hops in order.
    pub hops: Vec<Hop>,
    /// Why it is sent: "opens a connection at fw-gui", "arrives".
    pub purpose: String,
}

/// One node or segment on the way.
#[derive(Debug, Clone)]
pub struct Hop {
    /// The name of the node or segment.
    pub place: String,
    /// Whether it is a segment.
    pub is_segment: bool,
    /// The countries that it is in or crosses, `?` last if there may be others; empty if none is known.
    pub countries: Vec<String>,
    /// The in-interface, if the packet came in on one.
    pub incoming: Option<String>,
    /// The out-interface, if it goes out on one.
    pub outgoing: Option<String>,
    /// What was decided here, in order.
    pub steps: Vec<Step>,
    /// The packet as it leaves, where it was changed.
    pub changed: Option<Packet>,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The stage: `send`, `ingress`, `input`, `route`, `forward`, `output`, `egress`, `arrive`.
    pub stage: &'static str,
    /// What was decided: "rule ping allows", "routes 0.0.0.0/0 via 192.0.2.2", "no policy, forwards everything".
    pub text: String,
    /// The line that decides it.
    pub span: Option<Span>,
    /// Whether this is where the claim breaks: the first step that should have stopped it.
    pub opening: bool,
}
