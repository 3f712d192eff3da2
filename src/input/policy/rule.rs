//! Parsers of rules and translations, clause by clause.

use super::ast::{
    Clause, ClauseKind, Date, Flags, Policy, Rule, Side, StateSet, Target, TermKind, Translation, Verb,
};
use super::lex::{Parsed, Trouble, blank, is_word, keyword, name, peek, quoted, symbol, word};
use super::term::{Reader, Want};
use crate::diag::{Code, Diagnostic, suggest};
use crate::header::tcp_flags;
use crate::input::word::{Flaw, range};
use crate::model::State;
use crate::source::{Span, Spanned};
use nom::Parser;
use nom::bytes::complete::take_while1;
use nom::combinator::cut;
use nom::sequence::terminated;

/// The keywords of clauses.
const CLAUSES: &[&str] =
    &["from", "to", "in", "out", "service", "state", "flags", "vrf", "stateless", "until", "log", "comment"];

/// The keywords of statements.
pub(super) const STATEMENTS: &[&str] = &["define", "policy", "nat", "default", "rule", "snat", "dnat"];

/// Words of other firewalls, with what to write here.
const FOREIGN: &[(&[&str], &str)] = &[
    (&["source", "src", "saddr", "source-address"], "the source is written `from`"),
    (&["destination", "dst", "daddr", "dest", "destination-address"], "the destination is written `to`"),
    (
        &["port", "dport", "proto", "protocol", "ports", "application", "tcp", "udp", "icmp"],
        "protocol and port are written together: `service tcp/443`",
    ),
    (&["ctstate", "established", "related", "new"], "connection states are written `state established`"),
    (&["iif", "iifname", "interface", "on"], "interfaces are written `in eth0` and `out eth1`"),
    (&["expires", "expiration"], "the last day of a rule is written `until 2027-03-31`"),
    (&["description", "remark"], "a remark is written `comment \"…\"`"),
    (&["quick"], "the first match always wins here"),
];

/// Whether a word begins a clause or a statement, or ends the clauses of a translation.
pub(super) fn is_keyword(word: &str) -> bool {
    CLAUSES.contains(&word) || STATEMENTS.contains(&word) || word == "as"
}

/// "did you mean …", or what a word of another firewall is called here.
fn advice(text: &str, known: &[&str]) -> Option<String> {
    let found = peek(text);
    if text.starts_with(',') {
        return Some("several values stand in braces: `{ …, … }`".to_owned());
    }
    if text.starts_with(';') {
        return Some("nothing stands between clauses and statements: leave the `;` out".to_owned());
    }
    let foreign = FOREIGN.iter().find(|(words, _)| words.contains(&found));
    foreign.map(|(_, help)| (*help).to_owned()).or_else(|| suggest(found, known.iter().copied()))
}

