//! Findings, packets, hops and places, key by key.

use crate::header::{Fragment, Packet, proto, service_name, tcp_flags};
use crate::report::trace::{Traced, Walk};
use crate::source::{SourceMap, Span};
use crate::verdict::{Finding, Hop, Leg, Remedy, Sender, Step};
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct PlaceJson<'a> {
    file: &'a str,
    line: u32,
    column: u32,
    end_line: u32,
    end_column: u32,
}

#[derive(Serialize)]
pub(super) struct NoteJson<'a> {
    text: &'a str,
    place: Option<PlaceJson<'a>>,
}

#[derive(Serialize)]
pub(super) struct FindingJson<'a> {
    fingerprint: &'a str,
    cause: Option<NoteJson<'a>>,
    legs: Vec<LegJson<'a>>,
    looked_closed: Option<NoteJson<'a>>,
    remedies: Vec<RemedyJson<'a>>,
    choices: &'a [String],
}

#[derive(Serialize)]
struct RemedyJson<'a> {
    text: &'a str,
    place: Option<PlaceJson<'a>>,
    breaks: &'a [String],
    checked: bool,
}

#[derive(Serialize)]
struct LegJson<'a> {
    sender: &'static str,
    channel: Option<NoteJson<'a>>,
    origin: &'a str,
    spoofed: bool,
    purpose: &'a str,
    packet: PacketJson,
    hops: Vec<HopJson<'a>>,
}

#[derive(Serialize)]
struct PacketJson {
    source: String,
    destination: String,
    protocol: u8,
    service: String,
    source_port: Option<u16>,
    destination_port: Option<u16>,
    icmp_type: Option<u8>,
    icmp_code: Option<u8>,
    tcp_flags: Option<Vec<&'static str>>,
    fragment: &'static str,
}

#[derive(Serialize)]
struct HopJson<'a> {
    place: &'a str,
    kind: &'static str,
    countries: &'a [String],
    incoming: Option<&'a str>,
    outgoing: Option<&'a str>,
    steps: Vec<StepJson<'a>>,
    changed: Option<PacketJson>,
}

#[derive(Serialize)]
struct StepJson<'a> {
    stage: &'static str,
    text: &'a str,
    place: Option<PlaceJson<'a>>,
    opening: bool,
}

#[derive(Serialize)]
pub(super) struct TracedJson<'a> {
    walks: Vec<WalkJson<'a>>,
    more_walks: bool,
}

#[derive(Serialize)]
struct WalkJson<'a> {
    end: &'a str,
    delivered: bool,
    certain: bool,
    depends: &'a [String],
    #[serde(flatten)]
    leg: LegJson<'a>,
}

pub(super) fn place(span: Span, sources: &SourceMap) -> PlaceJson<'_> {
    let (start, end) = (sources.position(span), sources.end_position(span));
    PlaceJson {
        file: &sources.get(span.source).name,
        line: start.line,
        column: start.column,
        end_line: end.line,
        end_column: end.column,
    }
}

pub(super) fn note<'a>(text: &'a str, span: Option<Span>, sources: &'a SourceMap) -> NoteJson<'a> {
    NoteJson { text, place: span.map(|span| place(span, sources)) }
}

pub(super) fn finding<'a>(finding: &'a Finding, sources: &'a SourceMap) -> FindingJson<'a> {
    FindingJson {
        fingerprint: &finding.fingerprint,
        cause: finding.cause.as_ref().map(|n| note(&n.text, n.span, sources)),
        legs: finding.legs.iter().map(|l| leg(l, sources)).collect(),
        looked_closed: finding.looked_closed.as_ref().map(|n| note(&n.text, n.span, sources)),
        remedies: finding.remedies.iter().map(|r| remedy(r, sources)).collect(),
        choices: &finding.choices,
    }
}

fn remedy<'a>(remedy: &'a Remedy, sources: &'a SourceMap) -> RemedyJson<'a> {
    RemedyJson {
        text: &remedy.text,
        place: remedy.span.map(|span| place(span, sources)),
        breaks: &remedy.breaks,
        checked: remedy.checked,
    }
}

fn leg<'a>(leg: &'a Leg, sources: &'a SourceMap) -> LegJson<'a> {
    LegJson {
        sender: match leg.sender {
            Sender::Adversary => "adversary",
            Sender::Accomplice => "accomplice",
            Sender::Honest => "honest",
            Sender::Answer => "answer",
            Sender::FarEnd => "far-end",
            Sender::Undescribed => "undescribed",
        },
        channel: leg.channel.as_ref().map(|n| note(&n.text, n.span, sources)),
        origin: &leg.origin,
        spoofed: leg.spoofed,
        purpose: &leg.purpose,
        packet: packet(&leg.packet),
        hops: leg.hops.iter().map(|h| hop(h, sources)).collect(),
    }
}

/// Fields that the protocol does not have are null. Ports are those of the datagram, in later fragments too.
fn packet(packet: &Packet) -> PacketJson {
    let has_ports = proto::has_ports(packet.proto);
    let is_icmp = matches!(packet.proto, proto::ICMP | proto::ICMPV6);
    let flags = tcp_flags::NAMES.iter().filter(|(bit, _)| packet.flags & bit != 0);
    PacketJson {
        source: packet.src.to_string(),
        destination: packet.dst.to_string(),
        protocol: packet.proto,
        service: service_name(packet),
        source_port: has_ports.then_some(packet.sport),
        destination_port: has_ports.then_some(packet.dport),
        icmp_type: is_icmp.then_some(packet.icmp_type),
        icmp_code: is_icmp.then_some(packet.icmp_code),
        tcp_flags: (packet.proto == proto::TCP).then(|| flags.map(|(_, name)| *name).collect()),
        fragment: match packet.fragment {
            Fragment::Whole => "whole",
            Fragment::First => "first",
            Fragment::Later => "later",
        },
    }
}

fn hop<'a>(hop: &'a Hop, sources: &'a SourceMap) -> HopJson<'a> {
    HopJson {
        place: &hop.place,
        kind: if hop.is_segment { "segment" } else { "node" },
        countries: &hop.countries,
        incoming: hop.incoming.as_deref(),
        outgoing: hop.outgoing.as_deref(),
        steps: hop.steps.iter().map(|s| step(s, sources)).collect(),
        changed: hop.changed.as_ref().map(packet),
    }
}

fn step<'a>(step: &'a Step, sources: &'a SourceMap) -> StepJson<'a> {
    StepJson {
        stage: step.stage,
        text: &step.text,
        place: step.span.map(|span| place(span, sources)),
        opening: step.opening,
    }
}

pub(super) fn traced<'a>(traced: &'a Traced, sources: &'a SourceMap) -> TracedJson<'a> {
    TracedJson {
        walks: traced.walks.iter().map(|w| walk(w, sources)).collect(),
        more_walks: traced.more_walks,
    }
}

fn walk<'a>(walk: &'a Walk, sources: &'a SourceMap) -> WalkJson<'a> {
    WalkJson {
        end: &walk.end,
        delivered: walk.delivered,
        certain: walk.certain,
        depends: &walk.depends,
        leg: leg(&walk.leg, sources),
    }
}
