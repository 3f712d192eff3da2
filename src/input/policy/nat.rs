//! Translations: which packets they may touch. What they make of those is not decided, and of all others it is certain
//! that they pass unchanged.
//!
//! A translation touches three kinds of packets: those that fit its rule; those that may belong to a binding which such
//! a packet has made, so that they are translated back (to the address of an `snat`, from that of a `dnat`); and
//! ICMP errors, since each may quote a packet of a binding. Bindings follow connections, so what of a rule asks for flags
//! or states says nothing about later packets and is left out. Where it cannot be said of a packet, the packet is
//! touched: the conditions here are m⁺ of SEMANTICS.md section 4.2.
//!
//! A packet that fits no rule may still be hindered by the binding of another one with the very same ends and ports.
//! Nobody but its sender makes such a binding, so that the time is the sender's choice.

use super::ast::{ClauseKind, File, Nat, Side, Target, Translation};
use super::lower::{Lowerer, Part};
use super::meaning::{Direction, Meaning};
use super::names::Names;
use super::resolve::{Resolver, Topic, resolver};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::header::{AddressRange, proto};
use crate::model::{Match, Service, Test, Unknown};
use crate::source::Span;

/// What is known of a node with translations.
#[derive(Debug, Clone)]
pub struct Translations {
    /// What reports call them: `nat NAME`.
    pub name: String,
    /// That it is not known what they do.
    pub unknown: Unknown,
    /// What they may touch, by the position of [`Part`]: packets that fulfil all conditions of one entry.
    pub touched: [Vec<Touched>; 3],
}

/// Packets that one translation may touch.
#[derive(Debug, Clone)]
pub struct Touched {
    /// All of these hold for them.
    pub matches: Vec<Match>,
    /// The translation.
    pub span: Span,
}

/// The clauses of a translation, looked up.
struct Clauses {
    from: Meaning,
    to: Meaning,
    incoming: Meaning,
    outgoing: Meaning,
    service: Option<Meaning>,
}

impl<N: Names> Lowerer<'_, '_, N> {
    /// What is known of a node with these translations; `None` if there are none in the file, or they are empty.
    pub fn translations(&mut self, name: &str, diagnostics: &mut Diagnostics) -> Option<Translations> {
        let nat = self.file.nat(name)?;
        let mut resolver = resolver(self.names, &self.definitions, diagnostics, nat.name.value);
        let mut touched = Part::ALL.map(|_| Vec::new());
        for translation in &nat.translations {
            let clauses = look_up(translation, &mut resolver);
            check_target(translation, clauses.service.as_ref(), &mut resolver);
            for part in Part::ALL {
                let here: &mut Vec<Touched> = &mut touched[part.position()];
                let all = [fitting(translation, &clauses, part), Some(returning(translation, &clauses))];
                let touches = |matches| Touched { matches, span: translation.span };
                here.extend(all.into_iter().flatten().map(touches));
            }
        }
        let first = nat.translations.first()?;
        for here in &mut touched {
            let errors = Match { test: Test::Service(icmp_errors()), negated: false, span: first.span };
            here.push(Touched { matches: vec![errors], span: first.span });
        }
        let unknown = Unknown {
            what: "translation at this node is not understood".to_owned(),
            span: Some(first.span),
            settle: format!("leave `nat {}` out if the device does not translate", nat.name.value),
        };
        Some(Translations { name: format!("nat {}", nat.name.value), unknown, touched })
    }
}

/// What the clauses mean. One that was reported counts as one that everything fits.
fn look_up<N: Names>(translation: &Translation<'_>, resolver: &mut Resolver<'_, '_, N>) -> Clauses {
    let all = || Meaning::All;
    let mut found = Clauses { from: all(), to: all(), incoming: all(), outgoing: all(), service: None };
    for clause in &translation.clauses {
        let mut term = |term, topic| resolver.term(term, topic);
        match &clause.kind {
            ClauseKind::From(places) => found.from = term(places, Topic::Places).unwrap_or(Meaning::All),
            ClauseKind::To(places) => found.to = term(places, Topic::Places).unwrap_or(Meaning::All),
            ClauseKind::In(names) => {
                found.incoming = term(names, Topic::Interfaces).unwrap_or(Meaning::All);
            }
            ClauseKind::Out(names) => {
                found.outgoing = term(names, Topic::Interfaces).unwrap_or(Meaning::All);
            }
            ClauseKind::Service(services) => found.service = term(services, Topic::Services),
            ClauseKind::Vrf(name) => {
                // Whether it came in by the VRF makes fewer packets fit; that is not used.
                resolver.vrf(*name);
            }
            ClauseKind::State(_)
            | ClauseKind::Flags(_)
            | ClauseKind::Stateless
            | ClauseKind::Until(_)
            | ClauseKind::Log
            | ClauseKind::Comment(_) => {}
        }
    }
    found
}

