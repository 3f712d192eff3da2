//! From terms to what they mean: names are looked up, definitions put in.

use super::ast::{Define, File, Name, Term, TermKind};
use super::meaning::Meaning;
use super::names::Names;
use crate::diag::{Code, Diagnostic, Diagnostics, suggest};
use crate::header::AddressRange;
use crate::model::{Unknown, VrfId};
use crate::source::Span;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How many parts the definitions of one file may mean together, and the rules of one policy.
const MAX_PARTS: usize = 4_000_000;
/// How deep a definition may be nested with those that it uses.
const MAX_DEPTH: usize = 128;

/// What a term stands for in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Topic {
    /// Addresses and zones.
    Places,
    /// Protocols and ports.
    Services,
    /// Interfaces.
    Interfaces,
}

impl Topic {
    fn phrase(self) -> &'static str {
        match self {
            Topic::Places => "places",
            Topic::Services => "services",
            Topic::Interfaces => "interfaces",
        }
    }
}

/// A definition whose meaning is known.
struct Defined {
    meaning: Meaning,
    /// `None` if it says nothing but `any`.
    topic: Option<Topic>,
    /// Whether it says `self`.
    says_self: bool,
    size: usize,
    span: Span,
}

/// The definitions of a file.
pub(super) struct Definitions<'a> {
    known: HashMap<&'a str, Defined>,
    /// Every definition with its place, also those that have errors.
    written: BTreeMap<&'a str, Span>,
}

/// Looks up names for the terms of one policy.
pub(super) struct Resolver<'r, 'a, N> {
    pub(super) names: &'r mut N,
    pub(super) definitions: &'r Definitions<'a>,
    pub(super) diagnostics: &'r mut Diagnostics,
    /// The policy that the terms belong to.
    pub(super) policy: &'r str,
    /// The definition that is being read.
    own: Option<Span>,
    /// How many parts may still be made.
    parts_left: usize,
}

impl<'a> Definitions<'a> {
    /// Reads the definitions of a file, each of which may use those above it.
    pub(super) fn read<N: Names>(
        file: &File<'a>,
        names: &mut N,
        diagnostics: &mut Diagnostics,
    ) -> Definitions<'a> {
        warn_of_unused(file, diagnostics);
        let written = file.defines().map(|define| (define.name.value, define.name.span)).collect();
        let mut definitions = Definitions { known: HashMap::new(), written };
        let mut parts_left = MAX_PARTS;
        for define in file.defines() {
            let own = Some(define.name.span);
            let mut resolver =
                Resolver { names, definitions: &definitions, diagnostics, policy: "", own, parts_left };
            let defined = resolver.define(define);
            parts_left = resolver.parts_left;
            if let Some(defined) = defined {
                definitions.known.insert(define.name.value, defined);
            }
        }
        definitions
    }
}

/// Warns of definitions that nothing uses.
fn warn_of_unused(file: &File<'_>, diagnostics: &mut Diagnostics) {
    let mut used = HashSet::new();
    let clauses = file.policies().flat_map(|policy| policy.rules.iter()).map(|rule| &rule.clauses);
    let translations = file.nats().flat_map(|nat| nat.translations.iter()).map(|one| &one.clauses);
    for clause in clauses.chain(translations).flatten() {
        if let Some(term) = clause.kind.term() {
            collect_uses(term, &mut used);
        }
    }
    file.defines().for_each(|define| collect_uses(&define.value, &mut used));
    for define in file.defines().filter(|define| !used.contains(define.name.value)) {
        let message = format!("the definition `{}` is never used", define.name.value);
        diagnostics.push(Diagnostic::warning(Code::Policy, define.name.span, message).help("leave it out"));
    }
}

fn collect_uses<'a>(term: &Term<'a>, used: &mut HashSet<&'a str>) {
    match &term.kind {
        TermKind::Defined(name) => {
            used.insert(name);
        }
        TermKind::Set(members) => members.iter().for_each(|member| collect_uses(member, used)),
        TermKind::Not(inner) => collect_uses(inner, used),
        TermKind::Any
        | TermKind::Own
        | TermKind::Zone(_)
        | TermKind::Address(_)
        | TermKind::Prefix(_)
        | TermKind::Range(_)
        | TermKind::Label(..)
        | TermKind::Service(_)
        | TermKind::Interface(_)
        | TermKind::Bad => {}
    }
}

