//! `fmt`: one layout for every policy file, with its comments.
//!
//! A statement stands on one line if it fits and holds no comment, else with one clause, or one member of a set,
//! on each line. A comment stays on a line of its own, or behind what it follows; blank lines are kept, one at
//! a time. Aliases of actions, spellings of addresses and services become the one that this tool writes.

use super::ast::{
    Clause, ClauseKind, DefaultAction, File, Flags, Nat, Policy, Rule, StateSet, Statement, Target, Term,
    TermKind, Translation,
};
use super::parse::parse;
use super::rule::state_word;
use crate::diag::Diagnostics;
use crate::header::tcp_flags;
use crate::input::service;
use crate::model::State;
use crate::source::{SourceId, Span};
use std::fmt::Write;

/// How many characters a line may have before it is broken up.
const WIDTH: usize = 100;

/// The text in the one layout, or what is wrong with it. `source` is what the diagnostics point into.
pub fn format(text: &str, source: SourceId) -> Result<String, Diagnostics> {
    let mut diagnostics = Diagnostics::default();
    let file = parse(text, source, &mut diagnostics);
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let mut writer = Writer {
        text,
        out: String::with_capacity(text.len()),
        comments: comments(text),
        next: 0,
        indent: 0,
        in_line: false,
        at_start: true,
    };
    writer.file(&file);
    Ok(writer.out)
}

/// A comment of the text.
struct Comment {
    start: usize,
    end: usize,
    /// Whether something stands before it on its line.
    trails: bool,
}

/// Finds the comments of a text that follows the grammar.
fn comments(text: &str) -> Vec<Comment> {
    let mut found = Vec::new();
    let mut line_start = 0;
    for line in text.split_inclusive('\n') {
        let (mut in_quotes, mut escaped) = (false, false);
        for (at, byte) in line.bytes().enumerate() {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_quotes => escaped = true,
                b'"' => in_quotes = !in_quotes,
                b'#' if !in_quotes => {
                    let before = line.get(..at).unwrap_or("");
                    let end = line_start + line.trim_end().len();
                    let trails = !before.trim_start_matches('\u{feff}').trim().is_empty();
                    found.push(Comment { start: line_start + at, end, trails });
                    break;
                }
                _ => {}
            }
        }
        line_start += line.len();
    }
    found
}

struct Writer<'t> {
    text: &'t str,
    out: String,
    comments: Vec<Comment>,
    /// The first comment that is not written yet.
    next: usize,
    indent: usize,
    /// Whether the last line is not ended yet.
    in_line: bool,
    /// Whether nothing stands before in this block.
    at_start: bool,
}

