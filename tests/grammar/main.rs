//! The grammars in `grammar/`, their examples, and the parsers are of one language.
#![allow(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

mod ebnf;

use ebnf::Grammar;
use isoaudit::claim::selector;
use isoaudit::diag::{Code, Diagnostic, Diagnostics};
use isoaudit::header::AddressRange;
use isoaudit::input::policy::{Lowerer, Names, format, parse};
use isoaudit::model::build::*;
use isoaudit::model::{Network, Unknown, UnknownId, VrfId, ZoneId};
use isoaudit::source::{SourceId, Span, Spanned};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("grammar")
}

fn policies() -> Grammar {
    Grammar::read(&fs::read_to_string(folder().join("policy.ebnf")).unwrap(), true, "{},#\"$=;")
}

fn selectors() -> Grammar {
    Grammar::read(&fs::read_to_string(folder().join("selector.ebnf")).unwrap(), false, "()")
}

/// Names and texts of the examples with an ending.
fn examples(ending: &str) -> Vec<(String, String)> {
    let files = fs::read_dir(folder().join("examples")).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = files
        .filter(|path| path.extension().is_some_and(|own| own == ending))
        .map(|path| {
            (path.file_stem().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap())
        })
        .collect();
    found.sort();
    found
}

/// The names that the examples use.
struct World;

impl Names for World {
    fn zone(&self, name: &str) -> Option<ZoneId> {
        self.zone_names().iter().position(|zone| *zone == name).map(ZoneId::at)
    }

    fn zone_names(&self) -> Vec<&str> {
        vec!["app", "edge", "wan", "oob"]
    }

    fn vrf(&self, name: &str) -> Option<VrfId> {
        (name == "mgmt").then_some(VrfId(0))
    }

    fn vrf_names(&self) -> Vec<&str> {
        vec!["mgmt"]
    }

    fn has_interface(&self, policy: &str, name: &str) -> bool {
        self.interface_names(policy).contains(&name)
    }

    fn interface_names(&self, _: &str) -> Vec<&str> {
        vec!["eth0", "eth1", "eth1.120"]
    }

    fn labelled(&self, key: &str, value: &str) -> Option<Vec<AddressRange>> {
        (key == "pci" && value == "cde").then(|| vec![AddressRange::all(isoaudit::header::Family::V4)])
    }

    fn label_is_open(&self, _: &str, _: &str) -> bool {
        false
    }

    fn label_names(&self) -> Vec<String> {
        vec!["pci=cde".to_owned()]
    }

    fn unknown(&mut self, _: Unknown) -> UnknownId {
        UnknownId(0)
    }
}

/// Everything that is said about a policy file.
fn said(text: &str) -> Vec<Diagnostic> {
    let mut diagnostics = Diagnostics::default();
    let file = parse(text, SourceId(0), &mut diagnostics);
    let mut world = World;
    let mut lowerer = Lowerer::new(&file, &mut world, None, &mut diagnostics);
    for policy in file.policies() {
        lowerer.policy(policy.name.value, &mut diagnostics);
    }
    for nat in file.nats() {
        lowerer.translations(nat.name.value, &mut diagnostics);
    }
    diagnostics.sorted()
}

/// A network with the names of the examples of selectors.
fn network() -> Network {
    let word = |text: &str| Spanned::new(text.to_owned(), Span::new(SourceId(0), 0, 0));
    let mut builder = NetworkBuilder::new("examples");
    builder.add_site(SiteSpec { name: word("gui1"), jurisdiction: Some(word("CN")) });
    let labels = vec![("pci".to_owned(), "cde".to_owned())];
    builder.add_zone(ZoneSpec { name: word("app"), plane: None, labels });
    builder.add_zone(ZoneSpec {
        name: word("wan"),
        plane: Some("management".to_owned()),
        labels: Vec::new(),
    });
    builder.add_vlan(VlanSpec { name: word("app"), tag: Spanned::new(110, word("").span) });
    builder.add_vrf(VrfSpec { name: word("mgmt") });
    builder.add_node(NodeSpec::new(word("db1")));
    builder.add_node(NodeSpec::new(word("edge-1")));
    let mut diagnostics = Diagnostics::default();
    let network = builder.build(&mut diagnostics);
    network.unwrap_or_else(|| panic!("{:?}", diagnostics.sorted()))
}

/// Everything that is said about a selector.
fn said_of_selector(text: &str, network: &Network) -> Vec<Diagnostic> {
    let mut diagnostics = Diagnostics::default();
    let span = Span::new(SourceId(0), 0, text.len());
    let read = selector::parse(text, span, network, &mut diagnostics);
    assert_eq!(read.is_none(), diagnostics.has_errors());
    diagnostics.sorted()
}

