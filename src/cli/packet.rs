//! Packets as the command line names them, and what they are in a network.

use super::args::TraceArgs;
use isoaudit::diag::{Code, Diagnostic, Diagnostics, suggest};
use isoaudit::header::{Family, Fragment, Packet, proto, tcp_flags};
use isoaudit::input::service;
use isoaudit::model::{InterfaceId, Network, NodeId, SegmentId, Service};
use isoaudit::replay::{Origin, Place};
use isoaudit::source::{SourceMap, Span};
use std::net::IpAddr;

/// The source port of a packet whose port nobody names.
pub(super) const SOURCE_PORT: u16 = 40_000;

/// A packet in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) from: String,
    pub(super) interface: Option<String>,
    pub(super) source: Option<String>,
    pub(super) to: String,
    pub(super) service: String,
    pub(super) sport: u16,
    pub(super) flags: String,
    pub(super) fragment: String,
    pub(super) stance: Option<String>,
}

/// A packet in a network, and where it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) origin: Origin,
    pub(super) packet: Packet,
    /// The interface that receives it first, if that was said.
    pub(super) receiver: Option<InterfaceId>,
}

impl Words {
    /// The packet that the options of `trace` describe.
    pub(super) fn of(arguments: &TraceArgs) -> Words {
        Words {
            from: arguments.from.clone(),
            interface: arguments.interface.clone(),
            source: arguments.source.clone(),
            to: arguments.to.clone(),
            service: arguments.service.clone(),
            sport: arguments.sport,
            flags: arguments.flags.clone(),
            fragment: arguments.fragment.clone(),
            stance: arguments.stance.clone(),
        }
    }

    /// Reads the text of `--after`: `PLACE SOURCE>DESTINATION SERVICE`, then `key=value` words. The place may
    /// hold blanks: it is all that stands before the word with `>`.
    pub(super) fn read(text: &str) -> Result<Words, String> {
        const SHAPE: &str =
            "write 'PLACE SOURCE>DESTINATION SERVICE', as in 'db1 10.1.0.20>192.0.2.9 tcp/443'";
        let words: Vec<&str> = text.split_whitespace().collect();
        let Some(at) = words.iter().position(|word| word.contains('>')) else { return Err(SHAPE.to_owned()) };
        let ends = words.get(at).and_then(|word| word.split_once('>'));
        let (Some((source, to)), Some(service)) = (ends, words.get(at + 1)) else {
            return Err(SHAPE.to_owned());
        };
        let from = words[..at].join(" ");
        if from.is_empty() || source.is_empty() || to.is_empty() {
            return Err(SHAPE.to_owned());
        }
        let mut packet = Words {
            from,
            interface: None,
            source: Some(source.to_owned()),
            to: to.to_owned(),
            service: (*service).to_owned(),
            sport: SOURCE_PORT,
            flags: "syn".to_owned(),
            fragment: "whole".to_owned(),
            stance: None,
        };
        words[at + 2..].iter().try_for_each(|word| packet.set(word))?;
        Ok(packet)
    }

    /// Takes one `key=value`.
    fn set(&mut self, word: &str) -> Result<(), String> {
        const KEYS: [&str; 5] = ["in", "as", "sport", "flags", "fragment"];
        let (key, value) = word.split_once('=').unwrap_or((word, ""));
        let one_of = |known: &[&str]| match known.contains(&value) {
            true => Ok(value.to_owned()),
            false => Err(format!("`{word}`: {key} is one of {}", known.join(", "))),
        };
        match key {
            "in" if !value.is_empty() => self.interface = Some(value.to_owned()),
            "as" => self.stance = Some(one_of(&["honest", "adversary", "answer"])?),
            "sport" => self.sport = value.parse().map_err(|_| format!("`{word}`: a port is 0 to 65535"))?,
            "flags" if !value.is_empty() => value.clone_into(&mut self.flags),
            "fragment" => self.fragment = one_of(&["whole", "first", "later"])?,
            _ => {
                let hint = suggest(key, KEYS).unwrap_or_else(|| format!("the keys are {}", KEYS.join(", ")));
                return Err(format!("`{word}` is no part of a packet; {hint}"));
            }
        }
        Ok(())
    }

    /// The packet in a network; what is wrong goes to `out`.
    pub(super) fn resolve(
        &self,
        network: &Network,
        sources: &mut SourceMap,
        out: &mut Diagnostics,
    ) -> Option<Start> {
        let names = Names { network };
        let from = names.place(&self.from, out)?;
        let receiver = match &self.interface {
            Some(interface) => Some(names.interface(from, interface, out)?),
            None => None,
        };
        let (src, dst) = self.addresses(&names, from, receiver, out)?;
        let service = read_service(&self.service, sources, out)?;
        let packet = self.packet(src, dst, &service, out)?;
        let origin = self.origin(&names, from, receiver, src, out)?;
        Some(Start { origin, packet, receiver })
    }