impl Writer<'_> {
    fn file(&mut self, file: &File<'_>) {
        for statement in &file.statements {
            self.begin(statement.span());
            match statement {
                Statement::Define(define) => {
                    let _ = write!(self.out, "define {} = ", define.name.value);
                    self.term(&define.value);
                }
                Statement::Policy(policy) => self.policy(policy),
                Statement::Nat(nat) => self.nat(nat),
            }
        }
        self.comments_before(usize::MAX);
        self.end_line();
    }

    fn end_line(&mut self) {
        if self.in_line {
            self.out.push('\n');
            self.in_line = false;
        }
    }

    /// Begins the line of something that is written at `pos`, below a blank line if it has one above it.
    fn begin_line(&mut self, pos: usize) {
        self.end_line();
        let before = self.text.get(..pos).unwrap_or("");
        let gap = &before[before.trim_end().len()..];
        if !self.at_start && gap.matches('\n').count() > 1 {
            self.out.push('\n');
        }
        self.at_start = false;
        self.pad();
    }

    fn pad(&mut self) {
        self.out.extend(std::iter::repeat_n("  ", self.indent));
    }

    /// Writes the comments that stand before a place.
    fn comments_before(&mut self, pos: usize) {
        while let Some(comment) = self.comments.get(self.next).filter(|comment| comment.start < pos) {
            let (start, end, trails) = (comment.start, comment.end, comment.trails);
            self.next += 1;
            let text = self.text;
            match trails && self.in_line {
                true => self.out.push_str("  "),
                false => self.begin_line(start),
            }
            self.out.push_str(text.get(start..end).unwrap_or(""));
            self.out.push('\n');
            self.in_line = false;
        }
    }

    /// Begins an item of its own line.
    fn begin(&mut self, span: Span) {
        self.comments_before(span.start as usize);
        self.begin_line(span.start as usize);
        self.in_line = true;
    }

    /// Opens a block behind what stands on the line.
    fn open(&mut self) {
        self.out.push('{');
        self.indent += 1;
        self.at_start = true;
    }

    /// Closes a block whose brace is the last byte of a span.
    fn close(&mut self, span: Span) {
        self.comments_before((span.end as usize).saturating_sub(1));
        self.end_line();
        self.indent -= 1;
        self.pad();
        self.out.push('}');
        self.in_line = true;
        self.at_start = false;
    }

    /// Whether a text in one line is written in place of something: it fits and no comment gets lost.
    fn fits(&self, span: Span, flat: &str) -> bool {
        let inside = self.comments.get(self.next..).unwrap_or(&[]);
        let first = inside.iter().find(|comment| comment.start >= span.start as usize);
        let line_start = self.out.rfind('\n').map_or(0, |at| at + 1);
        let used = self.out.get(line_start..).unwrap_or("").chars().count();
        first.is_none_or(|comment| comment.start >= span.end as usize) && used + flat.chars().count() <= WIDTH
    }

    fn policy(&mut self, policy: &Policy<'_>) {
        let _ = write!(self.out, "policy {} ", policy.name.value);
        self.open();
        for (position, rule) in policy.rules.iter().enumerate() {
            if position == policy.rules_above_default {
                self.default(policy.default);
            }
            self.rule(rule);
        }
        if policy.rules_above_default == policy.rules.len() {
            self.default(policy.default);
        }
        self.close(policy.span);
    }

    fn default(&mut self, default: Option<DefaultAction>) {
        if let Some(default) = default {
            self.begin(default.span);
            let log = if default.log { " log" } else { "" };
            let _ = write!(self.out, "default {}{log}", default.verb.word());
        }
    }

    fn rule(&mut self, rule: &Rule<'_>) {
        self.begin(rule.span);
        let mut flat = format!("rule {} {{ {}", rule.name.value, rule.verb.value.word());
        for clause in &rule.clauses {
            flat.push(' ');
            flat_clause(clause, &mut flat);
        }
        flat.push_str(" }");
        if self.fits(rule.span, &flat) {
            return self.out.push_str(&flat);
        }
        let _ = write!(self.out, "rule {} ", rule.name.value);
        self.open();
        self.begin(rule.verb.span);
        self.out.push_str(rule.verb.value.word());
        self.clauses(&rule.clauses);
        self.close(rule.span);
    }

    /// Clauses, one on each line.
    fn clauses(&mut self, clauses: &[Clause<'_>]) {
        for clause in clauses {
            self.begin(clause.span);
            match clause.kind.term() {
                Some(term) => {
                    let _ = write!(self.out, "{} ", clause.kind.word());
                    self.term(term);
                }
                None => flat_clause(clause, &mut self.out),
            }
        }
    }

    fn term(&mut self, term: &Term<'_>) {
        let mut flat = String::new();
        flat_term(term, &mut flat);
        if self.fits(term.span, &flat) {
            return self.out.push_str(&flat);
        }
        match &term.kind {
            TermKind::Not(inner) => {
                self.out.push_str("not ");
                self.term(inner);
            }
            TermKind::Set(members) => {
                self.open();
                for member in members {
                    self.begin(member.span);
                    self.term(member);
                    self.out.push(',');
                }
                self.close(term.span);
            }
            TermKind::Any
            | TermKind::Own
            | TermKind::Zone(_)
            | TermKind::Address(_)
            | TermKind::Prefix(_)
            | TermKind::Range(_)
            | TermKind::Label(..)
            | TermKind::Service(_)
            | TermKind::Interface(_)
            | TermKind::Defined(_)
            | TermKind::Bad => self.out.push_str(&flat),
        }
    }

    fn nat(&mut self, nat: &Nat<'_>) {
        let _ = write!(self.out, "nat {} ", nat.name.value);
        self.open();
        for translation in &nat.translations {
            self.translation(translation);
        }
        self.close(nat.span);
    }

    fn translation(&mut self, translation: &Translation<'_>) {
        self.begin(translation.span);
        let end = translation_end(translation);
        let mut flat = translation.side.word().to_owned();
        for clause in &translation.clauses {
            flat.push(' ');
            flat_clause(clause, &mut flat);
        }
        let _ = write!(flat, " {end}");
        // A comment behind `as` moves behind the whole, where it does not break the line the next time.
        let breakable = Span { end: translation.becomes.end, ..translation.span };
        if self.fits(breakable, &flat) {
            return self.out.push_str(&flat);
        }
        self.out.push_str(translation.side.word());
        self.indent += 1;
        self.clauses(&translation.clauses);
        self.begin(translation.becomes);
        self.out.push_str(&end);
        self.indent -= 1;
    }
}