/// Each production has an example that uses it, each example is of a production.
fn check_examples(grammar: &Grammar, ending: &str) {
    let examples = examples(ending);
    let names: BTreeSet<&str> = grammar.names.iter().map(String::as_str).collect();
    let given: BTreeSet<&str> = examples.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, given);
    let lower: BTreeSet<String> = names.iter().map(|name| name.to_lowercase()).collect();
    assert_eq!(lower.len(), names.len(), "two names are one on some file systems");
    for (name, text) in &examples {
        let used = grammar.recognise(text);
        assert!(used.is_some_and(|used| used.contains(name)), "{name}.{ending} does not use `{name}`");
    }
}

#[test]
fn every_production_of_policies_has_an_example() {
    check_examples(&policies(), "rules");
}

#[test]
fn every_production_of_selectors_has_an_example() {
    check_examples(&selectors(), "selector");
}

#[test]
fn every_example_of_a_policy_is_read_without_a_word_before_and_after_formatting() {
    for (name, text) in examples("rules") {
        assert_eq!(said(&text), [], "{name}.rules");
        let formatted = format(&text, SourceId(0)).unwrap();
        assert_eq!(said(&formatted), [], "{name}.rules, formatted");
    }
}

#[test]
fn every_example_of_a_selector_is_read_without_a_word() {
    for (name, text) in examples("selector") {
        assert_eq!(said_of_selector(&text, &network()), [], "{name}.selector");
    }
}

/// Words that occur in selectors, right and wrong ones.
const WORDS: &[&str] = &[
    "and",
    "or",
    "not",
    "(",
    ")",
    "any",
    "internet",
    "zone:app",
    "node:db1",
    "zone:",
    "ip:10.0.0.1",
    "ip:10",
    "label:a",
    "label:pci=cde",
    "jurisdiction:US-CA",
    "jurisdiction:X",
    "zoen:app",
    "app",
    "&&",
    "!any",
    ",",
];

/// Words and characters that occur in policies, right and wrong ones.
const TOKENS: &[&str] = &[
    "{",
    "}",
    ",",
    "=",
    "not",
    "any",
    "self",
    "zone",
    "app",
    "rule",
    "a",
    "allow",
    "deny",
    "from",
    "to",
    "in",
    "out",
    "service",
    "tcp/80",
    "icmp/3/4",
    "tcp",
    "443",
    "10.0.0.0/8",
    "10.0.0.1",
    "-",
    "10.0.0.1-10.0.0.9",
    "2001:db8::/32",
    "$db",
    "$",
    "state",
    "new",
    "flags",
    "syn/syn,ack",
    "default",
    "policy",
    "define",
    "nat",
    "snat",
    "as",
    "port",
    "\"x\"",
    "comment",
    "log",
    "stateless",
    "until",
    "2027-03-31",
    "label",
    "vrf",
    ";",
    "%",
    "interface",
    "é",
];

/// A text with some of its words taken out, doubled, or replaced.
fn change(text: &str, changes: &[(prop::sample::Index, Option<usize>, bool)]) -> String {
    let code = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    let code = code.map(|line| line.split("  #").next().unwrap_or("")).collect::<Vec<_>>().join("\n");
    let mut words: Vec<&str> = code.split([' ', '\n']).filter(|word| !word.is_empty()).collect();
    for (at, token, keep) in changes {
        let at = at.index(words.len().max(1)).min(words.len());
        let end = if *keep { at } else { (at + 1).min(words.len()) };
        words.splice(at..end, token.map(|token| TOKENS[token % TOKENS.len()]));
    }
    words.join(" ")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    /// The recogniser that the grammar drives knows nothing of the parser. What it does not take, the parser must
    /// not take; of what it takes, the parser must not say that it is no policy file.
    #[test]
    fn grammar_and_parser_agree_on_changed_examples(
        example in any::<prop::sample::Index>(),
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), prop::option::of(0..TOKENS.len()), any::<bool>()),
            0..4,
        ),
    ) {
        let examples = examples("rules");
        let (_, text) = &examples[example.index(examples.len())];
        let text = change(text, &changes);
        let errors = said(&text);
        match policies().recognise(&text) {
            Some(_) => {
                let syntax: Vec<_> = errors.iter().filter(|error| error.code == Code::Syntax).collect();
                prop_assert!(syntax.is_empty(), "of the grammar, but: {syntax:?}\n{text}");
            }
            None => prop_assert!(!errors.is_empty(), "not of the grammar, and nothing is said:\n{text}"),
        }
    }

    #[test]
    fn grammar_and_parser_agree_on_selectors(words in prop::collection::vec(prop::sample::select(WORDS), 0..9)) {
        let text = words.join(" ");
        let errors = said_of_selector(&text, &network());
        match selectors().recognise(&text) {
            Some(_) => {
                let syntax: Vec<_> = errors.iter().filter(|error| error.code == Code::Selector).collect();
                prop_assert!(syntax.is_empty(), "of the grammar, but: {syntax:?}\n{text}");
            }
            None => prop_assert!(!errors.is_empty(), "not of the grammar, and nothing is said:\n{text}"),
        }
    }
}
