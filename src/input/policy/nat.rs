//! From the translations of a policy to the filter that a node translates with.
//!
//! The filter has two chains: the `dnat` rules, which are asked of packets that come in, before they are routed; and the
//! `snat` rules, which are asked of packets that leave, the node's own among them (SEMANTICS.md section 3.1). Only the
//! first packet of a connection is asked; all that follow it become what it has become.

use super::ast::{ClauseKind, File, Nat, Side, Target, Translation as Written};
use super::lower::Lowerer;
use super::meaning::{Direction, Meaning};
use super::names::Names;
use super::resolve::{Resolver, Topic, resolver, says_self};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::header::proto;
use crate::model::translation::End;
use crate::model::{Action, Chain, Filter, Match, NewAddress, Rule, Service, Test, Translation};
use crate::source::Span;

/// The position of the chain of destinations in the filter of translations.
pub const DESTINATIONS: usize = 0;
/// The position of the chain of sources.
pub const SOURCES: usize = 1;

/// What the clauses of a translation ask.
struct Clauses {
    from: Meaning,
    to: Meaning,
    from_span: Span,
    to_span: Span,
    says_self: [bool; 2],
    /// Conditions on everything but the two ends.
    others: Vec<Match>,
    service: Option<Meaning>,
    /// Where it asks for the way out.
    outgoing: Option<Span>,
}

impl<N: Names> Lowerer<'_, '_, N> {
    /// The filter that nodes of this policy translate with; `None` if there are no translations in the file, or it has
    /// none of this name.
    pub fn translations(&mut self, name: &str, diagnostics: &mut Diagnostics) -> Option<Filter> {
        let nat = self.file.nat(name)?;
        let resolver = resolver(self.names, &self.definitions, diagnostics, nat.name.value);
        let chain = |name: &str| Chain {
            name: name.to_owned(),
            span: nat.header,
            rules: Vec::new(),
            policy: Some(Action::Accept),
        };
        let chains = vec![chain("dnat"), chain("snat")];
        let mut work = Work { resolver, chains, translations: Vec::new() };
        for (number, written) in nat.translations.iter().enumerate() {
            work.translation(number + 1, written);
        }
        let Work { chains, translations, .. } = work;
        if translations.is_empty() {
            return None;
        }
        let name = format!("nat {}", nat.name.value);
        Some(Filter { name, span: nat.header, chains, translations, tracks: true, relates_own_errors: false })
    }
}

struct Work<'r, 'a, N> {
    resolver: Resolver<'r, 'a, N>,
    chains: Vec<Chain>,
    translations: Vec<Translation>,
}

impl<N: Names> Work<'_, '_, N> {
    fn error(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.resolver.diagnostics.push(Diagnostic::error(Code::Policy, span, message).help(help));
    }

    fn translation(&mut self, number: usize, written: &Written<'_>) {
        let Some(clauses) = self.clauses(written) else { return };
        self.check_target(written, clauses.service.as_ref());
        let (end, chain) = match written.side {
            Side::Source => (End::Source, SOURCES),
            Side::Destination => (End::Destination, DESTINATIONS),
        };
        if let (End::Destination, Some(span)) = (end, clauses.outgoing) {
            let message = "a `dnat` is made before the packet is routed, and cannot know where it goes out";
            return self.error(span, message, "write the addresses that the packet is sent to");
        }
        let to = match written.target.value {
            Target::Range(range) => NewAddress::Range(range),
            Target::Pool(net) => NewAddress::Range(crate::header::AddressRange::prefix(net)),
            Target::Prefix(net) => NewAddress::Prefix(net),
            Target::Interface => NewAddress::Interface,
            Target::Bad => return,
        };
        let ports = written.port.map(|port| port.value);
        let span = written.span;
        self.translations.push(Translation { end, to, ports, random: false, span });
        let action = Action::Translate(self.translations.len() - 1);
        for matches in places(end, &clauses, span) {
            let mut matches = matches;
            matches.extend(clauses.others.iter().cloned());
            let family = match to {
                NewAddress::Range(range) => Some(range.family()),
                NewAddress::Prefix(net) => Some(crate::header::Family::of(net.addr())),
                NewAddress::Kept | NewAddress::Interface => None,
            };
            let of_family = |family| Match { test: Test::Family(family), negated: false, span };
            matches.extend(family.map(of_family));
            let name = number.to_string();
            self.chains[chain].rules.push(Rule { name, span, matches, action, opens: true });
        }
    }

    /// Looks up the clauses; `None` if one of them cannot be used, which was reported.
    fn clauses(&mut self, written: &Written<'_>) -> Option<Clauses> {
        let mut found = Clauses {
            from: Meaning::All,
            to: Meaning::All,
            from_span: written.span,
            to_span: written.span,
            says_self: [false; 2],
            others: Vec::new(),
            service: None,
            outgoing: None,
        };
        let mut complete = true;
        for clause in &written.clauses {
            complete &= self.clause(clause, &mut found).is_some();
        }
        complete.then_some(found)
    }