/// Whether a term says `self`, itself or by a definition. That puts its rule into a chain, also where its meaning
/// is simplified to one without the word, as that of `{ any, self }`.
pub(super) fn says_self(term: &Term<'_>, definitions: &Definitions<'_>) -> bool {
    match &term.kind {
        TermKind::Own => true,
        TermKind::Set(members) => members.iter().any(|member| says_self(member, definitions)),
        TermKind::Not(inner) => says_self(inner, definitions),
        TermKind::Defined(name) => definitions.known.get(name).is_some_and(|defined| defined.says_self),
        TermKind::Any
        | TermKind::Zone(_)
        | TermKind::Address(_)
        | TermKind::Prefix(_)
        | TermKind::Range(_)
        | TermKind::Label(..)
        | TermKind::Service(_)
        | TermKind::Interface(_)
        | TermKind::Bad => false,
    }
}

/// What a term is about, from its first leaf that says so.
fn topic(term: &Term<'_>, definitions: &Definitions<'_>) -> Option<Topic> {
    match &term.kind {
        TermKind::Set(members) => members.iter().find_map(|member| topic(member, definitions)),
        TermKind::Not(inner) => topic(inner, definitions),
        TermKind::Defined(name) => definitions.known.get(name).and_then(|defined| defined.topic),
        TermKind::Service(_) => Some(Topic::Services),
        TermKind::Interface(_) => Some(Topic::Interfaces),
        TermKind::Any | TermKind::Bad => None,
        TermKind::Own
        | TermKind::Zone(_)
        | TermKind::Address(_)
        | TermKind::Prefix(_)
        | TermKind::Range(_)
        | TermKind::Label(..) => Some(Topic::Places),
    }
}

impl<N: Names> Resolver<'_, '_, N> {
    fn error(&mut self, code: Code, span: Span, message: String, help: Option<String>) {
        self.diagnostics.push(Diagnostic::error(code, span, message).maybe_help(help));
    }

    fn define(&mut self, define: &Define<'_>) -> Option<Defined> {
        let topic = topic(&define.value, self.definitions);
        let meaning = self.term(&define.value, topic.unwrap_or(Topic::Places))?;
        if meaning.depth() > MAX_DEPTH {
            let message = format!("`{}` is nested more than {MAX_DEPTH} deep", define.name.value);
            self.error(Code::Limit, define.span, message, None);
            return None;
        }
        let size = meaning.size();
        let says_self = says_self(&define.value, self.definitions);
        Some(Defined { size, meaning, topic, says_self, span: define.name.span })
    }

    /// What a term means; `None` if that was reported.
    pub(super) fn term(&mut self, term: &Term<'_>, topic: Topic) -> Option<Meaning> {
        let meaning = match &term.kind {
            TermKind::Any => Meaning::All,
            TermKind::Own => self.expect(topic, Topic::Places, term, Meaning::Own)?,
            TermKind::Zone(name) => {
                let zone = self.zone(*name)?;
                self.expect(topic, Topic::Places, term, zone)?
            }
            TermKind::Address(address) => self.ranges(topic, term, AddressRange::single(*address))?,
            TermKind::Prefix(net) => self.ranges(topic, term, AddressRange::prefix(*net))?,
            TermKind::Range(range) => self.ranges(topic, term, *range)?,
            TermKind::Label(key, value) => self.label(term.span, *key, *value)?,
            TermKind::Service(service) => {
                let services = match service.protocol {
                    Some(_) => Meaning::Services(vec![*service]),
                    None => Meaning::All,
                };
                self.expect(topic, Topic::Services, term, services)?
            }
            TermKind::Interface(name) => self.interface(term.span, name)?,
            TermKind::Defined(name) => self.defined(term.span, name, topic)?,
            TermKind::Set(members) => {
                // All members are read, so that the errors of all are shown.
                let parts: Vec<Option<Meaning>> = members.iter().map(|m| self.term(m, topic)).collect();
                let parts: Option<Vec<Meaning>> = parts.into_iter().collect();
                Meaning::any(parts?)
            }
            TermKind::Not(inner) => self.term(inner, topic)?.not(),
            TermKind::Bad => return None,
        };
        Some(meaning)
    }

    fn ranges(&mut self, topic: Topic, term: &Term<'_>, range: AddressRange) -> Option<Meaning> {
        self.expect(topic, Topic::Places, term, Meaning::Ranges(vec![range]))
    }

    /// The meaning, if the term is about what its place is about.
    fn expect(&mut self, wanted: Topic, found: Topic, term: &Term<'_>, meaning: Meaning) -> Option<Meaning> {
        if wanted == found {
            return Some(meaning);
        }
        let message = format!("{} among {}", found.phrase(), wanted.phrase());
        let help = "a set, and a definition, is of one sort: places or services".to_owned();
        self.error(Code::Policy, term.span, message, Some(help));
        None
    }

