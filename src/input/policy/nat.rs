//! Translations: read and checked, and not decided yet. A node that translates is one whose behaviour is not known.

use super::ast::{ClauseKind, File, Nat, Side, Target, Translation};
use super::lower::Lowerer;
use super::meaning::Meaning;
use super::names::Names;
use super::resolve::{Resolver, Topic, resolver};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::header::proto;
use crate::model::{Service, Unknown};

impl<N: Names> Lowerer<'_, '_, N> {
    /// What is not known of a node with these translations; `None` if there is none in the file, or it is
    /// empty. Translations are read and checked, and not decided yet.
    pub fn translations(&mut self, name: &str, diagnostics: &mut Diagnostics) -> Option<Unknown> {
        let nat = self.file.nat(name)?;
        let mut resolver = resolver(self.names, &self.definitions, diagnostics, nat.name.value);
        for translation in &nat.translations {
            let mut service = None;
            for clause in &translation.clauses {
                if let ClauseKind::Vrf(name) = &clause.kind {
                    resolver.vrf(*name);
                }
                let (Some(term), Some(topic)) = (clause.kind.term(), topic_of(&clause.kind)) else {
                    continue;
                };
                let meaning = resolver.term(term, topic);
                if topic == Topic::Services {
                    service = meaning;
                }
            }
            check_target(translation, service.as_ref(), &mut resolver);
        }
        let first = nat.translations.first()?;
        Some(Unknown {
            what: "translation at this node is not understood".to_owned(),
            span: Some(first.span),
            settle: format!("leave `nat {}` out if the device does not translate", nat.name.value),
        })
    }
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
    let has_ports = |service: &Service| service.protocol.is_some_and(proto::has_ports);
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

/// What the term of a clause is about.
fn topic_of(kind: &ClauseKind<'_>) -> Option<Topic> {
    match kind {
        ClauseKind::From(_) | ClauseKind::To(_) => Some(Topic::Places),
        ClauseKind::In(_) | ClauseKind::Out(_) => Some(Topic::Interfaces),
        ClauseKind::Service(_) => Some(Topic::Services),
        ClauseKind::State(_)
        | ClauseKind::Flags(_)
        | ClauseKind::Vrf(_)
        | ClauseKind::Stateless
        | ClauseKind::Until(_)
        | ClauseKind::Log
        | ClauseKind::Comment(_) => None,
    }
}

/// The translations of a file that belong to no policy of it.
pub fn nats_without_policy<'f, 'a>(file: &'f File<'a>) -> impl Iterator<Item = &'f Nat<'a>> {
    file.nats().filter(|nat| file.policy(nat.name.value).is_none())
}