impl<'a> Reader<'a> {
    /// `ACTION`.
    pub(super) fn verb(&self, text: &'a str) -> Parsed<'a, Spanned<Verb>> {
        let found = peek(text);
        let known = Verb::WORDS.iter().find(|(word, _)| *word == found);
        let Some((_, verb)) = known else {
            let help = suggest(found, Verb::WORDS.iter().map(|(word, _)| *word));
            return Trouble::expected(text, "`allow`, `deny` or `reject`").help(help).fail();
        };
        let (rest, found) = word(text, "an action")?;
        Ok((rest, Spanned::new(*verb, self.places.span(found))))
    }

    /// `rule NAME { ACTION … }`.
    pub(super) fn rule(&self, text: &'a str) -> Parsed<'a, Rule<'a>> {
        let (rest, start) = keyword("rule")(text)?;
        let (rest, name) = cut(|i| name(i, "the name of a rule")).parse(rest)?;
        let (inner, open) = cut(symbol('{')).parse(rest)?;
        let (rest, verb) = self.verb(inner)?;
        let (rest, clauses) = self.clauses(rest)?;
        if !rest.starts_with('}') {
            let help = advice(rest, CLAUSES);
            let trouble = Trouble::expected(rest, "a clause or `}`").help(help);
            return match STATEMENTS.contains(&peek(rest)) || rest.is_empty() {
                true => trouble.also(self.places.span(open), "the rule is not closed").fail(),
                false => trouble.fail(),
            };
        }
        let (rest, close) = symbol('}')(rest)?;
        let span = self.places.span(start).to(self.places.span(close));
        Ok((rest, Rule { name: self.places.spanned(name), verb, clauses, span }))
    }

    /// Clauses up to something that is none.
    fn clauses(&self, mut text: &'a str) -> Parsed<'a, Vec<Clause<'a>>> {
        let mut clauses: Vec<Clause<'a>> = Vec::new();
        while let Some(keyword) = CLAUSES.iter().find(|keyword| **keyword == peek(text)) {
            let (rest, clause) = self.clause(text, keyword)?;
            if let Some(first) = clauses.iter().find(|first| first.kind.word() == *keyword) {
                let message = format!("`{keyword}` is given twice");
                let diagnostic = Diagnostic::error(Code::DuplicateKey, clause.span, message);
                let diagnostic = diagnostic.also(first.span, "first here");
                self.note(
                    diagnostic.help("a rule has one of each; several values stand in braces: `{ …, … }`"),
                );
            }
            clauses.push(clause);
            text = rest;
        }
        Ok((text, clauses))
    }

    fn clause(&self, text: &'a str, keyword: &str) -> Parsed<'a, Clause<'a>> {
        let (rest, start) = word(text, "a clause")?;
        let start = self.places.span(start);
        let with_term = |want, make: fn(_) -> ClauseKind<'a>| {
            let (rest, term) = self.term(rest, want)?;
            let span = start.to(term.span);
            Ok((rest, Clause { kind: make(term), span }))
        };
        let alone = |kind| Ok((rest, Clause { kind, span: start }));
        match keyword {
            "from" => with_term(Want::Places, ClauseKind::From),
            "to" => with_term(Want::Places, ClauseKind::To),
            "in" => with_term(Want::Interfaces, ClauseKind::In),
            "out" => with_term(Want::Interfaces, ClauseKind::Out),
            "service" => with_term(Want::Services, ClauseKind::Service),
            "state" => self.state(rest, start),
            "flags" => self.flags(rest, start),
            "vrf" => {
                let (rest, name) = cut(|i| word(i, "the name of a VRF")).parse(rest)?;
                let name = self.places.spanned(name);
                Ok((rest, Clause { kind: ClauseKind::Vrf(name), span: start.to(name.span) }))
            }
            "until" => self.until(rest, start),
            "comment" => {
                let (rest, text) = cut(quoted).parse(rest)?;
                let text = self.places.spanned(text);
                Ok((rest, Clause { kind: ClauseKind::Comment(text), span: start.to(text.span) }))
            }
            "stateless" => alone(ClauseKind::Stateless),
            _ => alone(ClauseKind::Log),
        }
    }

    fn until(&self, text: &'a str, start: Span) -> Parsed<'a, Clause<'a>> {
        let (rest, day) = cut(|i| word(i, "a date")).parse(text)?;
        let span = self.places.span(day);
        let date = Date::read(day).unwrap_or_else(|| {
            let flaw = Flaw::new(day, Code::Policy, format!("`{day}` is not a date"));
            self.flaw(flaw.help("a date is YYYY-MM-DD, such as 2027-03-31"));
            Date { year: 0, month: 1, day: 1 }
        });
        Ok((rest, Clause { kind: ClauseKind::Until(Spanned::new(date, span)), span: start.to(span) }))
    }

    /// Words with commas between them and no blanks.
    fn list(&self, text: &'a str, what: &'static str) -> Parsed<'a, &'a str> {
        match terminated(take_while1::<_, _, Trouble<'_>>(|c| is_word(c) || c == ','), blank).parse(text) {
            Ok(found) => Ok(found),
            Err(_) => Trouble::expected(text, what).fail(),
        }
    }

