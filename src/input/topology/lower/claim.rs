//! Claims: their selectors, services and doors looked up in the network.

use super::owned;
use crate::claim::selector::{self, Selector};
use crate::claim::{Claim, Confined, Door, Except, Isolated, OnlyVia, Reachable, Severity, Statement};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::input::decode::{List, Many, Text, shorten};
use crate::input::service;
use crate::input::topology::syntax;
use crate::model::{FilterId, Network, Service};
use crate::source::{Span, Spanned};
use std::collections::HashSet;

/// The claims of a description. What is wrong with them is reported, and such claims are missing. If
/// `rules_lost`, rules that could not be read are missing from the network and cannot be missed here.
pub(crate) fn claims(
    declared: &[syntax::Claim<'_>],
    network: &Network,
    rules_lost: bool,
    out: &mut Diagnostics,
) -> Vec<Claim> {
    let mut reader = Reader { network, rules_lost, out };
    declared.iter().filter_map(|claim| reader.claim(claim)).collect()
}

struct Reader<'r> {
    network: &'r Network,
    rules_lost: bool,
    out: &'r mut Diagnostics,
}

impl Reader<'_> {
    fn claim(&mut self, claim: &syntax::Claim<'_>) -> Option<Claim> {
        let (statement, span) = self.statement(claim);
        let controls = claim.controls.iter().flat_map(|list| &list.items);
        Some(Claim {
            id: owned(claim.id?.0),
            title: claim.title.map(|Text(title)| title.value.to_owned()),
            severity: claim.severity.map_or(Severity::default(), |severity| severity.value),
            controls: controls.map(|Text(control)| control.value.to_owned()).collect(),
            span: span?,
            statement: statement?,
        })
    }

    /// The one kind of a claim, with the place of its key and value.
    fn statement(&mut self, claim: &syntax::Claim<'_>) -> (Option<Statement>, Option<Span>) {
        let kinds: Vec<(&str, Span)> = claim
            .node
            .mapping()
            .into_iter()
            .flatten()
            .filter(|entry| KINDS.contains(&entry.key))
            .map(|entry| (entry.key, entry.key_span.to(entry.value.span())))
            .collect();
        let statement = self.any_of(claim);
        match kinds[..] {
            [(_, span)] => (statement, Some(span)),
            [] => {
                // A kind that is not built yet, or is misspelt, was reported already.
                if !claim.broken {
                    let message = "a claim must have a kind";
                    let listed = KINDS.map(|kind| format!("`{kind}`")).join(", ");
                    let help = format!("one of {listed}");
                    self.out.push(Diagnostic::error(Code::MissingKey, claim.node.span(), message).help(help));
                }
                (None, None)
            }
            [(first, first_span), (second, second_span), ..] => {
                let message = format!("a claim has one kind, this has `{first}` and `{second}`");
                self.out.push(
                    Diagnostic::error(Code::Conflict, second_span, message)
                        .also(first_span, "the first kind")
                        .help("make two claims of it"),
                );
                (None, None)
            }
        }
    }

    /// Reads every kind that is there, so that the errors of all are found.
    fn any_of(&mut self, claim: &syntax::Claim<'_>) -> Option<Statement> {
        let isolated = claim.isolated.as_ref().and_then(|claim| self.isolated(claim));
        let confined = claim.confined.as_ref().and_then(|claim| self.confined(claim));
        let only_via = claim.only_via.as_ref().and_then(|claim| self.only_via(claim));
        let reachable = claim.reachable.as_ref().and_then(|claim| self.reachable(claim));
        isolated
            .map(Statement::Isolated)
            .or(confined.map(Statement::Confined))
            .or(only_via.map(Statement::OnlyVia))
            .or(reachable.map(Statement::Reachable))
    }

    fn isolated(&mut self, claim: &syntax::Isolated<'_>) -> Option<Isolated> {
        let (from, to) = (self.selector(claim.from), self.selector(claim.to));
        let (except, trusts) = (self.excepts(&claim.except), self.optional(claim.trusts));
        let means = claim.means.as_ref();
        Some(Isolated {
            from: from?,
            to: to?,
            except: except?,
            trusts: trusts?,
            direction: claim.direction.map_or_else(Default::default, |direction| direction.value),
            means: means.map(|list| list.items.iter().map(|means| means.value).collect()),
        })
    }

    fn confined(&mut self, claim: &syntax::Confined<'_>) -> Option<Confined> {
        let within = self.selector(claim.within);
        let (except, trusts) = (self.excepts(&claim.except), self.optional(claim.trusts));
        Some(Confined { within: within?, except: except?, trusts: trusts? })
    }

    fn only_via(&mut self, claim: &syntax::OnlyVia<'_>) -> Option<OnlyVia> {
        let (from, to) = (self.selector(claim.from), self.selector(claim.to));
        let (except, trusts) = (self.excepts(&claim.except), self.optional(claim.trusts));
        let doors = claim.via.as_ref().map_or(&[][..], |list| &list.items);
        if let (Some(list), []) = (&claim.via, doors) {
            let diagnostic = Diagnostic::error(Code::BadValue, list.node.span(), "no door");
            self.out.push(diagnostic.help("a claim without doors is `isolated`"));
        }
        let doors: Vec<Option<Vec<Spanned<Door>>>> =
            doors.iter().map(|Text(door)| self.door(*door)).collect();
        let doors: Option<Vec<_>> = doors.into_iter().collect();
        Some(OnlyVia {
            from: from?,
            to: to?,
            via: doors?.into_iter().flatten().collect(),
            except: except?,
            trusts: trusts?,
        })
    }

    fn reachable(&mut self, claim: &syntax::Reachable<'_>) -> Option<Reachable> {
        let (from, to) = (self.selector(claim.from), self.selector(claim.to));
        let packets = self.services(&claim.packets);
        Some(Reachable { from: from?, to: to?, packets: packets? })
    }

    fn selector(&mut self, text: Option<Text<'_>>) -> Option<Selector> {
        let Text(Spanned { value, span }) = text?;
        selector::parse(value, span, self.network, self.out)
    }

    /// A selector that may be missing: `None` if it is there and cannot be read.
    fn optional(&mut self, text: Option<Text<'_>>) -> Option<Option<Selector>> {
        match text {
            Some(_) => self.selector(text).map(Some),
            None => Some(None),
        }
    }

    fn services(&mut self, texts: &Option<Many<'_, Text<'_>>>) -> Option<Vec<Service>> {
        let mut services = Vec::new();
        let mut complete = true;
        for Text(Spanned { value, span }) in texts.iter().flat_map(|many| &many.items) {
            match service::read(value, *span, self.out) {
                Some(read) => services.extend(read),
                None => complete = false,
            }
        }
        complete.then_some(services)
    }

    fn excepts(&mut self, list: &Option<List<'_, syntax::Except<'_>>>) -> Option<Vec<Except>> {
        let mut excepts = Vec::new();
        let mut complete = true;
        for except in list.iter().flat_map(|list| &list.items) {
            let (from, to) = (self.selector(except.from), self.selector(except.to));
            match (from, to, self.services(&except.service)) {
                (Some(from), Some(to), Some(services)) => excepts.push(Except {
                    from,
                    to,
                    services,
                    replies: except.replies.is_some(),
                    span: except.node.span(),
                }),
                _ => complete = false,
            }
        }
        complete.then_some(excepts)
    }

    /// What one door stands for: a rule may stand in several chains of its filter.
    fn door(&mut self, door: Spanned<&str>) -> Option<Vec<Spanned<Door>>> {
        let found = match door.value.strip_prefix("rule:") {
            Some(rule) => self.rule(rule, door.span)?,
            None => vec![self.interface(door)?],
        };
        Some(found.into_iter().map(|found| Spanned::new(found, door.span)).collect())
    }

    fn interface(&mut self, door: Spanned<&str>) -> Option<Door> {
        let network = self.network;
        let Some((node, interface)) = door.value.split_once(':') else {
            let help = "write `node:interface`, or `rule:POLICY/NAME`";
            return self.no_door(
                Code::BadValue,
                door.span,
                format!("`{}` is no door", shorten(door.value)),
                Some(help.to_owned()),
            );
        };
        let Some((_, found)) = network.nodes_by_id().find(|(_, known)| known.name == node) else {
            let help = self.out.suggest(node, network.nodes.iter().map(|node| node.name.as_str()));
            return self.no_door(
                Code::UnknownName,
                door.span,
                format!("the node `{node}` is not declared"),
                help,
            );
        };
        let own = found.interfaces.iter().copied();
        match own.clone().find(|id| network.interface(*id).name == interface) {
            Some(id) => Some(Door::Interface(id)),
            None => {
                let help = self.out.suggest(interface, own.map(|id| network.interface(id).name.as_str()));
                self.no_door(
                    Code::UnknownName,
                    door.span,
                    format!("`{node}` has no interface `{interface}`"),
                    help,
                )
            }
        }
    }

    fn rule(&mut self, rule: &str, span: Span) -> Option<Vec<Door>> {
        let network = self.network;
        let Some((policy, name)) = rule.split_once('/') else {
            let help = Some("write `rule:POLICY/NAME`".to_owned());
            return self.no_door(
                Code::BadValue,
                span,
                format!("`rule:{}` names no rule", shorten(rule)),
                help,
            );
        };
        let filters: Vec<FilterId> = (0..network.filters.len())
            .map(FilterId::at)
            .filter(|id| network.filter(*id).name == policy)
            .collect();
        if filters.is_empty() && self.rules_lost {
            return None;
        }
        let [id] = filters[..] else {
            let several = !filters.is_empty();
            let message = match several {
                true => format!("several policies are called `{policy}`"),
                false => format!("no node uses a policy `{policy}`"),
            };
            let help = match several {
                true => Some("give them different names".to_owned()),
                false => self.out.suggest(policy, network.filters.iter().map(|filter| filter.name.as_str())),
            };
            return self.no_door(Code::UnknownName, span, message, help);
        };
        let chains = network.filter(id).chains.iter().enumerate();
        let rules = chains
            .flat_map(|(chain, list)| list.rules.iter().enumerate().map(move |(n, rule)| (chain, n, rule)));
        let doors: Vec<Door> = rules
            .clone()
            .filter(|(_, _, rule)| rule.name == name)
            .map(|(chain, rule, _)| Door::Rule { filter: id, chain, rule })
            .collect();
        if doors.is_empty() && self.rules_lost {
            return None;
        }
        if doors.is_empty() {
            let names: HashSet<&str> = rules.map(|(_, _, rule)| rule.name.as_str()).collect();
            let help = self.out.suggest(name, names);
            return self.no_door(
                Code::UnknownName,
                span,
                format!("`policy {policy}` has no rule `{name}`"),
                help,
            );
        }
        Some(doors)
    }

    fn no_door<T>(&mut self, code: Code, span: Span, message: String, help: Option<String>) -> Option<T> {
        self.out.push(Diagnostic::error(code, span, message).maybe_help(help));
        None
    }
}

/// The keys of the kinds.
const KINDS: [&str; 4] = ["isolated", "confined", "only-via", "reachable"];
