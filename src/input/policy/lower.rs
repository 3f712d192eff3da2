//! From a policy to the filter that it stands for (SEMANTICS.md section 7).
//!
//! A filter of a policy has three chains, at the positions of [`Part`]. *Input* runs the rules `to self`, *output*
//! the rules `from self`, *forward* those without `self`; each then does the default. A set such as
//! `to { self, 10.0.0.0/8 }` puts its rule into both chains, each time with what the set means there.
//! A list of one interface (`policy-in`, `policy-out`) runs the forward chain: see
//! [`check_list`](super::check_list).

use super::ast::{Clause, ClauseKind, Date, File, Flags, Policy, Rule as RuleText, StateSet, Verb};
use super::meaning::{Direction, Meaning};
use super::names::Names;
use super::resolve::{Definitions, Resolver, Topic, resolver, says_self};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::header::{Family, proto};
use crate::model::{Action, Chain, Filter, LedgerEntry, Match, Rule, State, Test};
use crate::source::{Span, Spanned};

/// The chains of a policy's filter, by position.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// Between two interfaces.
    Forward,
    /// Before local delivery.
    Input,
    /// For what the device itself sends.
    Output,
}

impl Part {
    /// All three, in the order of their positions.
    pub const ALL: [Part; 3] = [Part::Forward, Part::Input, Part::Output];

    /// The position of the chain in the filter.
    pub fn position(self) -> usize {
        self as usize
    }

    /// The name of the chain.
    pub fn word(self) -> &'static str {
        match self {
            Part::Forward => "forward",
            Part::Input => "input",
            Part::Output => "output",
        }
    }
}

/// Whether the output of a device with this policy is filtered. If not, it is open and has no hook.
pub fn filters_output(filter: &Filter) -> bool {
    filter.chains.get(Part::Output.position()).is_some_and(|chain| !chain.rules.is_empty())
}

/// A policy as a filter.
#[derive(Debug)]
pub struct Lowered {
    /// The filter.
    pub filter: Filter,
    /// What the report's ledger says of it.
    pub ledger: Vec<LedgerEntry>,
}

/// Turns the policies of one file into filters.
pub struct Lowerer<'f, 'a, N> {
    pub(super) file: &'f File<'a>,
    pub(super) names: &'f mut N,
    pub(super) definitions: Definitions<'a>,
    as_of: Option<Date>,
}

impl<'f, 'a, N: Names> Lowerer<'f, 'a, N> {
    /// Reads the definitions of the file. Rules whose `until` is before `as_of` are noted in the ledger.
    pub fn new(
        file: &'f File<'a>,
        names: &'f mut N,
        as_of: Option<Date>,
        diagnostics: &mut Diagnostics,
    ) -> Lowerer<'f, 'a, N> {
        let definitions = Definitions::read(file, names, diagnostics);
        Lowerer { file, names, definitions, as_of }
    }

    /// The filter of the policy of this name; `None` if the file has no such policy. What is wrong in it is
    /// reported, and then the filter lacks rules and must not be used for a verdict.
    pub fn policy(&mut self, name: &str, diagnostics: &mut Diagnostics) -> Option<Lowered> {
        let policy = self.file.policy(name)?;
        let resolver = resolver(self.names, &self.definitions, diagnostics, policy.name.value);
        let default = policy.default.map_or(Action::Drop, |default| action(default.verb));
        let span = policy.default.map_or(policy.header, |default| default.span);
        let mut work = Work {
            resolver,
            policy,
            as_of: self.as_of,
            chains: Part::ALL.map(|part| Chain {
                name: part.word().to_owned(),
                span,
                rules: Vec::new(),
                policy: Some(default),
            }),
            ledger: Vec::new(),
        };
        for rule in &policy.rules {
            work.rule(rule);
        }
        Some(work.finish())
    }
}

