//! Parsers of terms: what `from`, `to`, `in`, `out`, `service` and `define` take.

use super::address;
use super::ast::{Term, TermKind};
use super::lex::{Parsed, Places, Trouble, blank, describe, is_word, peek, symbol, token, word};
use super::rule::is_keyword;
use crate::diag::{Code, Diagnostic, suggest};
use crate::header::proto;
use crate::input::service;
use crate::input::word::Flaw;
use nom::bytes::complete::take_while1;
use nom::combinator::cut;
use nom::sequence::{preceded, terminated};
use nom::{Offset, Parser};
use std::cell::RefCell;

/// How deep sets and `not` may be nested.
pub(super) const MAX_DEPTH: usize = 64;

/// What a term may speak of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    /// Addresses, zones, labels, the device itself.
    Places,
    /// Protocols and ports.
    Services,
    /// Names of interfaces.
    Interfaces,
    /// Places or services, as in a definition.
    Either,
}

impl Want {
    fn phrase(self) -> &'static str {
        match self {
            Want::Places => "a place",
            Want::Services => "a service",
            Want::Interfaces => "the name of an interface",
            Want::Either => "an address or a service",
        }
    }

    fn example(self) -> &'static str {
        match self {
            Want::Places => "such as `any`, `self`, `zone NAME`, `10.1.0.0/24`, `$NAME` or `{ …, … }`",
            Want::Services => "such as `any`, `tcp/443`, `icmp/echo-request`, `gre`, `$NAME` or `{ …, … }`",
            Want::Interfaces => "such as `eth0` or `{ eth0, eth1 }`",
            Want::Either => "such as `10.1.0.0/24`, `tcp/443` or `{ …, … }`",
        }
    }
}