    /// Source and destination, of one family.
    fn addresses(
        &self,
        names: &Names<'_>,
        from: Place,
        receiver: Option<InterfaceId>,
        out: &mut Diagnostics,
    ) -> Option<(IpAddr, IpAddr)> {
        let to = names.end(&self.to, out)?;
        let source = match (&self.source, from) {
            (Some(source), _) => names.end(source, out)?,
            (None, Place::Node(node)) if receiver.is_none() => End::Node(node),
            (None, Place::Node(_) | Place::Segment(_)) => {
                wrong(
                    out,
                    Code::MissingKey,
                    "whoever sends this has no address of its own",
                    "name one: --source ADDRESS",
                );
                return None;
            }
        };
        let (sources, destinations) = (names.addresses(source), names.addresses(to));
        let pairs = sources.iter().flat_map(|src| destinations.iter().map(move |dst| (*src, *dst)));
        let pair = pairs.clone().find(|(src, dst)| Family::of(*src) == Family::of(*dst));
        if pair.is_none() {
            let message = match (sources.is_empty(), destinations.is_empty()) {
                (true, _) => {
                    format!("`{}` has no address to send from", self.source.as_ref().unwrap_or(&self.from))
                }
                (false, true) => format!("`{}` has no address", self.to),
                (false, false) => "source and destination are not of the same IP version".to_owned(),
            };
            wrong(out, Code::Address, &message, "name the addresses: --source ADDRESS --to ADDRESS");
        }
        pair
    }

    fn packet(&self, src: IpAddr, dst: IpAddr, service: &Service, out: &mut Diagnostics) -> Option<Packet> {
        let Some(protocol) = service.protocol else {
            wrong(
                out,
                Code::BadValue,
                "a packet has one protocol",
                "as in tcp/443, icmp/echo-request, gre, proto/89",
            );
            return None;
        };
        let has_ports = proto::has_ports(protocol);
        let is_icmp = matches!(protocol, proto::ICMP | proto::ICMPV6);
        if (has_ports || is_icmp) && !service.names_ports() {
            let (what, example) = if is_icmp { ("type", "echo-request") } else { ("port", "443") };
            let help = format!("as in {}/{example}", self.service);
            wrong(out, Code::BadValue, &format!("`{}` names no {what}", self.service), &help);
            return None;
        }
        let flags = if protocol == proto::TCP { self.flags(out)? } else { 0 };
        Some(Packet {
            src,
            dst,
            proto: protocol,
            sport: if has_ports { self.sport } else { 0 },
            dport: if has_ports { service.ports.0 } else { 0 },
            icmp_type: if is_icmp { service.icmp_types.0 } else { 0 },
            icmp_code: if is_icmp { service.icmp_codes.0 } else { 0 },
            flags,
            fragment: match self.fragment.as_str() {
                "first" => Fragment::First,
                "later" => Fragment::Later,
                _ => Fragment::Whole,
            },
        })
    }

    fn flags(&self, out: &mut Diagnostics) -> Option<u8> {
        let mut bits = 0;
        for word in self.flags.split(',').filter(|word| *word != "none") {
            let Some((bit, _)) = tcp_flags::NAMES.iter().find(|(_, name)| *name == word) else {
                let names: Vec<&str> = tcp_flags::NAMES.iter().map(|(_, name)| *name).collect();
                let help = format!("the flags are {}, or none", names.join(", "));
                wrong(out, Code::BadValue, &format!("there is no TCP flag `{word}`"), &help);
                return None;
            };
            bits |= bit;
        }
        Some(bits)
    }

    /// Who sends: with `in` somebody on the segment of that interface; a node as itself if it is honest or
    /// uses an address of its own, else past its filters.
    fn origin(
        &self,
        names: &Names<'_>,
        from: Place,
        receiver: Option<InterfaceId>,
        src: IpAddr,
        out: &mut Diagnostics,
    ) -> Option<Origin> {
        if let Some(interface) = receiver {
            let segment = names.network.interface(interface).segment;
            if segment.is_none() {
                let name = names.network.interface_name(interface);
                let help = "name an interface with an address or a VLAN";
                wrong(out, Code::BadValue, &format!("{name} receives no packets: it is a mere port"), help);
            }
            return segment.map(Origin::Segment);
        }
        let node = match from {
            Place::Segment(id) => return Some(Origin::Segment(id)),
            Place::Node(id) => id,
        };
        let own = names.network.own_addresses(node).any(|address| address == src);
        Some(match self.stance.as_deref() {
            Some("honest") => Origin::Honest(node),
            Some("answer") => Origin::Answer(node),
            None if own => Origin::Honest(node),
            Some(_) | None => Origin::Node(node),
        })
    }
}