fn action(verb: Verb) -> Action {
    match verb {
        Verb::Allow => Action::Accept,
        Verb::Deny => Action::Drop,
        Verb::Reject => Action::Reject,
    }
}

/// The clauses of a rule, looked up.
struct Parts {
    from: Meaning,
    to: Meaning,
    from_span: Span,
    to_span: Span,
    /// Whether the source says `self`, and the destination.
    says_self: [bool; 2],
    /// Conditions that are the same in every chain.
    others: Vec<Match>,
    stateless: bool,
    incoming: Option<Span>,
    outgoing: Option<Span>,
    vrf: Option<Span>,
}

/// One policy on its way to a filter.
struct Work<'r, 'a, N> {
    resolver: Resolver<'r, 'a, N>,
    policy: &'r Policy<'a>,
    as_of: Option<Date>,
    chains: [Chain; 3],
    ledger: Vec<LedgerEntry>,
}

impl<N: Names> Work<'_, '_, N> {
    fn error(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.resolver.diagnostics.push(Diagnostic::error(Code::Policy, span, message).help(help));
    }

    fn rule(&mut self, rule: &RuleText<'_>) {
        let Some(parts) = self.parts(rule) else { return };
        if !self.check(rule, &parts) {
            return;
        }
        let [from_own, to_own] = parts.says_self;
        let mut is_anywhere = false;
        for part in Part::ALL {
            let belongs = match part {
                Part::Forward => true,
                Part::Input => to_own,
                Part::Output => from_own,
            };
            if belongs {
                is_anywhere |= self.place(rule, &parts, part);
            }
        }
        if !is_anywhere && from_own && to_own {
            let message = format!("rule `{}` binds only packets of the device to itself", rule.name.value);
            let diagnostic = Diagnostic::warning(Code::Policy, rule.span, message);
            self.resolver.diagnostics.push(diagnostic.help("no such packet crosses a network; leave it out"));
        } else if !is_anywhere {
            let is_source = parts.from.settled(false) == Meaning::Nothing;
            let (word, span) = if is_source { ("from", parts.from_span) } else { ("to", parts.to_span) };
            self.error(span, never(rule), format!("its `{word}` stands for no packet at all"));
        }
    }

    /// Puts a rule into a chain, if it can match there.
    fn place(&mut self, rule: &RuleText<'_>, parts: &Parts, part: Part) -> bool {
        let from = parts.from.settled(part == Part::Output);
        let to = parts.to.settled(part == Part::Input);
        if from == Meaning::Nothing || to == Meaning::Nothing {
            return false;
        }
        let mut matches = Vec::new();
        from.matches(Direction::From, parts.from_span, &mut matches);
        to.matches(Direction::To, parts.to_span, &mut matches);
        matches.extend(parts.others.iter().cloned());
        self.chains[part.position()].rules.push(Rule {
            name: rule.name.value.to_owned(),
            span: rule.span,
            matches,
            action: action(rule.verb.value),
            opens: !parts.stateless,
        });
        true
    }

    /// Looks up the clauses; `None` if one of them cannot be used, which was reported.
    fn parts(&mut self, rule: &RuleText<'_>) -> Option<Parts> {
        let mut parts = Parts {
            from: Meaning::All,
            to: Meaning::All,
            from_span: rule.span,
            to_span: rule.span,
            says_self: [false; 2],
            others: Vec::new(),
            stateless: false,
            incoming: None,
            outgoing: None,
            vrf: None,
        };
        let mut complete = true;
        for clause in &rule.clauses {
            complete &= self.clause(rule, clause, &mut parts).is_some();
        }
        complete.then_some(parts)
    }

