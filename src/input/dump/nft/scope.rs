//! What reading one table gathers on the way: its unknowns, and how much its sets may still grow.

use crate::header::Family;
use crate::input::dump::iptables::condition::Condition;
use crate::input::dump::iptables::{Side, TypeTest};
use crate::model::{Match, Test, Unknown, UnknownId};
use crate::source::{Source, Span};
use std::collections::BTreeMap;

/// How many ranges of set elements the rules of one table may hold together: each rule has its own copy.
const RANGES_MAX: usize = 4_000_000;

/// How much of a rule a message repeats, in characters.
const EXCERPT_CHARACTERS_MAX: usize = 90;

/// The unknowns of one table, numbered by their position.
#[derive(Debug, Clone, Default)]
pub(super) struct Unknowns {
    /// All of them.
    pub(super) all: Vec<Unknown>,
    /// Those that ask for a type of address that the routes of the device tell.
    pub(super) type_tests: BTreeMap<UnknownId, (TypeTest, Side, Family)>,
}

impl Unknowns {
    /// A new one.
    pub(super) fn add(&mut self, what: String, span: Span, settle: String) -> UnknownId {
        self.all.push(Unknown { what, span: Some(span), settle });
        UnknownId::at(self.all.len() - 1)
    }
}

/// What the rules of one table are read in.
pub(super) struct Scope<'s> {
    source: &'s Source,
    /// The families of IP packets that the table sees.
    pub(super) families: &'static [Family],
    /// What is not understood in it.
    pub(super) unknowns: Unknowns,
    /// Where the rule that is being read names a protocol of IPv6 in a way that does not tell which header is asked for.
    pub(super) first_header: Option<Span>,
    ranges: usize,
}

impl<'s> Scope<'s> {
    pub(super) fn new(source: &'s Source, families: &'static [Family]) -> Scope<'s> {
        Scope { source, families, unknowns: Unknowns::default(), first_header: None, ranges: 0 }
    }

    /// The only family that the table sees, if it sees one only.
    pub(super) fn only_family(&self) -> Option<Family> {
        match self.families {
            [only] => Some(*only),
            _ => None,
        }
    }

    /// Whether the table sees packets of a family.
    pub(super) fn sees(&self, family: Family) -> bool {
        self.families.contains(&family)
    }

    /// What the dump says at a place, cut short.
    pub(super) fn excerpt(&self, span: Span) -> String {
        excerpt(self.source, span)
    }

    /// A test that is not understood: the text of the span.
    pub(super) fn unknown_test(&mut self, span: Span) -> Test {
        let text = self.excerpt(span);
        let settle = format!("take `{text}` out of the rules, and dump them again");
        Test::Unknown(self.unknowns.add(format!("what `{text}` matches"), span, settle))
    }

    /// The match of [`Scope::unknown_test`].
    pub(super) fn unknown_match(&mut self, span: Span) -> Match {
        Match { test: self.unknown_test(span), negated: false, span }
    }

    /// What a statement that is not understood does: the text of the span.
    pub(super) fn unknown_act(&mut self, span: Span) -> UnknownId {
        let text = self.excerpt(span);
        let settle = format!("take `{text}` out of the rules, and dump them again");
        self.unknowns.add(format!("what `{text}` does"), span, settle)
    }

    /// A condition that is not understood.
    pub(super) fn not_understood(&mut self, span: Span) -> Condition {
        Condition::all(vec![self.unknown_match(span)])
    }

    /// A test that asks whether an address of a family has a type.
    pub(super) fn type_test(&mut self, kind: TypeTest, side: Side, family: Family, span: Span) -> Test {
        let text = self.excerpt(span);
        let (key, command) = match family {
            Family::V4 => ("routes", "ip -j route show table all"),
            Family::V6 => ("routes6", "ip -6 -j route show table all"),
        };
        let settle = format!("`{key}:` in `config`, with the dump of `{command}`");
        let id = self.unknowns.add(format!("which addresses `{text}` means"), span, settle);
        self.unknowns.type_tests.insert(id, (kind, side, family));
        Test::Unknown(id)
    }

    /// Takes room for some ranges; whether there was room.
    pub(super) fn takes(&mut self, ranges: usize) -> bool {
        self.ranges = self.ranges.saturating_add(ranges);
        self.ranges <= RANGES_MAX
    }
}

/// What a source says at a place, on one line and cut short.
pub(super) fn excerpt(source: &Source, span: Span) -> String {
    let text = source.slice(span.start, span.end);
    let words = text.split_ascii_whitespace().flat_map(|word| word.chars().chain([' ']));
    let mut short: String = words.take(EXCERPT_CHARACTERS_MAX + 1).collect();
    match short.char_indices().nth(EXCERPT_CHARACTERS_MAX) {
        Some((end, _)) => {
            short.truncate(end);
            short.push('…');
        }
        None => short.truncate(short.trim_end().len()),
    }
    short
}