    fn clause(&mut self, clause: &super::ast::Clause<'_>, found: &mut Clauses) -> Option<()> {
        let span = clause.span;
        match &clause.kind {
            ClauseKind::From(term) => {
                (found.from, found.from_span) = (self.resolver.term(term, Topic::Places)?, term.span);
                found.says_self[0] = says_self(term, self.resolver.definitions);
            }
            ClauseKind::To(term) => {
                (found.to, found.to_span) = (self.resolver.term(term, Topic::Places)?, term.span);
                found.says_self[1] = says_self(term, self.resolver.definitions);
                found.outgoing = found.outgoing.or(found.to.asks_for_interfaces().then_some(term.span));
            }
            ClauseKind::In(term) => {
                let meaning = self.resolver.term(term, Topic::Interfaces)?;
                self.always(meaning, Direction::From, term.span, &mut found.others)?;
            }
            ClauseKind::Out(term) => {
                let meaning = self.resolver.term(term, Topic::Interfaces)?;
                found.outgoing = Some(term.span);
                self.always(meaning, Direction::To, term.span, &mut found.others)?;
            }
            ClauseKind::Service(term) => {
                let meaning = self.resolver.term(term, Topic::Services)?;
                found.service = Some(meaning.clone());
                self.always(meaning, Direction::To, term.span, &mut found.others)?;
            }
            ClauseKind::State(set) => {
                let test = Test::State(set.states.clone());
                found.others.push(Match { test, negated: set.negated, span: set.span });
            }
            ClauseKind::Flags(flags) => {
                let test = Test::TcpFlags { mask: flags.mask, value: flags.value };
                found.others.push(Match { test, negated: false, span: flags.span });
            }
            ClauseKind::Vrf(name) => {
                let vrf = self.resolver.vrf(*name)?;
                found.others.push(Match { test: Test::InVrf(vrf), negated: false, span });
            }
            ClauseKind::Stateless => {
                self.error(span, "a translation is never stateless", "leave `stateless` out");
                return None;
            }
            ClauseKind::Until(_) | ClauseKind::Log | ClauseKind::Comment(_) => {}
        }
        Some(())
    }

    fn always(
        &mut self,
        meaning: Meaning,
        direction: Direction,
        span: Span,
        into: &mut Vec<Match>,
    ) -> Option<()> {
        if meaning == Meaning::Nothing {
            self.error(span, "this translation can never match", "`not any` is nothing");
            return None;
        }
        meaning.matches(direction, span, into);
        Some(())
    }

    /// Ports and targets of a translation that mean nothing are reported here.
    fn check_target(&mut self, written: &Written<'_>, service: Option<&Meaning>) {
        if written.side == Side::Destination && written.target.value == Target::Interface {
            let message = "only `snat` takes the address of the out-interface";
            self.error(written.target.span, message, "write the address that receives the packet");
        }
        let has_ports = |service: &Service| service.protocol.is_some_and(proto::has_ports);
        let all_have_ports = match service {
            Some(Meaning::Services(services)) => services.iter().all(has_ports),
            Some(_) | None => false,
        };
        if let (Some(port), false) = (written.port, all_have_ports) {
            let message = "a port of no protocol: the service of this translation is not one with ports";
            self.error(port.span, message, "name the service, such as `service tcp/8443`");
        }
    }
}

/// The conditions on both ends, once for the device itself where it is named and once for all others.
fn places(end: End, clauses: &Clauses, span: Span) -> Vec<Vec<Match>> {
    let Clauses { from, to, from_span, to_span, says_self, .. } = clauses;
    // What the device sends itself came in nowhere; what comes in is for it if it has the address.
    let (speaks_of_self, for_self) = match end {
        End::Source => (says_self[0], Match { test: Test::InName("+".to_owned()), negated: true, span }),
        End::Destination => (says_self[1], Match { test: Test::DestinationIsOwn, negated: false, span }),
    };
    let of = |is_self: bool| -> Option<Vec<Match>> {
        let from = from.settled(end == End::Source && is_self);
        let to = to.settled(end == End::Destination && is_self);
        if from == Meaning::Nothing || to == Meaning::Nothing {
            return None;
        }
        let mut matches = Vec::new();
        if speaks_of_self {
            matches.push(Match { negated: for_self.negated == is_self, ..for_self.clone() });
        }
        from.matches(Direction::From, *from_span, &mut matches);
        to.matches(Direction::To, *to_span, &mut matches);
        Some(matches)
    };
    if speaks_of_self {
        [true, false].into_iter().filter_map(of).collect()
    } else {
        of(false).into_iter().collect()
    }
}

/// The translations of a file that belong to no policy of it.
pub fn nats_without_policy<'f, 'a>(file: &'f File<'a>) -> impl Iterator<Item = &'f Nat<'a>> {
    file.nats().filter(|nat| file.policy(nat.name.value).is_none())
}
