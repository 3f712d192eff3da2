//! A recogniser that is driven by the text of a grammar: the grammar itself says what belongs to the language.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The right side of a production, or a part of one.
#[derive(Debug)]
enum Part {
    Literal(String),
    Production(String),
    /// `? … ?`: described in words.
    Special(String),
    Sequence(Vec<Part>),
    Choice(Vec<Part>),
    Optional(Box<Part>),
    Repeated(Box<Part>),
}

/// A grammar, one production a line.
pub(crate) struct Grammar {
    productions: BTreeMap<String, Part>,
    /// The first production.
    pub(crate) start: String,
    /// The names in the order written.
    pub(crate) names: Vec<String>,
    /// Whether `#` begins a comment.
    pub(crate) comments: bool,
    /// What is no part of a word.
    pub(crate) delimiters: &'static str,
}

/// Where a match ends, and which productions it used.
type Match = (usize, BTreeSet<String>);

impl Grammar {
    /// Reads a grammar.
    pub(crate) fn read(text: &str, comments: bool, delimiters: &'static str) -> Grammar {
        let mut grammar = Grammar {
            productions: BTreeMap::new(),
            start: String::new(),
            names: Vec::new(),
            comments,
            delimiters,
        };
        for line in text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with("(*")) {
            let (name, right) = line.split_once(" = ").unwrap();
            let tokens = tokens(right);
            let (part, rest) = choice(&tokens);
            assert!(rest.is_empty(), "{line}: {rest:?}");
            assert!(grammar.productions.insert(name.to_owned(), part).is_none(), "{name} is given twice");
            grammar.names.push(name.to_owned());
        }
        grammar.start = grammar.names[0].clone();
        for part in grammar.productions.values() {
            grammar.check(part);
        }
        grammar
    }

    /// Every production that is named is there.
    fn check(&self, part: &Part) {
        match part {
            Part::Production(name) => assert!(self.productions.contains_key(name), "no production {name}"),
            Part::Sequence(parts) | Part::Choice(parts) => parts.iter().for_each(|part| self.check(part)),
            Part::Optional(part) | Part::Repeated(part) => self.check(part),
            Part::Literal(_) | Part::Special(_) => {}
        }
    }

    /// The productions that a text of the language uses; `None` if it is not of the language.
    pub(crate) fn recognise(&self, text: &str) -> Option<BTreeSet<String>> {
        let start = Part::Production(self.start.clone());
        let found = self.matches(&start, text, self.skip(text, 0), false);
        found.into_iter().find(|(end, _)| *end == text.len()).map(|(_, used)| used)
    }

    /// Behind blanks and comments.
    fn skip(&self, text: &str, mut at: usize) -> usize {
        loop {
            let rest = &text[at..];
            at += rest.len() - rest.trim_start_matches([' ', '\t', '\r', '\n']).len();
            if !self.comments || !text[at..].starts_with('#') {
                return at;
            }
            at += text[at..].find('\n').unwrap_or(text.len() - at);
        }
    }

    fn is_word(&self, c: char) -> bool {
        !c.is_whitespace() && !c.is_control() && !self.delimiters.contains(c)
    }

    /// Where a word may end. A `-` ends one too, because it stands between the ends of a range.
    fn ends_word(&self, text: &str, at: usize) -> bool {
        text[at..].chars().next().is_none_or(|c| c == '-' || !self.is_word(c))
    }

    fn matches(&self, part: &Part, text: &str, at: usize, in_word: bool) -> Vec<Match> {
        let found = match part {
            Part::Literal(literal) => {
                let fits = text[at..].starts_with(literal.as_str());
                let end = at + literal.len();
                let is_keyword = literal.ends_with(|c: char| c.is_alphanumeric());
                match (fits, in_word) {
                    (false, _) => Vec::new(),
                    (true, true) => vec![(end, BTreeSet::new())],
                    (true, false) if is_keyword && !self.ends_word(text, end) => Vec::new(),
                    (true, false) => vec![(self.skip(text, end), BTreeSet::new())],
                }
            }
            Part::Special(words) => self
                .special(words, &text[at..])
                .into_iter()
                .map(|length| (at + length, BTreeSet::new()))
                .collect(),
            Part::Production(name) => {
                let is_word = name.starts_with(|c: char| c.is_uppercase());
                let mut found = self.matches(&self.productions[name], text, at, is_word);
                if is_word && !in_word {
                    found.retain(|(end, _)| self.ends_word(text, *end));
                    found.iter_mut().for_each(|(end, _)| *end = self.skip(text, *end));
                }
                found.iter_mut().for_each(|(_, used)| {
                    used.insert(name.clone());
                });
                found
            }
            Part::Sequence(parts) => parts.iter().fold(vec![(at, BTreeSet::new())], |so_far, part| {
                so_far.iter().flat_map(|before| self.behind(before, part, text, in_word)).collect()
            }),
            Part::Choice(parts) => {
                parts.iter().flat_map(|part| self.matches(part, text, at, in_word)).collect()
            }
            Part::Optional(part) => {
                let mut found = self.matches(part, text, at, in_word);
                found.push((at, BTreeSet::new()));
                found
            }
            Part::Repeated(part) => {
                let (mut found, mut next) = (Vec::new(), vec![(at, BTreeSet::new())]);
                while !next.is_empty() {
                    let further = next.iter().flat_map(|before| self.behind(before, part, text, in_word));
                    let further = first_of_each(further.filter(|(end, _)| *end > at).collect());
                    found.append(&mut next);
                    next = further;
                    next.retain(|(end, _)| !found.iter().any(|(known, _)| known == end));
                }
                found
            }
        };
        first_of_each(found)
    }

    /// The matches of a part behind another match.
    fn behind(&self, (at, used): &Match, part: &Part, text: &str, in_word: bool) -> Vec<Match> {
        let found = self.matches(part, text, *at, in_word);
        found.into_iter().map(|(end, more)| (end, used.union(&more).cloned().collect())).collect()
    }

    /// Lengths of what a description in words fits.
    fn special(&self, words: &str, rest: &str) -> Vec<usize> {
        let one = |is: &dyn Fn(char) -> bool| rest.chars().next().filter(|c| is(*c)).map(char::len_utf8);
        let prefixes = |is: &dyn Fn(&str) -> bool| {
            let ends = (0..=rest.len().min(60)).filter(|end| rest.is_char_boundary(*end));
            ends.filter(|end| is(&rest[..*end])).collect::<Vec<_>>()
        };
        match words.split(' ').take(3).collect::<Vec<_>>().join(" ").as_str() {
            "a letter of" => one(&char::is_alphabetic).into_iter().collect(),
            "anything but blanks," if words.contains("and =") => {
                one(&|c| self.is_word(c) && c != '=').into_iter().collect()
            }
            "anything but blanks," | "anything but blanks" => one(&|c| self.is_word(c)).into_iter().collect(),
            "a word other" => {
                let end = rest.find(|c| !self.is_word(c)).unwrap_or(rest.len());
                let word = &rest[..end];
                if word.is_empty() || ["any", "not"].contains(&word) { Vec::new() } else { vec![end] }
            }
            "an IPv4 address" => prefixes(&|text| text.parse::<IpAddr>().is_ok()),
            "a code of" => prefixes(&isoaudit::model::country::is_jurisdiction),
            "the name of" => {
                let types = isoaudit::header::ICMP_TYPES.iter().map(|(name, _, _)| *name);
                prefixes(&|text| types.clone().any(|name| name == text.replace("neighbor", "neighbour")))
            }
            "text between two" => quoted(rest).into_iter().collect(),
            _ => panic!("nothing is known of `{words}`"),
        }
    }
}