/// An end of a packet.
#[derive(Debug, Clone, Copy)]
enum End {
    Address(IpAddr),
    Node(NodeId),
}

/// The names of a network.
pub(super) struct Names<'a> {
    pub(super) network: &'a Network,
}

impl Names<'_> {
    /// The node or segment of a name.
    pub(super) fn place(&self, name: &str, out: &mut Diagnostics) -> Option<Place> {
        let nodes = &self.network.nodes;
        let segments = &self.network.segments;
        let found =
            nodes.iter().position(|node| node.name == name).map(|at| Place::Node(NodeId::at(at))).or_else(
                || segments.iter().position(|s| s.name == name).map(|at| Place::Segment(SegmentId::at(at))),
            );
        if found.is_none() {
            let known =
                nodes.iter().map(|node| node.name.as_str()).chain(segments.iter().map(|s| s.name.as_str()));
            let help = suggest(name, known)
                .unwrap_or_else(|| "`isoaudit list INPUT any` shows all places".to_owned());
            wrong(out, Code::UnknownName, &format!("there is no node or segment `{name}`"), &help);
        }
        found
    }

    fn interface(&self, place: Place, name: &str, out: &mut Diagnostics) -> Option<InterfaceId> {
        let Place::Node(node) = place else {
            wrong(
                out,
                Code::BadValue,
                "a segment has no interfaces",
                "leave out `in`, or name the receiving node",
            );
            return None;
        };
        let own = &self.network.node(node).interfaces;
        let found = own.iter().copied().find(|id| self.network.interface(*id).name == name);
        if found.is_none() {
            let known: Vec<&str> = own.iter().map(|id| self.network.interface(*id).name.as_str()).collect();
            let help = suggest(name, known.iter().copied())
                .unwrap_or_else(|| format!("it has {}", known.join(", ")));
            let message = format!("`{}` has no interface `{name}`", self.network.node(node).name);
            wrong(out, Code::UnknownName, &message, &help);
        }
        found
    }

    /// An address, or a node by its name.
    fn end(&self, text: &str, out: &mut Diagnostics) -> Option<End> {
        if let Ok(address) = text.parse() {
            return Some(End::Address(address));
        }
        match self.place(text, out)? {
            Place::Node(id) => Some(End::Node(id)),
            Place::Segment(_) => {
                wrong(
                    out,
                    Code::BadValue,
                    &format!("`{text}` is a segment and has no address"),
                    "name an address",
                );
                None
            }
        }
    }

    fn addresses(&self, end: End) -> Vec<IpAddr> {
        match end {
            End::Address(address) => vec![address],
            End::Node(id) => self.network.own_addresses(id).collect(),
        }
    }
}

/// One service, at a place of its own, so that what is wrong with it can be shown.
fn read_service(text: &str, sources: &mut SourceMap, out: &mut Diagnostics) -> Option<Service> {
    let id = sources.add("command line", text);
    let services = service::read(text, Span::new(id, 0, text.len()), out)?;
    match services.as_slice() {
        [one] => Some(*one),
        _ => {
            wrong(out, Code::BadValue, "a packet has one service", "as in tcp/443");
            None
        }
    }
}

fn wrong(out: &mut Diagnostics, code: Code, message: &str, help: &str) {
    out.push(Diagnostic::homeless(code, message).help(help));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_read_from_one_word() {
        let words =
            Words::read("db 1 10.1.0.20>192.0.2.9 tcp/443 sport=7 flags=syn,ack in=eth0 fragment=first")
                .unwrap();
        assert_eq!(words.from, "db 1");
        assert_eq!((words.source.as_deref(), words.to.as_str()), (Some("10.1.0.20"), "192.0.2.9"));
        assert_eq!((words.service.as_str(), words.sport), ("tcp/443", 7));
        assert_eq!((words.flags.as_str(), words.interface.as_deref()), ("syn,ack", Some("eth0")));
        assert_eq!(Words::read("fw 2001:db8::1>2001:db8::2 gre").unwrap().to, "2001:db8::2");
    }

    #[test]
    fn what_is_no_packet_is_said() {
        for (text, said) in [
            ("db1 tcp/443", "write 'PLACE SOURCE>DESTINATION SERVICE'"),
            ("10.0.0.1>10.0.0.2 tcp/443", "write 'PLACE"),
            ("db1 10.0.0.1>10.0.0.2", "write 'PLACE"),
            ("db1 >10.0.0.2 tcp/1", "write 'PLACE"),
            ("db1 10.0.0.1>10.0.0.2 tcp/1 sport=70000", "0 to 65535"),
            ("db1 10.0.0.1>10.0.0.2 tcp/1 spotr=7", "did you mean `sport`?"),
            ("db1 10.0.0.1>10.0.0.2 tcp/1 as=god", "honest, adversary, answer"),
            ("", "write 'PLACE"),
        ] {
            let error = Words::read(text).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