    fn state(&self, text: &'a str, start: Span) -> Parsed<'a, Clause<'a>> {
        let (mut rest, negated) = match peek(text) {
            "not" => (word(text, "`not`")?.0, true),
            _ => (text, false),
        };
        let first = self.places.span(&rest[..0]);
        let mut states = Vec::new();
        let end;
        if rest.starts_with('{') {
            rest = symbol('{')(rest)?.0;
            loop {
                let (behind, found) = cut(|i| word(i, "a connection state")).parse(rest)?;
                self.state_word(found, &mut states);
                rest = behind;
                if rest.starts_with(',') {
                    rest = symbol(',')(rest)?.0;
                }
                if rest.starts_with('}') {
                    end = self.places.span(&rest[..1]);
                    rest = symbol('}')(rest)?.0;
                    break;
                }
            }
        } else {
            let (behind, found) = self.list(rest, "a connection state")?;
            found.split(',').for_each(|one| self.state_word(one, &mut states));
            end = self.places.span(found);
            rest = behind;
        }
        let kind = ClauseKind::State(StateSet { negated, states, span: first.to(end) });
        Ok((rest, Clause { kind, span: start.to(end) }))
    }

    fn state_word(&self, found: &str, states: &mut Vec<State>) {
        let known = STATES.iter().find(|(word, _)| *word == found);
        let added: &[State] = match known {
            Some((_, state)) => state,
            None => {
                let flaw = Flaw::new(found, Code::Policy, format!("unknown connection state `{found}`"));
                let help = suggest(&found.to_lowercase(), STATES.iter().map(|(word, _)| *word));
                let known = "`new`, `established`, `related`, `invalid`, `untracked` or `any`".to_owned();
                self.flaw(flaw.maybe_help(help.or(Some(known))));
                &[]
            }
        };
        states.extend(added.iter().filter(|state| !states.contains(state)).copied().collect::<Vec<_>>());
    }

    fn flags(&self, text: &'a str, start: Span) -> Parsed<'a, Clause<'a>> {
        let (rest, found) = self.list(text, "TCP flags such as `syn/syn,ack`")?;
        let span = self.places.span(found);
        let (value, mask) = match found.split_once('/') {
            Some((value, mask)) => (self.flag_list(value, "none"), self.flag_list(mask, "all")),
            None => {
                let flaw = Flaw::new(found, Code::Policy, "`flags` lacks the flags that are looked at");
                let help =
                    format!("`{found}/{found}` wants them set whatever the others are, `{found}/all` alone");
                self.flaw(flaw.help(help));
                (0, u8::MAX)
            }
        };
        if value & !mask != 0 {
            let flaw = Flaw::new(
                found,
                Code::Policy,
                "no packet can match: a flag must be set that is not looked at",
            );
            self.flaw(flaw.help("every flag before the `/` stands behind it too"));
        }
        let kind = ClauseKind::Flags(Flags { value, mask, span });
        Ok((rest, Clause { kind, span: start.to(span) }))
    }

    /// The bits of `syn,ack`; `whole` is the one other word that is allowed here.
    fn flag_list(&self, list: &str, whole: &str) -> u8 {
        if list == whole {
            return if whole == "all" { u8::MAX } else { 0 };
        }
        let bit = |word: &str| {
            let known = tcp_flags::NAMES.iter().find(|(_, name)| *name == word);
            known.map(|(bit, _)| *bit).unwrap_or_else(|| {
                let flaw = Flaw::new(word, Code::Policy, format!("unknown TCP flag `{word}`"));
                let names = tcp_flags::NAMES.iter().map(|(_, name)| *name).chain([whole]);
                let all = "`fin`, `syn`, `rst`, `psh`, `ack`, `urg`, `ece` or `cwr`";
                let known = format!("{all}; `{whole}` alone");
                self.flaw(flaw.maybe_help(suggest(word, names).or(Some(known))));
                0
            })
        };
        list.split(',').map(bit).fold(0, |bits, bit| bits | bit)
    }

