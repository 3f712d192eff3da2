//! The syntax tree of a policy file. Every part keeps its place; names are not looked up yet.

use crate::header::AddressRange;
use crate::model::{Service, State};
use crate::source::{SourceId, Span, Spanned};
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// A policy file.
#[derive(Debug)]
pub struct File<'a> {
    /// The whole text.
    pub text: &'a str,
    /// Which source it is.
    pub source: SourceId,
    /// What it states, in the order written. A statement that could not be read is not among them.
    pub statements: Vec<Statement<'a>>,
}

impl<'a> File<'a> {
    /// The definitions in order.
    pub fn defines(&self) -> impl Iterator<Item = &Define<'a>> {
        self.statements.iter().filter_map(|statement| match statement {
            Statement::Define(define) => Some(define),
            Statement::Policy(_) | Statement::Nat(_) => None,
        })
    }

    /// The policies in order.
    pub fn policies(&self) -> impl Iterator<Item = &Policy<'a>> {
        self.statements.iter().filter_map(|statement| match statement {
            Statement::Policy(policy) => Some(policy),
            Statement::Define(_) | Statement::Nat(_) => None,
        })
    }

    /// The translations in order.
    pub fn nats(&self) -> impl Iterator<Item = &Nat<'a>> {
        self.statements.iter().filter_map(|statement| match statement {
            Statement::Nat(nat) => Some(nat),
            Statement::Define(_) | Statement::Policy(_) => None,
        })
    }

    /// The policy of this name.
    pub fn policy(&self, name: &str) -> Option<&Policy<'a>> {
        self.policies().find(|policy| policy.name.value == name)
    }

    /// The translations of this name.
    pub fn nat(&self, name: &str) -> Option<&Nat<'a>> {
        self.nats().find(|nat| nat.name.value == name)
    }

    /// The text of a span of this file.
    pub fn slice(&self, span: Span) -> &'a str {
        self.text.get(span.start as usize..span.end as usize).unwrap_or("")
    }
}

/// A word with its place.
pub type Name<'a> = Spanned<&'a str>;

/// What stands at the outermost level of a file.
#[derive(Debug)]
pub enum Statement<'a> {
    /// `define NAME = …`.
    Define(Define<'a>),
    /// `policy NAME { … }`.
    Policy(Policy<'a>),
    /// `nat NAME { … }`.
    Nat(Nat<'a>),
}

impl Statement<'_> {
    /// The whole statement.
    pub fn span(&self) -> Span {
        match self {
            Statement::Define(define) => define.span,
            Statement::Policy(policy) => policy.span,
            Statement::Nat(nat) => nat.span,
        }
    }
}

/// A name for places or for services.
#[derive(Debug)]
pub struct Define<'a> {
    /// The name, without `$`.
    pub name: Name<'a>,
    /// What it stands for.
    pub value: Term<'a>,
    /// The whole statement.
    pub span: Span,
}

/// A list of rules, first match wins.
#[derive(Debug)]
pub struct Policy<'a> {
    /// Its name.
    pub name: Name<'a>,
    /// `policy NAME`.
    pub header: Span,
    /// What happens to what no rule matches; missing only if that was reported.
    pub default: Option<DefaultAction>,
    /// How many rules are written above the default.
    pub rules_above_default: usize,
    /// The rules in order.
    pub rules: Vec<Rule<'a>>,
    /// The whole statement.
    pub span: Span,
}

/// `default ACTION [log]`.
#[derive(Debug, Clone, Copy)]
pub struct DefaultAction {
    /// The action.
    pub verb: Verb,
    /// Whether a line is logged.
    pub log: bool,
    /// The whole statement.
    pub span: Span,
}

/// What a rule does. Its aliases are in [`Verb::WORDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Lets it pass.
    Allow,
    /// Drops it without a word.
    Deny,
    /// Drops it and answers its source.
    Reject,
}

impl Verb {
    /// Every word for an action; the first of an action is the one that `fmt` writes.
    pub const WORDS: &[(&str, Verb)] = &[
        ("allow", Verb::Allow),
        ("deny", Verb::Deny),
        ("reject", Verb::Reject),
        ("accept", Verb::Allow),
        ("permit", Verb::Allow),
        ("pass", Verb::Allow),
        ("drop", Verb::Deny),
        ("block", Verb::Deny),
    ];

    /// The word that `fmt` writes.
    pub fn word(self) -> &'static str {
        Verb::WORDS.iter().find(|(_, verb)| *verb == self).map_or("", |(word, _)| word)
    }
}

/// `rule NAME { ACTION … }`.
#[derive(Debug)]
pub struct Rule<'a> {
    /// Its name.
    pub name: Name<'a>,
    /// What it does.
    pub verb: Spanned<Verb>,
    /// Everything behind the action, in order.
    pub clauses: Vec<Clause<'a>>,
    /// The whole statement.
    pub span: Span,
}

/// One clause of a rule or of a translation.
#[derive(Debug)]
pub struct Clause<'a> {
    /// What it says.
    pub kind: ClauseKind<'a>,
    /// The whole clause.
    pub span: Span,
}

