//! Statements, and how reading goes on behind one that cannot be read.

use super::ast::{DefaultAction, Define, File, Nat, Policy, Rule, Side, Statement, Translation};
use super::lex::{Parsed, Places, Trouble, blank, keyword, name, peek, symbol, token};
use super::rule::STATEMENTS;
use super::term::{Reader, Want};
use crate::diag::{Code, Diagnostic, Diagnostics, suggest};
use crate::source::{SourceId, Span};
use nom::Parser;
use nom::combinator::cut;
use nom::sequence::preceded;
use std::collections::HashMap;

/// How many errors one file may show. Behind them nothing is read, and that is said.
const MAX_ERRORS: usize = 100;

/// Reads a policy file. What cannot be read is reported, and reading goes on with the next statement; the
/// tree then lacks that statement, so whoever gets errors must not use the tree for a verdict.
pub fn parse<'a>(text: &'a str, source: SourceId, diagnostics: &mut Diagnostics) -> File<'a> {
    let reader = Reader::new(Places { text, source });
    let mut rest = skip(text.strip_prefix('\u{feff}').unwrap_or(text));
    let mut statements = Vec::new();
    while !rest.is_empty() {
        if reader.count() >= MAX_ERRORS {
            reader.give_up(rest);
            break;
        }
        match reader.statement(rest) {
            Ok((behind, statement)) => {
                statements.push(statement);
                rest = behind;
            }
            Err(error) => rest = reader.recover(rest, error, Level::File),
        }
    }
    let file = File { text, source, statements };
    reader.check_names(&file);
    for diagnostic in reader.into_noted() {
        diagnostics.push(diagnostic);
    }
    file
}

/// Skips blanks and comments; there is no way in which that fails.
fn skip(text: &str) -> &str {
    blank(text).map_or(text, |(rest, ())| rest)
}

impl<'a> Reader<'a> {
    fn give_up(&self, rest: &str) {
        let span = self.places.span(token(rest));
        let message = format!("more than {MAX_ERRORS} errors; the rest of the file was not read");
        self.note(Diagnostic::error(Code::Limit, span, message));
    }

    fn statement(&self, text: &'a str) -> Parsed<'a, Statement<'a>> {
        match peek(text) {
            "define" => self.define(text).map(|(rest, define)| (rest, Statement::Define(define))),
            "policy" => self.policy(text).map(|(rest, policy)| (rest, Statement::Policy(policy))),
            "nat" => self.nat(text).map(|(rest, nat)| (rest, Statement::Nat(nat))),
            found => {
                let help = match found {
                    "rule" | "default" => Some("rules stand inside of `policy NAME { … }`".to_owned()),
                    "snat" | "dnat" => Some("translations stand inside of `nat NAME { … }`".to_owned()),
                    _ if text.starts_with('}') => Some("nothing is open here: leave it out".to_owned()),
                    _ => suggest(found, ["define", "policy", "nat"]),
                };
                Trouble::expected(text, "`define`, `policy` or `nat`").help(help).fail()
            }
        }
    }

    fn define(&self, text: &'a str) -> Parsed<'a, Define<'a>> {
        let (rest, start) = keyword("define")(text)?;
        let (rest, name) = cut(|i| name(i, "the name of a definition")).parse(rest)?;
        let (rest, value) = cut(preceded(symbol('='), |i| self.term(i, Want::Either))).parse(rest)?;
        let span = self.places.span(start).to(value.span);
        Ok((rest, Define { name: self.places.spanned(name), value, span }))
    }