    /// `snat … as …` or `dnat … as …`.
    pub(super) fn translation(&self, text: &'a str, side: Side) -> Parsed<'a, Translation<'a>> {
        let (rest, start) = word(text, "a translation")?;
        let start = self.places.span(start);
        let (rest, clauses) = self.clauses(rest)?;
        if peek(rest) != "as" {
            let help = advice(rest, CLAUSES);
            let help = help.or_else(|| Some("what the address becomes is written `as 192.0.2.1`".to_owned()));
            return Trouble::expected(rest, "a clause or `as`").help(help).fail();
        }
        let (rest, becomes) = word(rest, "`as`")?;
        let becomes = self.places.span(becomes);
        let (mut rest, target) = self.target(rest)?;
        let mut span = start.to(target.span);
        let mut port = None;
        if peek(rest) == "port" {
            rest = word(rest, "`port`")?.0;
            let (behind, found) = cut(|i| word(i, "a port")).parse(rest)?;
            let place = self.places.span(found);
            match range(found, u32::from(u16::MAX), "a port", Code::Policy) {
                Ok((low, high)) => port = Some(Spanned::new((low as u16, high as u16), place)),
                Err(flaw) => self.flaw(flaw),
            }
            span = span.to(place);
            rest = behind;
        }
        Ok((rest, Translation { side, clauses, becomes, target, port, span }))
    }

    fn target(&self, text: &'a str) -> Parsed<'a, Spanned<Target>> {
        if peek(text) == "interface" {
            let (rest, found) = word(text, "`interface`")?;
            return Ok((rest, Spanned::new(Target::Interface, self.places.span(found))));
        }
        let mapped = peek(text) == "prefix";
        let text = if mapped { word(text, "`prefix`")?.0 } else { text };
        let (rest, term) = self.term(text, Want::Places)?;
        let target = match term.kind {
            TermKind::Prefix(net) if mapped => Target::Prefix(net),
            TermKind::Bad => Target::Bad,
            _ if mapped => {
                let message = "expected a prefix behind `prefix`";
                let help = "such as `as prefix 192.0.2.0/28`, which keeps the last bits of each address";
                self.note(Diagnostic::error(Code::Policy, term.span, message).help(help));
                Target::Bad
            }
            TermKind::Address(address) => Target::Range(crate::header::AddressRange::single(address)),
            TermKind::Range(range) => Target::Range(range),
            TermKind::Prefix(net) => Target::Pool(net),
            TermKind::Any
            | TermKind::Own
            | TermKind::Zone(_)
            | TermKind::Label(..)
            | TermKind::Service(_)
            | TermKind::Interface(_)
            | TermKind::Defined(_)
            | TermKind::Set(_)
            | TermKind::Not(_) => {
                let message = "expected what the address becomes: an address, a prefix, or `interface`";
                self.note(Diagnostic::error(Code::Policy, term.span, message).help("such as `as 192.0.2.1`"));
                Target::Bad
            }
        };
        Ok((rest, Spanned::new(target, term.span)))
    }
}

/// Every word for connection states.
const STATES: &[(&str, &[State])] = &[
    ("new", &[State::New]),
    ("established", &[State::Established]),
    ("related", &[State::Related]),
    ("invalid", &[State::Invalid]),
    ("untracked", &[State::Untracked]),
    ("any", &State::ALL),
];

/// The word of a state, as `fmt` writes it.
pub(super) fn state_word(state: State) -> &'static str {
    STATES.iter().find(|(_, states)| *states == [state]).map_or("", |(word, _)| word)
}

impl Policy<'_> {
    /// Whether any rule asks for the connection state.
    pub(super) fn asks_for_state(&self) -> bool {
        let asks = |clause: &Clause<'_>| matches!(clause.kind, ClauseKind::State(_));
        self.rules.iter().any(|rule| rule.clauses.iter().any(asks))
    }
}
