//! Commands that walk the packets of a finding again: in the second interpreter, and on a kernel.

use crate::header::{Fragment, Packet, proto, service_name, tcp_flags};
use crate::report::Report;
use crate::verdict::{Finding, Hop, Leg, Sender};

/// The arguments of the command that makes a finding happen on a kernel, as in [`trace`].
pub(super) fn on_a_kernel(finding: &Finding, report: &Report) -> Vec<String> {
    if finding.legs.is_empty() {
        return Vec::new();
    }
    vec![format!("isoaudit reproduce {}", shell(&report.input)), finding.fingerprint.clone()]
}

/// The arguments of the command, each a shell word, those that belong together in one item.
/// Earlier packets, which only open connections, stand under `--after`.
pub(super) fn trace(finding: &Finding, report: &Report) -> Vec<String> {
    let Some((last, before)) = finding.legs.split_last() else { return Vec::new() };
    let mut words = vec![format!("isoaudit trace {}", shell(&report.input))];
    words.extend(report.as_of.iter().map(|day| format!("--as-of {day}")));
    for leg in before {
        words.push(format!("--after {}", shell(&packet_words(leg))));
    }
    let (from, interface) = start(last);
    words.push(format!("--from {}", shell(from)));
    if let Some(interface) = interface {
        words.push(format!("--in {}", shell(interface)));
    }
    words.extend(stance(last).map(|stance| format!("--as {stance}")));
    let packet = &last.packet;
    words.push(format!("--to {}", packet.dst));
    words.push(shell(&service(packet)));
    words.push(format!("--source {}", packet.src));
    if proto::has_ports(packet.proto) {
        words.push(format!("--sport {}", packet.sport));
    }
    if packet.proto == proto::TCP {
        words.push(format!("--flags {}", flags(packet)));
    }
    if let Some(fragment) = fragment(packet) {
        words.push(format!("--fragment {fragment}"));
    }
    if !finding.choices.is_empty() {
        let nodes = last.hops.iter().filter(|hop| !hop.is_segment && hop.place != from);
        words.extend(nodes.map(|hop| format!("--via {}", shell(&hop.place))));
    }
    words
}

/// A packet in the words of `--after`: `db1 10.1.0.20>192.0.2.9 tcp/443 sport=40000 flags=syn`.
fn packet_words(leg: &Leg) -> String {
    let packet = &leg.packet;
    let (from, interface) = start(leg);
    let mut words = vec![from.to_owned(), format!("{}>{}", packet.src, packet.dst), service(packet)];
    words.extend(interface.map(|interface| format!("in={interface}")));
    words.extend(stance(leg).map(|stance| format!("as={stance}")));
    if proto::has_ports(packet.proto) {
        words.push(format!("sport={}", packet.sport));
    }
    if packet.proto == proto::TCP {
        words.push(format!("flags={}", flags(packet)));
    }
    words.extend(fragment(packet).map(|fragment| format!("fragment={fragment}")));
    words.join(" ")
}

/// Where a trace starts. On a segment the adversary sends to a device: the trace starts with its receiving.
fn start(leg: &Leg) -> (&str, Option<&str>) {
    let receiver = leg.hops.iter().find(|hop| !hop.is_segment);
    match receiver {
        Some(Hop { place, incoming: Some(interface), .. }) if on_segment(leg) => (place, Some(interface)),
        Some(_) | None => (&leg.origin, None),
    }
}

fn on_segment(leg: &Leg) -> bool {
    leg.hops.first().is_none_or(|hop| hop.is_segment)
}

/// How the sender behaves, where a trace would not take it for granted. Somebody on a segment can only be an
/// adversary.
fn stance(leg: &Leg) -> Option<&'static str> {
    match leg.sender {
        Sender::Adversary | Sender::Accomplice | Sender::FarEnd | Sender::Undescribed => {
            (!on_segment(leg)).then_some("adversary")
        }
        Sender::Answer => Some("answer"),
        Sender::Honest => None,
    }
}

/// The service with everything that a trace must know: the ICMP code too.
fn service(packet: &Packet) -> String {
    let name = service_name(packet);
    let is_icmp = matches!(packet.proto, proto::ICMP | proto::ICMPV6);
    if is_icmp && packet.icmp_code != 0 { format!("{name}/{}", packet.icmp_code) } else { name }
}

fn flags(packet: &Packet) -> String {
    let set: Vec<&str> =
        tcp_flags::NAMES.iter().filter(|(bit, _)| packet.flags & bit != 0).map(|(_, name)| *name).collect();
    if set.is_empty() { "none".to_owned() } else { set.join(",") }
}

fn fragment(packet: &Packet) -> Option<&'static str> {
    match packet.fragment {
        Fragment::Whole => None,
        Fragment::First => Some("first"),
        Fragment::Later => Some("later"),
    }
}

/// The text as one word of a POSIX shell.
fn shell(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./:@%+,=-".contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_the_shell() {
        for (text, expected) in [
            ("net/topology.yaml", "net/topology.yaml"),
            ("my net", "'my net'"),
            ("it's", r"'it'\''s'"),
            ("$(reboot)", "'$(reboot)'"),
            ("", "''"),
            ("-x", "'-x'"),
        ] {
            assert_eq!(shell(text), expected);
        }
    }
}