    /// `policy NAME {` or `nat NAME {`: the rest, the name, the header, and the brace.
    fn opening(
        &self,
        text: &'a str,
        word: &'static str,
        what: &'static str,
    ) -> Parsed<'a, (&'a str, Span, Span)> {
        let (rest, start) = keyword(word)(text)?;
        let (rest, name) = cut(|i| name(i, what)).parse(rest)?;
        let header = self.places.span(start).to(self.places.span(name));
        let (rest, open) = cut(symbol('{')).parse(rest)?;
        Ok((rest, (name, header, self.places.span(open))))
    }

    fn policy(&self, text: &'a str) -> Parsed<'a, Policy<'a>> {
        let (rest, (name, header, open)) = self.opening(text, "policy", "the name of a policy")?;
        let name = self.places.spanned(name);
        let mut policy =
            Policy { name, header, default: None, rules_above_default: 0, rules: Vec::new(), span: header };
        let before = self.count();
        let (rest, end) = self.block(rest, open, header, &mut |inner| match peek(inner) {
            "rule" => {
                let (rest, rule) = self.rule(inner)?;
                policy.rules.push(rule);
                Ok((rest, ()))
            }
            "default" => {
                let (rest, default) = self.default(inner)?;
                match policy.default {
                    Some(first) => self.second_default(default.span, first.span),
                    None => {
                        policy.rules_above_default = policy.rules.len();
                        policy.default = Some(default);
                    }
                }
                Ok((rest, ()))
            }
            found => {
                let help = suggest(found, ["rule", "default"]);
                Trouble::expected(inner, "`rule`, `default` or `}`").help(help).fail()
            }
        });
        policy.span = header.to(end);
        if policy.default.is_none() && self.count() == before {
            let message = format!("policy `{}` does not state its default", name.value);
            let help = "write `default deny`; it settles what no rule matches";
            self.note(Diagnostic::error(Code::MissingKey, header, message).help(help));
        }
        Ok((rest, policy))
    }

    fn default(&self, text: &'a str) -> Parsed<'a, DefaultAction> {
        let (rest, start) = keyword("default")(text)?;
        let (mut rest, verb) = self.verb(rest)?;
        let mut span = self.places.span(start).to(verb.span);
        let log = peek(rest) == "log";
        if log {
            let (behind, word) = keyword("log")(rest)?;
            span = span.to(self.places.span(word));
            rest = behind;
        }
        Ok((rest, DefaultAction { verb: verb.value, log, span }))
    }

    fn second_default(&self, again: Span, first: Span) {
        let diagnostic = Diagnostic::error(Code::DuplicateKey, again, "the default is stated twice");
        self.note(diagnostic.also(first, "first here").help("leave one of the two out"));
    }

    fn nat(&self, text: &'a str) -> Parsed<'a, Nat<'a>> {
        let (rest, (name, header, open)) =
            self.opening(text, "nat", "the name of the policy it belongs to")?;
        let mut translations: Vec<Translation<'a>> = Vec::new();
        let (rest, end) = self.block(rest, open, header, &mut |inner| {
            let side = match peek(inner) {
                "snat" => Side::Source,
                "dnat" => Side::Destination,
                found => {
                    let help = match found {
                        "masquerade" => Some("write `snat … as interface`".to_owned()),
                        _ => suggest(found, ["snat", "dnat"]),
                    };
                    return Trouble::expected(inner, "`snat`, `dnat` or `}`").help(help).fail();
                }
            };
            let (rest, translation) = self.translation(inner, side)?;
            translations.push(translation);
            Ok((rest, ()))
        });
        let span = header.to(end);
        Ok((rest, Nat { name: self.places.spanned(name), header, translations, span }))
    }

    /// Reads statements up to the closing brace, whose place is returned, going on behind those that cannot be
    /// read. A block that is not closed ends where a statement begins that cannot stand in it.
    fn block(
        &self,
        mut text: &'a str,
        open: Span,
        header: Span,
        one: &mut dyn FnMut(&'a str) -> Parsed<'a, ()>,
    ) -> (&'a str, Span) {
        let mut failed = false;
        loop {
            if let Some(rest) = text.strip_prefix('}') {
                return (skip(rest), self.places.span(&text[..1]));
            }
            if text.is_empty() && failed {
                // Whatever could not be read took the closing brace with it.
                return (text, open);
            }
            if text.is_empty() || matches!(peek(text), "define" | "policy" | "nat") {
                let name = self.places.text.get(header.start as usize..header.end as usize).unwrap_or("");
                let message = format!("`{name}` is not closed");
                let span = self.places.span(token(text));
                let diagnostic =
                    Diagnostic::error(Code::Syntax, span, message).label("expected `}` before this");
                self.note(diagnostic.also(open, "opened here"));
                return (text, open);
            }
            if self.count() >= MAX_ERRORS {
                self.give_up(text);
                return (&text[text.len()..], open);
            }
            match one(text) {
                Ok((rest, ())) => (text, failed) = (rest, false),
                Err(error) => (text, failed) = (self.recover(text, error, Level::Block), true),
            }
        }
    }

    /// Notes why a statement cannot be read, and finds where to go on.
    fn recover(&self, start: &'a str, error: nom::Err<Trouble<'a>>, level: Level) -> &'a str {
        let trouble = match error {
            nom::Err::Error(trouble) | nom::Err::Failure(trouble) => trouble,
            nom::Err::Incomplete(_) => Trouble::expected(start, "more"),
        };
        let failed_at = start.len() - trouble.at.len();
        self.note(trouble.diagnostic(self.places.text, self.places.source));
        skip(&start[resume(start, failed_at, level)..])
    }

    /// Names that are given twice.
    fn check_names(&self, file: &File<'a>) {
        self.unique(file.defines().map(|define| (define.name.value, define.name.span)), "definition");
        self.unique(file.policies().map(|policy| (policy.name.value, policy.name.span)), "policy");
        self.unique(file.nats().map(|nat| (nat.name.value, nat.name.span)), "nat");
        for policy in file.policies() {
            self.unique(policy.rules.iter().map(|rule: &Rule<'a>| (rule.name.value, rule.name.span)), "rule");
        }
    }

    fn unique(&self, names: impl Iterator<Item = (&'a str, Span)>, what: &str) {
        let mut seen: HashMap<&str, Span> = HashMap::new();
        for (name, span) in names {
            if let Some(first) = seen.get(name) {
                let message = format!("the {what} `{name}` is written twice");
                let diagnostic = Diagnostic::error(Code::DuplicateKey, span, message);
                self.note(diagnostic.also(*first, "first here").help("give one of the two another name"));
                continue;
            }
            seen.insert(name, span);
        }
    }
}

/// Where a statement that cannot be read stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    /// In the file.
    File,
    /// Between the braces of a policy or of translations.
    Block,
}

impl Level {
    /// Whether a word begins a statement here, or ends the block.
    fn begins(self, word: &str) -> bool {
        match self {
            Level::File => matches!(word, "define" | "policy" | "nat"),
            Level::Block => STATEMENTS.contains(&word),
        }
    }
}

/// The offset at which reading goes on behind a statement that failed at `failed_at`: behind the brace that
/// closes it, before the brace that closes its block, or at the first line that begins like a statement.
fn resume(start: &str, failed_at: usize, level: Level) -> usize {
    let (mut depth, mut line_is_blank) = (0_usize, false);
    let (mut in_comment, mut in_quotes, mut escaped) = (false, false, false);
    for (at, byte) in start.bytes().enumerate() {
        if byte == b'\n' {
            (line_is_blank, in_comment, in_quotes, escaped) = (true, false, false, false);
        } else if in_comment || escaped {
            escaped = false;
        } else if in_quotes {
            escaped = byte == b'\\';
            in_quotes = byte != b'"';
        } else if !byte.is_ascii_whitespace() {
            if line_is_blank && at >= failed_at && level.begins(peek(&start[at..])) {
                return at;
            }
            line_is_blank = false;
            match byte {
                b'#' => in_comment = true,
                b'"' => in_quotes = true,
                b'{' => depth += 1,
                b'}' if depth == 0 && at >= failed_at && level == Level::Block => return at,
                b'}' if depth <= 1 && at >= failed_at => return at + 1,
                b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
    }
    start.len()
}