fn first_of_each(found: Vec<Match>) -> Vec<Match> {
    let mut seen = BTreeSet::new();
    found.into_iter().filter(|(end, _)| seen.insert(*end)).collect()
}

fn quoted(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            '\n' => return None,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// `"…"`, `? … ?`, names and single characters.
fn tokens(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => rest[1..].find('"').unwrap() + 2,
            '?' => rest.rfind('?').unwrap() + 1,
            c if c.is_alphabetic() => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '-').unwrap_or(rest.len())
            }
            c => c.len_utf8(),
        };
        found.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    found
}

fn choice(tokens: &[String]) -> (Part, &[String]) {
    let (first, mut rest) = sequence(tokens);
    let mut parts = vec![first];
    while rest.first().is_some_and(|token| token == "|") {
        let (next, behind) = sequence(&rest[1..]);
        parts.push(next);
        rest = behind;
    }
    (if parts.len() == 1 { parts.remove(0) } else { Part::Choice(parts) }, rest)
}

fn sequence(mut tokens: &[String]) -> (Part, &[String]) {
    let mut parts = Vec::new();
    while let Some(token) = tokens.first() {
        if ["|", ")", "]", "}"].contains(&token.as_str()) {
            break;
        }
        let close = |rest: &'_ [String], with: &str| assert_eq!(rest[0], with);
        let behind = &tokens[1..];
        let (part, rest) = match token.as_str() {
            "(" | "[" | "{" => {
                let (inner, rest) = choice(behind);
                let (part, with) = match token.as_str() {
                    "(" => (inner, ")"),
                    "[" => (Part::Optional(Box::new(inner)), "]"),
                    _ => (Part::Repeated(Box::new(inner)), "}"),
                };
                close(rest, with);
                (part, &rest[1..])
            }
            quoted if quoted.starts_with('"') => (Part::Literal(quoted.trim_matches('"').to_owned()), behind),
            words if words.starts_with('?') => {
                (Part::Special(words.trim_matches(['?', ' ']).to_owned()), behind)
            }
            name => (Part::Production(name.to_owned()), behind),
        };
        parts.push(part);
        tokens = rest;
    }
    (if parts.len() == 1 { parts.remove(0) } else { Part::Sequence(parts) }, tokens)
}