/// What a clause says.
#[derive(Debug)]
pub enum ClauseKind<'a> {
    /// `from PLACES`: the source, or the zone that it came in from.
    From(Term<'a>),
    /// `to PLACES`: the destination, or the zone that it goes out to.
    To(Term<'a>),
    /// `in INTERFACES`.
    In(Term<'a>),
    /// `out INTERFACES`.
    Out(Term<'a>),
    /// `service SERVICES`.
    Service(Term<'a>),
    /// `state STATES`.
    State(StateSet),
    /// `flags SET/EXAMINED`.
    Flags(Flags),
    /// `vrf NAME`: it came in on an interface of the VRF.
    Vrf(Name<'a>),
    /// `stateless`: what the rule allows opens no connection.
    Stateless,
    /// `until DATE`: the rule ends behind this day.
    Until(Spanned<Date>),
    /// `log`.
    Log,
    /// `comment "…"`, with the quotes.
    Comment(Name<'a>),
}

impl<'a> ClauseKind<'a> {
    /// The term of the clause, if it has one.
    pub fn term(&self) -> Option<&Term<'a>> {
        match self {
            ClauseKind::From(term)
            | ClauseKind::To(term)
            | ClauseKind::In(term)
            | ClauseKind::Out(term)
            | ClauseKind::Service(term) => Some(term),
            ClauseKind::State(_)
            | ClauseKind::Flags(_)
            | ClauseKind::Vrf(_)
            | ClauseKind::Stateless
            | ClauseKind::Until(_)
            | ClauseKind::Log
            | ClauseKind::Comment(_) => None,
        }
    }

    /// The keyword.
    pub fn word(&self) -> &'static str {
        match self {
            ClauseKind::From(_) => "from",
            ClauseKind::To(_) => "to",
            ClauseKind::In(_) => "in",
            ClauseKind::Out(_) => "out",
            ClauseKind::Service(_) => "service",
            ClauseKind::State(_) => "state",
            ClauseKind::Flags(_) => "flags",
            ClauseKind::Vrf(_) => "vrf",
            ClauseKind::Stateless => "stateless",
            ClauseKind::Until(_) => "until",
            ClauseKind::Log => "log",
            ClauseKind::Comment(_) => "comment",
        }
    }
}

/// The states of a `state` clause.
#[derive(Debug)]
pub struct StateSet {
    /// Whether `not` stands before them.
    pub negated: bool,
    /// The states in the order written; all of them for `any`.
    pub states: Vec<State>,
    /// The states as written, without the keyword.
    pub span: Span,
}

/// The flags of a `flags` clause: those under `mask` must be exactly `value`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flags {
    /// The bits that must be set.
    pub value: u8,
    /// The bits that are looked at.
    pub mask: u8,
    /// The word.
    pub span: Span,
}

/// A day of the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// The year, 0 to 9999.
    pub year: u16,
    /// The month, 1 to 12.
    pub month: u8,
    /// The day, 1 to 31 at most.
    pub day: u8,
}

impl Date {
    /// Reads `YYYY-MM-DD` (ISO 8601, extended form); `None` for anything else, or a day that does not exist.
    pub fn read(text: &str) -> Option<Date> {
        let digits = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
        let mut parts = text.splitn(3, '-');
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        if !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
            return None;
        }
        let date = Date { year: year.parse().ok()?, month: month.parse().ok()?, day: day.parse().ok()? };
        (1..=date.days_of_month()).contains(&date.day).then_some(date)
    }

    /// Number of days of its month; 0 if there is no such month.
    fn days_of_month(self) -> u8 {
        let leap =
            self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        match self.month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => 0,
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// What `from`, `to`, `in`, `out`, `service` and `define` take.
#[derive(Debug)]
pub struct Term<'a> {
    /// What it is.
    pub kind: TermKind<'a>,
    /// The whole term.
    pub span: Span,
}

/// The kinds of term.
#[derive(Debug)]
pub enum TermKind<'a> {
    /// `any`.
    Any,
    /// `self`: the device itself.
    Own,
    /// `zone NAME`.
    Zone(Name<'a>),
    /// One address.
    Address(IpAddr),
    /// A prefix.
    Prefix(IpNet),
    /// `LOW-HIGH`.
    Range(AddressRange),
    /// `label KEY=VALUE`.
    Label(Name<'a>, Name<'a>),
    /// A protocol, with ports or ICMP types if it names them.
    Service(Service),
    /// The name of an interface.
    Interface(&'a str),
    /// `$NAME`, without the `$`.
    Defined(&'a str),
    /// `{ …, … }`: any of these.
    Set(Vec<Term<'a>>),
    /// `not …`.
    Not(Box<Term<'a>>),
    /// Something that was reported.
    Bad,
}

/// `nat NAME { … }`.
#[derive(Debug)]
pub struct Nat<'a> {
    /// Its name: that of the policy it belongs to.
    pub name: Name<'a>,
    /// `nat NAME`.
    pub header: Span,
    /// The translations in order.
    pub translations: Vec<Translation<'a>>,
    /// The whole statement.
    pub span: Span,
}

/// `snat … as …` or `dnat … as …`.
#[derive(Debug)]
pub struct Translation<'a> {
    /// Which address is changed.
    pub side: Side,
    /// What it applies to.
    pub clauses: Vec<Clause<'a>>,
    /// The word `as`.
    pub becomes: Span,
    /// What the address becomes.
    pub target: Spanned<Target>,
    /// The port behind `port`.
    pub port: Option<Spanned<(u16, u16)>>,
    /// The whole statement.
    pub span: Span,
}

/// Which address a translation changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The source.
    Source,
    /// The destination.
    Destination,
}

impl Side {
    /// The keyword.
    pub fn word(self) -> &'static str {
        match self {
            Side::Source => "snat",
            Side::Destination => "dnat",
        }
    }
}

/// What an address becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// One of these.
    Range(AddressRange),
    /// One of a prefix.
    Pool(IpNet),
    /// The old address with this prefix in place of its first bits.
    Prefix(IpNet),
    /// That of the out-interface (masquerading).
    Interface,
    /// Something that was reported.
    Bad,
}
