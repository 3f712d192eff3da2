//! One rule: the words behind `-A CHAIN`.

use super::Context;
use super::condition::Condition;
use super::known::{self, Core};
use super::marks;
use super::matches;
use super::names;
use super::nat;
use super::set::{self, OpenSet};
use super::target::{self, Does, Effect, Verdict};
use super::token::Token;
use super::values::{self, Addresses};
use crate::diag::{Code, Diagnostic, suggest};
use crate::header::{AddressRange, Family, proto};
use crate::model::{Marked, Match, Test};
use crate::source::{Span, Spanned};

/// A rule as it is read.
#[derive(Debug, Clone)]
pub(super) struct ParsedRule {
    /// The whole line.
    pub(super) span: Span,
    /// All of these must hold.
    pub(super) conditions: Vec<Condition>,
    /// What it does then.
    pub(super) verdict: Verdict,
}

impl ParsedRule {
    /// Whether a condition asks for the mark of a connection.
    pub(super) fn asks_connection_mark(&self) -> bool {
        self.conditions.iter().any(|one| one.asks_mark(&|of| of == Marked::Connection))
    }
}

/// Reads the words of a rule.
pub(super) struct RuleReader<'c, 'a, 's> {
    pub(super) context: &'c mut Context<'s>,
    tokens: &'a [Token<'a>],
    at: usize,
    pub(super) conditions: Vec<Condition>,
    verdict: Verdict,
    verdict_span: Option<Span>,
    /// The protocol that `-p` names without `!`, if it is known.
    protocol: Option<u8>,
    /// What needs a protocol, and which ones will do.
    needs: Vec<(Span, &'static [u8])>,
    /// The conditions of `-m addrtype`, with their places.
    address_types: Vec<(usize, Span)>,
    /// Whether they look at one interface only, so that none means what it says.
    limited: bool,
    /// A match of a set whose options are being read.
    pub(super) set: Option<OpenSet>,
    /// Whose marks the last match asks for that asks for some.
    pub(super) marked: Option<Marked>,
    /// Words of a match that is not understood; further options of it are added.
    foreign: Option<Span>,
}

/// Whether an option belongs to iptables itself, or begins another match or the target.
fn is_core(option: &str) -> bool {
    known::core(option).is_some()
}

/// Where a chain of the table stands, by its name.
pub(super) type Chains<'f> = &'f dyn Fn(&str) -> Option<usize>;

/// An option that is being read: whether it is negated, and where it begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    pub(super) negated: bool,
    pub(super) span: Span,
}

pub(super) type Outcome<T> = Result<T, Diagnostic>;

pub(super) fn error(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(Code::Dump, span, message)
}

