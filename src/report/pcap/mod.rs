//! Captures for Wireshark and tcpdump (pcapng): each packet of a counterexample on each segment that it crosses.
//!
//! Every segment is an interface of the capture. A comment on each packet says to which claim and finding it belongs, who
//! sent it, and what the device before decided, with the lines.

mod block;
#[cfg(test)]
mod tests;

use super::Report;
use super::safe::safe;
use super::trace::Trace;
use crate::diag::Diagnostic;
use crate::source::SourceMap;
use crate::verdict::{Hop, Leg};
use crate::wire;
use block::Capture;

/// The packets of every finding.
pub fn report(reports: &[Report], sources: &SourceMap) -> Vec<u8> {
    let names: Vec<_> = reports.iter().map(|report| safe(&report.topology)).collect();
    let mut capture = Capture::new(&format!("counterexamples of {}", names.join(", ")));
    for judgement in reports.iter().flat_map(|report| &report.judgements) {
        for finding in &judgement.findings {
            let claim = safe(&judgement.claim.id.value);
            let verdict = judgement.verdict.word();
            for (number, leg) in finding.legs.iter().enumerate() {
                let (number, count) = (number + 1, finding.legs.len());
                let title = format!(
                    "claim {claim} ({verdict}), finding {}, packet {number} of {count}",
                    finding.fingerprint
                );
                crossings(&mut capture, &title, leg, sources);
            }
        }
    }
    capture.finish()
}

/// The packets of every walk.
pub fn trace(trace: &Trace, sources: &SourceMap) -> Vec<u8> {
    let mut capture = Capture::new(&format!("a trace through {}", safe(&trace.topology)));
    for (number, packet) in trace.packets.iter().enumerate() {
        for walk in &packet.walks {
            let certain = if walk.certain { "certainly" } else { "possibly" };
            let title = format!("packet {}, {certain} {}", number + 1, safe(&walk.end));
            crossings(&mut capture, &title, &walk.leg, sources);
        }
    }
    capture.finish()
}

/// A capture without packets that says why nothing was decided.
pub fn errors(diagnostics: &[Diagnostic]) -> Vec<u8> {
    let messages: Vec<_> = diagnostics.iter().map(|diagnostic| safe(&diagnostic.message)).collect();
    Capture::new(&format!("nothing was decided: {}", messages.join("; "))).finish()
}

/// A packet on each segment of its way, as it is there.
fn crossings(capture: &mut Capture, title: &str, leg: &Leg, sources: &SourceMap) {
    let mut packet = leg.packet;
    let mut before = format!("sent by {}", safe(&leg.origin));
    for hop in &leg.hops {
        packet = hop.changed.unwrap_or(packet);
        if !hop.is_segment {
            before = decided(hop, sources);
            continue;
        }
        if let Some(bytes) = wire::bytes(&packet) {
            let comment = format!("{title}: {packet}\n{before}");
            capture.packet(&safe(&hop.place), &bytes, &comment);
        }
    }
}

/// What a device decided about a packet, a line for each stage.
fn decided(hop: &Hop, sources: &SourceMap) -> String {
    let mut lines = vec![format!("behind {}:", safe(&hop.place))];
    for step in &hop.steps {
        let place = step.span.map_or_else(String::new, |span| format!(" ({})", safe(&sources.place(span))));
        lines.push(format!("{}: {}{place}", step.stage, safe(&step.text)));
    }
    lines.join("\n")
}