/// The conditions of packets that may fit the rule itself in a part of the walk; `None` if none does there.
///
/// A destination is translated before the packet is routed, so that where it goes out says nothing; a source when it
/// goes out (SEMANTICS.md section 3.1). The device's own packets came in nowhere, and whether that keeps them from fitting
/// is not relied on.
fn fitting(translation: &Translation<'_>, clauses: &Clauses, part: Part) -> Option<Vec<Match>> {
    let source = translation.side == Side::Source;
    if source && part == Part::Input {
        return None;
    }
    let span = translation.span;
    let mut matches = Vec::new();
    let mut ask = |meaning: Meaning, direction: Direction| {
        let sees_interface = match direction {
            Direction::From => part != Part::Output,
            Direction::To => source,
        };
        if meaning.asks_for_interfaces() && !sees_interface {
            return Some(());
        }
        if meaning == Meaning::Nothing {
            return None;
        }
        meaning.matches(direction, span, &mut matches);
        Some(())
    };
    ask(clauses.from.settled(part == Part::Output), Direction::From)?;
    ask(clauses.to.settled(part == Part::Input), Direction::To)?;
    ask(clauses.incoming.clone(), Direction::From)?;
    ask(clauses.outgoing.clone(), Direction::To)?;
    ask(clauses.service.clone().unwrap_or(Meaning::All), Direction::To)?;
    if let Some(range) = target(translation).first() {
        matches.push(Match { test: Test::Family(range.family()), negated: false, span });
    }
    Some(matches)
}

/// The conditions of packets that may be translated back: whatever comes to the address of an `snat`, from anybody; and
/// what comes from that of a `dnat`, where the rule tells protocols and ports from those.
fn returning(translation: &Translation<'_>, clauses: &Clauses) -> Vec<Match> {
    let one = |test| Match { test, negated: false, span: translation.span };
    match (translation.side, translation.target.value) {
        (_, Target::Bad) => Vec::new(),
        (_, Target::Interface) => vec![one(Test::DestinationIsOwn)],
        (Side::Source, Target::Range(_) | Target::Prefix(_)) => {
            vec![one(Test::Destination(target(translation)))]
        }
        (Side::Destination, Target::Range(_) | Target::Prefix(_)) => {
            let mut matches = vec![one(Test::Source(target(translation)))];
            let Some(Meaning::Services(services)) = &clauses.service else { return matches };
            let protocols: Option<Vec<(u8, u8)>> =
                services.iter().map(|service| service.protocol.map(|number| (number, number))).collect();
            matches.extend(protocols.map(|protocols| one(Test::Protocol(protocols))));
            if services.iter().all(has_ports) {
                let ports = match translation.port {
                    Some(port) => vec![port.value],
                    None => services.iter().map(|service| service.ports).collect(),
                };
                matches.push(one(Test::SourcePort(ports)));
            }
            matches
        }
    }
}

/// The addresses that a translation puts in; none if that is up to the out-interface.
fn target(translation: &Translation<'_>) -> Vec<AddressRange> {
    match translation.target.value {
        Target::Range(range) => vec![range],
        Target::Prefix(net) => vec![AddressRange::prefix(net)],
        Target::Interface | Target::Bad => Vec::new(),
    }
}

/// Types that quote the packet that they are about (RFC 792, RFC 4443, RFC 4861).
fn icmp_errors() -> Vec<Service> {
    let v4 = [3, 4, 5, 11, 12].map(|kind| Service::icmp(proto::ICMP, kind));
    let v6 = [1, 2, 3, 4, 137].map(|kind| Service::icmp(proto::ICMPV6, kind));
    v4.into_iter().chain(v6).collect()
}

fn has_ports(service: &Service) -> bool {
    service.protocol.is_some_and(proto::has_ports)
}

/// Ports and targets of a translation that mean nothing are reported here.
fn check_target<N: Names>(
    translation: &Translation<'_>,
    service: Option<&Meaning>,
    resolver: &mut Resolver<'_, '_, N>,
) {
    if translation.side == Side::Destination && translation.target.value == Target::Interface {
        let message = "only `snat` takes the address of the out-interface";
        let diagnostic = Diagnostic::error(Code::Policy, translation.target.span, message);
        resolver.diagnostics.push(diagnostic.help("write the address that receives the packet"));
    }
    let all_have_ports = match service {
        Some(Meaning::Services(services)) => services.iter().all(has_ports),
        Some(_) | None => false,
    };
    if let (Some(port), false) = (translation.port, all_have_ports) {
        let message = "a port of no protocol: the service of this translation is not one with ports";
        let diagnostic = Diagnostic::error(Code::Policy, port.span, message);
        resolver.diagnostics.push(diagnostic.help("name the service, such as `service tcp/8443`"));
    }
}

/// The translations of a file that belong to no policy of it.
pub fn nats_without_policy<'f, 'a>(file: &'f File<'a>) -> impl Iterator<Item = &'f Nat<'a>> {
    file.nats().filter(|nat| file.policy(nat.name.value).is_none())
}