    fn clause(&mut self, rule: &RuleText<'_>, clause: &Clause<'_>, parts: &mut Parts) -> Option<()> {
        match &clause.kind {
            ClauseKind::From(term) => {
                (parts.from, parts.from_span) = (self.resolver.term(term, Topic::Places)?, term.span);
                parts.says_self[0] = says_self(term, self.resolver.definitions);
            }
            ClauseKind::To(term) => {
                (parts.to, parts.to_span) = (self.resolver.term(term, Topic::Places)?, term.span);
                parts.says_self[1] = says_self(term, self.resolver.definitions);
            }
            ClauseKind::In(term) => {
                let meaning = self.resolver.term(term, Topic::Interfaces)?;
                parts.incoming = Some(clause.span);
                self.always(rule, meaning, Direction::From, term.span, &mut parts.others)?;
            }
            ClauseKind::Out(term) => {
                let meaning = self.resolver.term(term, Topic::Interfaces)?;
                parts.outgoing = Some(clause.span);
                self.always(rule, meaning, Direction::To, term.span, &mut parts.others)?;
            }
            ClauseKind::Service(term) => {
                let meaning = self.resolver.term(term, Topic::Services)?;
                self.always(rule, meaning, Direction::To, term.span, &mut parts.others)?;
            }
            ClauseKind::State(states) => parts.others.extend(self.states(rule, states)?),
            ClauseKind::Flags(Flags { value, mask, span }) => {
                let test = Test::TcpFlags { mask: *mask, value: *value };
                parts.others.push(Match { test, negated: false, span: *span });
            }
            ClauseKind::Vrf(name) => {
                parts.vrf = Some(clause.span);
                let vrf = self.resolver.vrf(*name)?;
                parts.others.push(Match { test: Test::InVrf(vrf), negated: false, span: clause.span });
            }
            ClauseKind::Stateless => parts.stateless = true,
            ClauseKind::Until(day) => self.until(rule, *day),
            ClauseKind::Log | ClauseKind::Comment(_) => {}
        }
        Some(())
    }

    /// Adds a condition that does not depend on the chain.
    fn always(
        &mut self,
        rule: &RuleText<'_>,
        meaning: Meaning,
        direction: Direction,
        span: Span,
        into: &mut Vec<Match>,
    ) -> Option<()> {
        if meaning == Meaning::Nothing {
            self.error(span, never(rule), "`not any` is nothing");
            return None;
        }
        meaning.matches(direction, span, into);
        Some(())
    }

    fn states(&mut self, rule: &RuleText<'_>, set: &StateSet) -> Option<Option<Match>> {
        let is_all = State::ALL.iter().all(|state| set.states.contains(state));
        if is_all && set.negated {
            self.error(set.span, never(rule), "every packet has one of these states");
            return None;
        }
        let test = Test::State(set.states.clone());
        Some((!is_all).then_some(Match { test, negated: set.negated, span: set.span }))
    }

    /// Notes a rule that should be gone by now. It is in force for as long as it is written: no verdict hangs on a date
    /// (SEMANTICS.md section 6).
    fn until(&mut self, rule: &RuleText<'_>, day: Spanned<Date>) {
        let Some(as_of) = self.as_of.filter(|as_of| day.value < *as_of) else { return };
        let (name, policy, date) = (rule.name.value, self.policy.name.value, day.value);
        let text = format!(
            "rule `{name}` of `policy {policy}` should have gone on {date}, before {as_of}, and is taken for in force"
        );
        self.ledger.push(LedgerEntry { text, span: Some(day.span) });
    }

    /// Whether a rule can match at all, as far as that is plain from its own text.
    fn check(&mut self, rule: &RuleText<'_>, parts: &Parts) -> bool {
        let only_from_own = parts.from.settled(false) == Meaning::Nothing;
        let only_to_own = parts.to.settled(false) == Meaning::Nothing;
        let families = [families(&parts.from), families(&parts.to)];
        if let [Some(from), Some(to)] = families
            && from != to
        {
            let message = format!("{}: the source is {from} and the destination {to}", never(rule));
            self.error(
                parts.from_span.to(parts.to_span),
                message,
                "a packet has both addresses of one family",
            );
            return false;
        }
        if let (true, Some(span)) = (only_from_own, parts.incoming) {
            self.error(span, never(rule), "a packet of the device itself came in on no interface");
            return false;
        }
        if let (true, Some(span)) = (only_to_own, parts.outgoing) {
            self.error(span, never(rule), "a packet to the device itself goes out on no interface");
            return false;
        }
        if let (true, Some(span)) = (only_from_own, parts.vrf) {
            self.error(
                span,
                never(rule),
                "`vrf` is that of the in-interface, and a packet of the device itself has none",
            );
            return false;
        }
        self.check_flags(rule, parts)
    }