/// Reads a rule from its words behind the name of its chain.
pub(super) fn read(
    tokens: &[Token<'_>],
    span: Span,
    chains: Chains<'_>,
    context: &mut Context<'_>,
) -> Outcome<ParsedRule> {
    let mut reader = RuleReader {
        context,
        tokens,
        at: 0,
        conditions: Vec::new(),
        verdict: Verdict::Continue,
        verdict_span: None,
        protocol: None,
        needs: Vec::new(),
        address_types: Vec::new(),
        limited: false,
        set: None,
        marked: None,
        foreign: None,
    };
    while let Some(token) = reader.next() {
        let mut opening = Opening { negated: false, span: token.span };
        let mut option = token;
        if token.is("!") {
            opening.negated = true;
            option = reader.next().ok_or_else(|| error(token.span, "nothing behind `!`"))?;
            opening.span = opening.span.to(option.span);
        }
        reader.option(option, opening, chains)?;
    }
    reader.close_match();
    reader.check_needs()?;
    reader.limit_address_types();
    let RuleReader { conditions, verdict, .. } = reader;
    Ok(ParsedRule { span, conditions, verdict })
}

impl<'a> RuleReader<'_, 'a, '_> {
    fn next(&mut self) -> Option<&'a Token<'a>> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token)
    }

    fn peek(&self) -> Option<&'a Token<'a>> {
        self.tokens.get(self.at)
    }

    /// The value of an option. Old versions of iptables wrote `-s ! 10.0.0.0/8`: the mark is taken here too.
    pub(super) fn value(&mut self, opening: &mut Opening) -> Outcome<Spanned<&'a str>> {
        if !opening.negated && self.peek().is_some_and(|token| token.is("!")) {
            opening.negated = true;
            self.at += 1;
        }
        match self.peek() {
            Some(token) if !token.is_option() => {
                self.at += 1;
                opening.span = opening.span.to(token.span);
                Ok(Spanned::new(token.text.as_ref(), token.span))
            }
            Some(_) | None => Err(error(opening.span, "an option without its value")),
        }
    }

    /// The place from an option to the last word that has been read.
    pub(super) fn upto(&self, opening: Opening) -> Span {
        let last = self.at.checked_sub(1).and_then(|last| self.tokens.get(last));
        last.map_or(opening.span, |last| opening.span.to(last.span))
    }

    /// Adds a condition that is written at a place.
    pub(super) fn push(&mut self, condition: Condition, span: Span) {
        self.context.claim(span);
        self.conditions.push(condition);
    }

    /// Adds a condition on the type of an address.
    pub(super) fn push_address_type(&mut self, condition: Condition, span: Span) {
        self.address_types.push((self.conditions.len(), span));
        self.push(condition, span);
    }

    /// Takes `--limit-iface-in` or `--limit-iface-out`: an own address of another interface is `UNICAST` then.
    pub(super) fn limit_to_interface(&mut self, opening: Opening) {
        self.limited = true;
        self.context.claim(opening.span);
    }

    fn limit_address_types(&mut self) {
        if !self.limited {
            return;
        }
        for (index, span) in std::mem::take(&mut self.address_types) {
            self.conditions[index] = self.context.not_understood(span);
        }
    }

    /// Remembers that a condition needs one of some protocols.
    pub(super) fn need(&mut self, span: Span, protocols: &'static [u8]) {
        self.needs.push((span, protocols));
    }

    fn check_needs(&self) -> Outcome<()> {
        for (span, protocols) in &self.needs {
            if !self.protocol.is_some_and(|protocol| protocols.contains(&protocol)) {
                let names: Vec<&str> = protocols.iter().filter_map(|number| proto::name(*number)).collect();
                let message = "this condition needs a protocol that has such a field";
                return Err(error(*span, message).help(format!("`-p` with one of: {}", names.join(", "))));
            }
        }
        Ok(())
    }

    fn option(&mut self, option: &'a Token<'a>, opening: Opening, chains: Chains<'_>) -> Outcome<()> {
        if option.quoted {
            return Err(error(option.span, format!("unexpected text `{}`", option.text)));
        }
        let text = option.text.as_ref();
        if let Some(core) = known::core(text) {
            self.close_match();
            return self.core_option(core, opening, chains);
        }
        if text.starts_with("--") {
            match matches::option(self, text, opening)? {
                true => self.close_foreign(),
                false => self.foreign_option(opening),
            }
            return Ok(());
        }
        // What iptables-save prints of a rule that it cannot show.
        if text.starts_with(['-', '[']) {
            self.foreign_option(opening);
            return Ok(());
        }
        Err(error(option.span, format!("unexpected word `{text}`")))
    }

    fn core_option(&mut self, core: Core, opening: Opening, chains: Chains<'_>) -> Outcome<()> {
        match core {
            Core::Protocol => self.protocol(opening),
            Core::Source => self.addresses(opening, Test::Source),
            Core::Destination => self.addresses(opening, Test::Destination),
            Core::Incoming => self.interface(opening, Test::InName),
            Core::Outgoing => self.interface(opening, Test::OutName),
            Core::Fragment => {
                match self.context.family {
                    Family::V4 => self.push(Condition::fragment(opening), opening.span),
                    Family::V6 => self.foreign_option(opening),
                }
                Ok(())
            }
            Core::Match => self.module(opening),
            Core::Jump => self.jump(opening, chains),
            Core::Goto => self.goto(opening, chains),
            Core::Counters => self.counters(opening),
        }
    }

    /// Takes an option that nobody here knows, with its values, as part of a match that is not understood.
    pub(super) fn foreign_option(&mut self, opening: Opening) {
        while self.peek().is_some_and(|token| !token.is_option()) {
            self.at += 1;
        }
        let span = self.upto(opening);
        self.foreign = Some(self.foreign.map_or(span, |so_far| so_far.to(span)));
    }

    /// Ends the match whose options were read, whether it is understood or not.
    fn close_match(&mut self) {
        set::close(self);
        self.close_foreign();
    }

    /// Ends a match that is not understood.
    fn close_foreign(&mut self) {
        if let Some(span) = self.foreign.take() {
            let condition = self.context.not_understood(span);
            self.push(condition, span);
        }
    }

    fn counters(&mut self, mut opening: Opening) -> Outcome<()> {
        for _ in 0..2 {
            let count = self.value(&mut opening)?;
            if count.value.parse::<u64>().is_err() {
                return Err(error(count.span, format!("`{}` is not a count", count.value)));
            }
        }
        self.context.claim(opening.span);
        Ok(())
    }

    fn protocol(&mut self, mut opening: Opening) -> Outcome<()> {
        let word = self.value(&mut opening)?;
        let span = opening.span;
        let number = names::protocol(word.value);
        let any = word.value == "all" || number == Some(0);
        let v6 = self.context.family == Family::V6;
        let condition = match number {
            _ if any && opening.negated => Condition::never(),
            _ if any => Condition::always(),
            // Linux walks over these headers of IPv6 and compares the protocol behind them.
            Some(43 | 44 | 51 | 60) if v6 => self.context.not_understood(span).inside(),
            Some(number) => {
                let one = [(number, number)];
                let ranges = if opening.negated { super::condition::other_bytes(&one) } else { one.to_vec() };
                let condition = Condition::test(Test::Protocol(ranges), false, span);
                // The protocol of a later fragment of IPv6 stands in the first one only.
                if v6 { condition.inside() } else { condition }
            }
            None => self.context.not_understood(span),
        };
        if !opening.negated {
            self.protocol = number.filter(|_| !any);
        }
        self.push(condition, span);
        Ok(())
    }

    fn addresses(&mut self, mut opening: Opening, test: fn(Vec<AddressRange>) -> Test) -> Outcome<()> {
        let text = self.value(&mut opening)?;
        let parsed = values::addresses(text.value, self.context.family);
        let parsed = parsed.map_err(|message| Diagnostic::error(Code::Address, text.span, message))?;
        if opening.negated && text.value.contains(',') {
            return Err(error(opening.span, "several addresses cannot be negated together"));
        }
        self.push_addresses(parsed, test, opening);
        Ok(())
    }

    /// Adds a condition on the source or the destination.
    pub(super) fn push_addresses(
        &mut self,
        addresses: Addresses,
        test: fn(Vec<AddressRange>) -> Test,
        opening: Opening,
    ) {
        let all =
            |ranges: &[AddressRange]| ranges.iter().any(|range| *range == AddressRange::all(range.family()));
        let condition = match addresses {
            Addresses::Ranges(ranges) if all(&ranges) && opening.negated => Condition::never(),
            Addresses::Ranges(ranges) if all(&ranges) => Condition::always(),
            Addresses::Ranges(ranges) => Condition::test(test(ranges), opening.negated, opening.span),
            Addresses::Unclear => self.context.not_understood(opening.span),
        };
        self.push(condition, opening.span);
    }

    fn interface(&mut self, mut opening: Opening, test: fn(String) -> Test) -> Outcome<()> {
        let name = self.value(&mut opening)?;
        // `+` alone fits also where there is no interface.
        let condition = match (name.value, opening.negated) {
            ("+", false) => Condition::always(),
            ("+", true) => Condition::never(),
            (name, negated) => Condition::test(test(name.to_owned()), negated, opening.span),
        };
        self.push(condition, opening.span);
        Ok(())
    }

    fn module(&mut self, mut opening: Opening) -> Outcome<()> {
        let name = self.value(&mut opening)?;
        if !matches::module(self, name, opening) {
            self.foreign = Some(opening.span);
        }
        Ok(())
    }

    fn set_verdict(&mut self, verdict: Verdict, span: Span) -> Outcome<()> {
        if let Some(first) = self.verdict_span {
            return Err(error(span, "a rule with two targets").also(first, "first here"));
        }
        self.context.claim(span);
        self.verdict = verdict;
        self.verdict_span = Some(span);
        Ok(())
    }

    fn jump(&mut self, mut opening: Opening, chains: Chains<'_>) -> Outcome<()> {
        let name = self.value(&mut opening)?;
        if let Some(chain) = chains(name.value) {
            return self.set_verdict(Verdict::Jump(chain), opening.span);
        }
        let known = target::known(name.value);
        self.context.tracks |= known.is_some_and(|target| target.tracks);
        let mut skip = || self.target_options(|option| known.is_some_and(|target| target.takes(option)));
        let verdict = match known.map(|target| (target, target.does)) {
            Some((_, Does::Accept)) => Verdict::Accept,
            Some((_, Does::Drop)) => Verdict::Drop,
            Some((_, Does::Return)) => Verdict::Return,
            Some((_, Does::Reject)) => {
                skip();
                Verdict::Reject
            }
            Some((_, Does::Log)) => {
                skip();
                Verdict::Continue
            }
            Some((target, Does::Copy)) => {
                skip();
                Verdict::Log(Spanned::new(target.name, opening.span))
            }
            Some((target, Does::Translate)) => nat::read(self, target, opening)?,
            Some((_, Does::Set)) => set::target(self, opening)?,
            Some((_, Does::Mark(of))) => marks::target(self, of, opening)?,
            Some((_, Does::Other(effect))) => self.other_target(opening, effect),
            None => {
                let before = opening.span;
                let verdict = self.other_target(opening, Effect::Havoc);
                if !target::is_target_name(name.value) && self.upto(opening) == before {
                    return Err(undefined(name, opening.span));
                }
                verdict
            }
        };
        self.set_verdict(verdict, self.upto(opening))
    }

    /// A target that is not understood, with its options.
    fn other_target(&mut self, opening: Opening, effect: Effect) -> Verdict {
        self.target_options(|option| !is_core(option));
        Verdict::Unknown { span: self.upto(opening), effect }
    }

    /// Takes the options behind a target that belong to it, with their values.
    fn target_options(&mut self, is_own: impl Fn(&str) -> bool) {
        while self.peek().is_some_and(|token| token.is_option() && !token.is("!") && is_own(&token.text)) {
            self.at += 1;
            while self.peek().is_some_and(|token| !token.is_option()) {
                self.at += 1;
            }
        }
    }

    /// The next option behind a target that belongs to it, with its value.
    pub(super) fn target_option(&mut self) -> Option<(Spanned<&'a str>, Option<Spanned<&'a str>>)> {
        let is_own = |token: &&Token<'a>| token.is_option() && !token.is("!") && !is_core(&token.text);
        let option = self.peek().filter(is_own)?;
        self.at += 1;
        let value = self.peek().filter(|token| !token.is_option());
        self.at += usize::from(value.is_some());
        let spanned = |token: &'a Token<'a>| Spanned::new(token.text.as_ref(), token.span);
        Some((spanned(option), value.map(spanned)))
    }

    /// The next word behind a target, if it is no option.
    pub(super) fn target_value(&mut self) -> Option<&'a Token<'a>> {
        let value = self.peek().filter(|token| !token.is_option());
        self.at += usize::from(value.is_some());
        value
    }

    fn goto(&mut self, mut opening: Opening, chains: Chains<'_>) -> Outcome<()> {
        let name = self.value(&mut opening)?;
        let chain = chains(name.value).ok_or_else(|| undefined(name, opening.span))?;
        self.set_verdict(Verdict::Goto(chain), opening.span)
    }
}

fn undefined(name: Spanned<&str>, span: Span) -> Diagnostic {
    let hint = suggest(name.value, ["ACCEPT", "DROP", "REJECT", "RETURN", "LOG"]);
    let message = format!("no chain `{}` is declared in this table", name.value);
    let help = "every chain has a line `:NAME …` before the rules; the dump may be cut or edited".to_owned();
    Diagnostic::error(Code::UnknownName, span, message).help(hint.unwrap_or(help))
}

impl Condition {
    fn fragment(opening: Opening) -> Condition {
        let holds = super::condition::Holds::Fragment { later: !opening.negated, span: opening.span };
        Condition { holds, looks_inside: false }
    }
}

/// A match that is not negated.
pub(super) fn plain(test: Test, span: Span) -> Match {
    Match { test, negated: false, span }
}