/// `as TARGET [port PORT]`.
fn translation_end(translation: &Translation<'_>) -> String {
    let mut text = "as ".to_owned();
    let _ = match translation.target.value {
        Target::Range(range) if range.low == range.high => write!(text, "{}", range.low),
        Target::Range(range) => write!(text, "{}-{}", range.low, range.high),
        Target::Pool(net) => write!(text, "{net}"),
        Target::Prefix(net) => write!(text, "prefix {net}"),
        Target::Interface => write!(text, "interface"),
        Target::Bad => Ok(()),
    };
    if let Some(port) = translation.port {
        let (low, high) = port.value;
        let _ = if low == high { write!(text, " port {low}") } else { write!(text, " port {low}-{high}") };
    }
    text
}

fn flat_clause(clause: &Clause<'_>, out: &mut String) {
    out.push_str(clause.kind.word());
    if let Some(term) = clause.kind.term() {
        out.push(' ');
        return flat_term(term, out);
    }
    let _ = match &clause.kind {
        ClauseKind::State(states) => write!(out, " {}", flat_states(states)),
        ClauseKind::Flags(flags) => write!(out, " {}", flat_flags(*flags)),
        ClauseKind::Vrf(name) | ClauseKind::Comment(name) => write!(out, " {}", name.value),
        ClauseKind::Until(day) => write!(out, " {}", day.value),
        ClauseKind::Stateless
        | ClauseKind::Log
        | ClauseKind::From(_)
        | ClauseKind::To(_)
        | ClauseKind::In(_)
        | ClauseKind::Out(_)
        | ClauseKind::Service(_) => Ok(()),
    };
}

fn flat_states(set: &StateSet) -> String {
    let not = if set.negated { "not " } else { "" };
    let words: Vec<&str> = set.states.iter().map(|state| state_word(*state)).collect();
    match words.as_slice() {
        _ if State::ALL.iter().all(|state| set.states.contains(state)) => format!("{not}any"),
        [one] => format!("{not}{one}"),
        several => format!("{not}{{ {} }}", several.join(", ")),
    }
}

fn flat_flags(flags: Flags) -> String {
    let list = |bits: u8| {
        let set = tcp_flags::NAMES.iter().filter(|(bit, _)| bits & bit != 0);
        set.map(|(_, name)| *name).collect::<Vec<_>>().join(",")
    };
    let value = if flags.value == 0 { "none".to_owned() } else { list(flags.value) };
    let mask = if flags.mask == u8::MAX { "all".to_owned() } else { list(flags.mask) };
    format!("{value}/{mask}")
}

fn flat_term(term: &Term<'_>, out: &mut String) {
    let _ = match &term.kind {
        TermKind::Any => write!(out, "any"),
        TermKind::Own => write!(out, "self"),
        TermKind::Zone(name) => write!(out, "zone {}", name.value),
        TermKind::Address(address) => write!(out, "{address}"),
        TermKind::Prefix(net) => write!(out, "{net}"),
        TermKind::Range(range) => write!(out, "{}-{}", range.low, range.high),
        TermKind::Label(key, value) => write!(out, "label {}={}", key.value, value.value),
        TermKind::Service(one) => write!(out, "{}", service::show(one)),
        TermKind::Interface(name) => write!(out, "{name}"),
        TermKind::Defined(name) => write!(out, "${name}"),
        TermKind::Not(inner) => {
            out.push_str("not ");
            flat_term(inner, out);
            Ok(())
        }
        TermKind::Set(members) => {
            for (position, member) in members.iter().enumerate() {
                out.push_str(if position == 0 { "{ " } else { ", " });
                flat_term(member, out);
            }
            write!(out, " }}")
        }
        TermKind::Bad => Ok(()),
    };
}