    /// TCP flags beside services without TCP.
    fn check_flags(&mut self, rule: &RuleText<'_>, parts: &Parts) -> bool {
        let flags = parts.others.iter().find(|one| matches!(one.test, Test::TcpFlags { .. }));
        let services = parts.others.iter().find_map(|one| {
            let Test::Service(services) = &one.test else { return None };
            (!one.negated).then_some((services, one.span))
        });
        if let (Some(flags), Some((services, span))) = (flags, services)
            && !services.iter().any(|service| service.protocol == Some(proto::TCP))
        {
            let message = format!("{}: only TCP has flags", never(rule));
            let diagnostic = Diagnostic::error(Code::Policy, flags.span, message).also(span, "no TCP here");
            self.resolver.diagnostics.push(diagnostic.help("leave `flags` out, or name `tcp`"));
            return false;
        }
        true
    }

    fn finish(mut self) -> Lowered {
        let policy = self.policy;
        let opens = |rule: &RuleText<'_>| {
            let stateless = rule.clauses.iter().any(|clause| matches!(clause.kind, ClauseKind::Stateless));
            rule.verb.value == Verb::Allow && !stateless
        };
        let default_opens = policy.default.is_some_and(|default| default.verb == Verb::Allow);
        let asks = policy.asks_for_state();
        let tracks = asks || default_opens || policy.rules.iter().any(opens);
        if let Some(rule) = policy.rules.iter().find(|rule| !asks && rule.name.value == ESTABLISHED) {
            let message = format!("the name `{ESTABLISHED}` is taken");
            let help =
                "every policy without a `state` clause begins with a rule of this name; choose another";
            let diagnostic = Diagnostic::error(Code::DuplicateKey, rule.name.span, message).help(help);
            self.resolver.diagnostics.push(diagnostic);
        }
        if self.chains[Part::Output.position()].rules.is_empty() {
            self.chains[Part::Output.position()].policy = Some(Action::Accept);
        }
        if !asks {
            for chain in &mut self.chains {
                // An open output stays empty, which is how [`filters_output`] knows it.
                if chain.name != Part::Output.word() || !chain.rules.is_empty() {
                    chain.rules.insert(0, established(policy.header));
                }
            }
        }
        let filter = Filter {
            name: policy.name.value.to_owned(),
            span: policy.header,
            chains: self.chains.into(),
            translations: Vec::new(),
            tracks,
            relates_own_errors: false,
        };
        Lowered { filter, ledger: self.ledger }
    }
}

/// The name of the rule that every policy without a `state` clause begins with.
const ESTABLISHED: &str = "established";

/// That rule.
fn established(span: Span) -> Rule {
    let test = Test::State(vec![State::Established, State::Related]);
    Rule {
        name: ESTABLISHED.to_owned(),
        span,
        matches: vec![Match { test, negated: false, span }],
        action: Action::Accept,
        opens: false,
    }
}

fn never(rule: &RuleText<'_>) -> String {
    format!("rule `{}` can never match", rule.name.value)
}

/// The family of a meaning that is about the addresses of one family only.
fn families(meaning: &Meaning) -> Option<Family> {
    let Meaning::Ranges(ranges) = meaning else { return None };
    let first = ranges.first()?.family();
    ranges.iter().all(|range| range.family() == first).then_some(first)
}
