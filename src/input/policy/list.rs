//! Policies as lists of one interface (`policy-in`, `policy-out`).

use super::lower::Part;
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::model::{Filter, Stage, Test};
use crate::source::Span;

/// Reports what a list of one interface cannot do. `at` is where the list is named, `stage` which list it is.
///
/// Such a list runs the forward chain of the policy's filter for every packet that its interface receives
/// ([`Stage::Ingress`]) or sends ([`Stage::Egress`]), whoever it is for; so `self` says nothing there, and on
/// receive nobody knows the out-interface yet.
pub fn check_list(filter: &Filter, stage: Stage, at: Span, diagnostics: &mut Diagnostics) {
    for part in [Part::Input, Part::Output] {
        let rules = filter.chains.get(part.position()).into_iter().flat_map(|chain| chain.rules.iter());
        for rule in rules.filter(|rule| rule.span != filter.span) {
            let message = format!("rule `{}` speaks of `self` in a list of an interface", rule.name);
            let diagnostic =
                Diagnostic::error(Code::Policy, rule.span, message).also(at, "the list is named here");
            diagnostics.push(diagnostic.help("write the addresses of the device"));
        }
    }
    if stage != Stage::Ingress {
        return;
    }
    let forward = filter.chains.get(Part::Forward.position());
    let rules = forward.into_iter().flat_map(|chain| chain.rules.iter());
    for one in rules.flat_map(|rule| rule.matches.iter()).filter(|one| asks_for_way_out(&one.test)) {
        let message =
            format!("`policy {}` filters what comes in, and cannot know where it goes out", filter.name);
        let diagnostic =
            Diagnostic::error(Code::Policy, one.span, message).also(at, "the list is named here");
        diagnostics.push(diagnostic.help("write addresses, or move the rule to the policy of the node"));
    }
}

fn asks_for_way_out(test: &Test) -> bool {
    match test {
        Test::OutZone(_) | Test::OutName(_) => true,
        Test::Any(matches) => matches.iter().any(|one| asks_for_way_out(&one.test)),
        Test::Source(_)
        | Test::Destination(_)
        | Test::Family(_)
        | Test::Protocol(_)
        | Test::Service(_)
        | Test::SourcePort(_)
        | Test::DestinationPort(_)
        | Test::EitherPort(_)
        | Test::TcpFlags { .. }
        | Test::Fragment(_)
        | Test::State(_)
        | Test::InZone(_)
        | Test::InVrf(_)
        | Test::InName(_)
        | Test::SourceIsOwn
        | Test::DestinationIsOwn
        | Test::Mark { .. }
        | Test::Translated(_)
        | Test::Unknown(_) => false,
    }
}