    fn zone(&mut self, name: Name<'_>) -> Option<Meaning> {
        let Some(zone) = self.names.zone(name.value) else {
            let help = suggest(name.value, self.names.zone_names())
                .unwrap_or_else(|| format!("declare it under `zones`: `{}: {{}}`", name.value));
            let message = format!("no zone `{}` is declared", name.value.escape_debug());
            self.error(Code::UnknownName, name.span, message, Some(help));
            return None;
        };
        Some(Meaning::Zone(zone))
    }

    /// The VRF of a name; `None` if that was reported.
    pub(super) fn vrf(&mut self, name: Name<'_>) -> Option<VrfId> {
        let vrf = self.names.vrf(name.value);
        if vrf.is_none() {
            let help = suggest(name.value, self.names.vrf_names());
            let message = format!("no VRF `{}` is declared", name.value.escape_debug());
            self.error(Code::UnknownName, name.span, message, help);
        }
        vrf
    }

    fn label(&mut self, span: Span, key: Name<'_>, value: Name<'_>) -> Option<Meaning> {
        let Some(ranges) = self.names.labelled(key.value, value.value) else {
            let label = format!("{}={}", key.value, value.value);
            let known = self.names.label_names();
            let help = suggest(&label, known.iter().map(String::as_str));
            let help =
                help.unwrap_or_else(|| "a label of a policy is that of nodes and interfaces".to_owned());
            self.error(Code::UnknownName, span, format!("nothing has the label `{label}`"), Some(help));
            return None;
        };
        let mut parts = vec![Meaning::Ranges(ranges)];
        if self.names.label_is_open(key.value, value.value) {
            let unknown = Unknown {
                what: format!("which addresses what is labelled {}={} has in all", key.value, value.value),
                span: Some(span),
                settle: "the addresses themselves in place of the label".to_owned(),
            };
            parts.push(Meaning::Unknown(self.names.unknown(unknown)));
        }
        Some(Meaning::any(parts))
    }

    fn interface(&mut self, span: Span, name: &str) -> Option<Meaning> {
        if !self.names.has_interface(self.policy, name) {
            let help = suggest(name, self.names.interface_names(self.policy));
            let message = format!("no node that uses `policy {}` has an interface `{name}`", self.policy);
            self.error(Code::UnknownName, span, message, help);
            return None;
        }
        Some(Meaning::Interface(name.to_owned()))
    }

    fn defined(&mut self, span: Span, name: &str, topic: Topic) -> Option<Meaning> {
        let Some(defined) = self.definitions.known.get(name) else {
            self.undefined(span, name);
            return None;
        };
        if let Some(found) = defined.topic.filter(|found| *found != topic) {
            let message =
                format!("`${name}` stands for {}, and {} belong here", found.phrase(), topic.phrase());
            let diagnostic =
                Diagnostic::error(Code::Policy, span, message).also(defined.span, "defined here");
            let help = match found {
                Topic::Services => format!("services stand behind `service`: `service ${name}`"),
                Topic::Places | Topic::Interfaces => {
                    "addresses and zones stand behind `from` and `to`".to_owned()
                }
            };
            self.diagnostics.push(diagnostic.help(help));
            return None;
        }
        let Some(left) = self.parts_left.checked_sub(defined.size) else {
            let message = format!("definitions expand to more than {MAX_PARTS} addresses and services");
            self.error(Code::Limit, span, message, None);
            return None;
        };
        self.parts_left = left;
        Some(defined.meaning.clone())
    }

    fn undefined(&mut self, span: Span, name: &str) {
        let diagnostic = match self.definitions.written.get(name) {
            // One that has errors was reported where it stands.
            Some(at) if at.start < span.start && self.own != Some(*at) => return,
            Some(at) => {
                let message = format!("`${name}` is used above the end of its definition");
                let diagnostic = Diagnostic::error(Code::UnknownName, span, message);
                diagnostic.also(*at, "defined here").help("a definition uses those above it")
            }
            None => {
                let known: Vec<String> = self.definitions.written.keys().map(|n| format!("${n}")).collect();
                let help = suggest(&format!("${name}"), known.iter().map(String::as_str));
                let help = help.unwrap_or_else(|| format!("write `define {name} = …` above"));
                Diagnostic::error(Code::UnknownName, span, format!("`${name}` is not defined")).help(help)
            }
        };
        self.diagnostics.push(diagnostic);
    }
}

/// A resolver for the terms of one policy.
pub(super) fn resolver<'r, 'a, N: Names>(
    names: &'r mut N,
    definitions: &'r Definitions<'a>,
    diagnostics: &'r mut Diagnostics,
    policy: &'r str,
) -> Resolver<'r, 'a, N> {
    Resolver { names, definitions, diagnostics, policy, own: None, parts_left: MAX_PARTS }
}