/// Reads one file. Flaws inside of words are noted here and reading goes on behind the word.
pub(super) struct Reader<'a> {
    pub(super) places: Places<'a>,
    noted: RefCell<Vec<Diagnostic>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(places: Places<'a>) -> Reader<'a> {
        Reader { places, noted: RefCell::new(Vec::new()) }
    }

    /// Notes something that does not end the statement.
    pub(super) fn note(&self, diagnostic: Diagnostic) {
        self.noted.borrow_mut().push(diagnostic);
    }

    /// Notes a flaw of a word.
    pub(super) fn flaw(&self, flaw: Flaw<'_>) {
        self.note(flaw.diagnostic(self.places.text, self.places.source));
    }

    /// How much was noted.
    pub(super) fn count(&self) -> usize {
        self.noted.borrow().len()
    }

    /// Everything noted.
    pub(super) fn into_noted(self) -> Vec<Diagnostic> {
        self.noted.into_inner()
    }

    /// A term.
    pub(super) fn term(&self, text: &'a str, want: Want) -> Parsed<'a, Term<'a>> {
        self.nested(text, want, 0)
    }

    fn nested(&self, text: &'a str, want: Want, depth: usize) -> Parsed<'a, Term<'a>> {
        if depth > MAX_DEPTH {
            let message = format!("sets and `not` are nested more than {MAX_DEPTH} deep");
            return Trouble::because(text, Code::Limit, message).fail();
        }
        match text.as_bytes().first() {
            Some(b'{') => self.set(text, want, depth),
            Some(b'$') => self.defined(text),
            Some(_) | None => match peek(text) {
                "not" => {
                    let (rest, not) = word(text, "`not`")?;
                    let (rest, inner) = self.nested(rest, want, depth + 1)?;
                    let span = self.places.span(not).to(inner.span);
                    Ok((rest, Term { kind: TermKind::Not(Box::new(inner)), span }))
                }
                "any" => self.plain(text, TermKind::Any),
                "" => self.unexpected(text, want).fail(),
                first if is_keyword(first) && want != Want::Interfaces => self.unexpected(text, want).fail(),
                first => self.leaf(text, first, want),
            },
        }
    }

    fn unexpected(&self, text: &'a str, want: Want) -> Trouble<'a> {
        Trouble::expected(text, want.phrase()).help(Some(want.example().to_owned()))
    }

    /// A term of one word.
    fn plain(&self, text: &'a str, kind: TermKind<'a>) -> Parsed<'a, Term<'a>> {
        let (rest, found) = word(text, "a word")?;
        Ok((rest, Term { kind, span: self.places.span(found) }))
    }

    fn leaf(&self, text: &'a str, first: &'a str, want: Want) -> Parsed<'a, Term<'a>> {
        match want {
            Want::Interfaces => self.interface(text, first),
            Want::Services => self.service(text, first),
            Want::Places | Want::Either => match first {
                "self" => self.plain(text, TermKind::Own),
                "zone" => self.zone(text),
                "label" => self.label(text),
                _ if address::looks_like_address(first) => self.address(text),
                _ if want == Want::Either && names_protocol(first) => self.service(text, first),
                _ => {
                    self.flaw(stranger(first, want));
                    self.plain(text, TermKind::Bad)
                }
            },
        }
    }

    fn interface(&self, text: &'a str, first: &'a str) -> Parsed<'a, Term<'a>> {
        if first.ends_with(['+', '*']) {
            let flaw = Flaw::new(first, Code::Policy, format!("`{first}` is a pattern, not an interface"));
            self.flaw(flaw.help("name each interface: `{ eth0, eth1 }`"));
            return self.plain(text, TermKind::Bad);
        }
        self.plain(text, TermKind::Interface(first))
    }

    fn service(&self, text: &'a str, first: &'a str) -> Parsed<'a, Term<'a>> {
        if address::looks_like_address(first) && first.contains(['.', ':']) {
            let flaw = Flaw::new(first, Code::Policy, format!("`{first}` is an address, not a service"));
            self.flaw(flaw.help("addresses stand behind `from` and `to`"));
            return self.plain(text, TermKind::Bad);
        }
        match service::read_word(first) {
            Ok(service) => self.plain(text, TermKind::Service(service)),
            Err(flaw) => {
                self.flaw(flaw);
                self.plain(text, TermKind::Bad)
            }
        }
    }

    fn zone(&self, text: &'a str) -> Parsed<'a, Term<'a>> {
        let (rest, zone) = word(text, "`zone`")?;
        if rest.starts_with('{') {
            let help = "write `zone` before each name: `{ zone a, zone b }`";
            return Trouble::expected(rest, "the name of a zone").help(Some(help.to_owned())).fail();
        }
        let (rest, name) = cut(|i| word(i, "the name of a zone")).parse(rest)?;
        let span = self.places.span(zone).to(self.places.span(name));
        Ok((rest, Term { kind: TermKind::Zone(self.places.spanned(name)), span }))
    }

    fn label(&self, text: &'a str) -> Parsed<'a, Term<'a>> {
        let (rest, label) = word(text, "`label`")?;
        let (rest, key) = cut(|i| word(i, "the key of a label")).parse(rest)?;
        if !rest.starts_with('=') {
            let help = format!("a label is written `label {key}=VALUE`");
            return Trouble::expected(rest, "`=`").help(Some(help)).fail();
        }
        let value = preceded(symbol('='), |i| word(i, "the value of a label"));
        let (rest, value) = cut(value).parse(rest)?;
        let span = self.places.span(label).to(self.places.span(value));
        let kind = TermKind::Label(self.places.spanned(key), self.places.spanned(value));
        Ok((rest, Term { kind, span }))
    }

    /// `$NAME`.
    fn defined(&self, text: &'a str) -> Parsed<'a, Term<'a>> {
        let name = text.strip_prefix('$').unwrap_or("");
        match terminated(take_while1::<_, _, Trouble<'_>>(is_word), blank).parse(name) {
            Ok((rest, name)) => {
                let span = self.places.span(&text[..1]).to(self.places.span(name));
                Ok((rest, Term { kind: TermKind::Defined(name), span }))
            }
            Err(_) => Trouble::expected(text, "the name of a definition behind `$`").fail(),
        }
    }

    /// An address, a prefix, or a range, which may have blanks around its `-`.
    fn address(&self, text: &'a str) -> Parsed<'a, Term<'a>> {
        let (mut rest, first) = word(text, "an address")?;
        let mut whole = first;
        let dash_follows = peek(rest).starts_with('-');
        if first.ends_with('-') || dash_follows {
            let (mut behind, mut last) = (rest, first);
            if dash_follows {
                (behind, last) = word(behind, "an address")?;
            }
            if last.ends_with('-') {
                (behind, last) = cut(|i| word(i, "the last address of the range")).parse(behind)?;
            }
            rest = behind;
            whole = &text[..text.offset(last) + last.len()];
            let low = first.trim_end_matches('-');
            let ends = address::read_address(low)
                .and_then(|low| Ok((low, address::read_address(last.trim_start_matches('-'))?)))
                .and_then(|(low, high)| address::read_range(whole, low, high));
            return Ok((rest, self.read(whole, ends.map(TermKind::Range))));
        }
        Ok((rest, self.read(whole, address::read_word(whole))))
    }

    /// The term of a word that was read, or noted as bad.
    fn read(&self, whole: &'a str, kind: Result<TermKind<'a>, Flaw<'a>>) -> Term<'a> {
        let span = self.places.span(whole);
        let kind = kind.unwrap_or_else(|flaw| {
            self.flaw(flaw);
            TermKind::Bad
        });
        Term { kind, span }
    }

    fn set(&self, text: &'a str, want: Want, depth: usize) -> Parsed<'a, Term<'a>> {
        let open = self.places.span(&text[..1]);
        let (mut rest, _) = symbol('{')(text)?;
        let mut members = Vec::new();
        loop {
            if rest.starts_with('}') {
                let span = open.to(self.places.span(&rest[..1]));
                let mut kind = TermKind::Set(members);
                if matches!(&kind, TermKind::Set(members) if members.is_empty()) {
                    let message = "a set has at least one member";
                    self.note(Diagnostic::error(Code::Policy, span, message).help(want.example()));
                    kind = TermKind::Bad;
                }
                let (rest, _) = symbol('}')(rest)?;
                return Ok((rest, Term { kind, span }));
            }
            let (behind, member) = self.nested(rest, want, depth + 1)?;
            members.push(member);
            rest = match behind.as_bytes().first() {
                Some(b',') => symbol(',')(behind)?.0,
                Some(b'}') => behind,
                Some(_) | None => {
                    return Trouble::expected(behind, "`,` or `}`").also(open, "the set begins here").fail();
                }
            };
        }
    }
}

/// Whether a word begins with the name of a protocol.
fn names_protocol(word: &str) -> bool {
    let name = word.split('/').next().unwrap_or("");
    name == "proto" || proto::number(name).is_some() || service::read_word(word).is_ok()
}

/// A word that is none of those that a term begins with.
fn stranger(first: &str, want: Want) -> Flaw<'_> {
    if names_protocol(first) {
        let flaw = Flaw::new(first, Code::Policy, format!("`{first}` is a service, not a place"));
        return flaw.help(format!("write `service {first}`"));
    }
    let message = format!("expected {}, found {}", want.phrase(), describe(token(first)));
    let known = ["any", "self", "zone", "label", "not"];
    let help = suggest(first, known).unwrap_or_else(|| {
        format!("`zone {first}` is a zone, `${first}` a definition, both declared elsewhere")
    });
    Flaw::new(first, Code::Policy, message).help(help)
}
