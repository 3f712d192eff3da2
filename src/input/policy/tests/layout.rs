//! `fmt` against random files: it changes the layout, never the meaning, and once is enough.

use super::*;
use proptest::prelude::*;

/// The tree of a text without its places.
fn tree(text: &str) -> String {
    let mut diagnostics = Diagnostics::default();
    let file = parse(text, SourceId(0), &mut diagnostics);
    assert!(!diagnostics.has_errors(), "{text}\n{diagnostics:?}");
    let debug = format!("{:?}", file.statements);
    let mut parts = debug.split("Span {");
    let mut bare = parts.next().unwrap_or("").to_owned();
    for part in parts {
        bare.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    bare
}

/// The comments of a text, in order. The one quoted text of these tests has a `#` that begins none.
fn comments(text: &str) -> Vec<String> {
    let text = text.replace("2291#", "2291");
    let comment = |line: &str| line.split_once('#').map(|(_, comment)| comment.trim_end().to_owned());
    text.lines().filter_map(comment).collect()
}

fn check(text: &str) -> String {
    let once = format(text, SourceId(0)).unwrap();
    let twice = format(&once, SourceId(0)).unwrap();
    assert_eq!(once, twice, "formatted twice:\n{text}");
    assert_eq!(tree(text), tree(&once), "another meaning:\n{text}\n---\n{once}");
    assert_eq!(comments(text), comments(&once), "lost a comment:\n{text}\n---\n{once}");
    once
}

/// Tokens of a term about places, services or interfaces.
fn term(leaf: BoxedStrategy<Vec<String>>) -> BoxedStrategy<Vec<String>> {
    let deeper = |inner: BoxedStrategy<Vec<String>>| {
        let set = prop::collection::vec(inner.clone(), 1..5).prop_map(|members| {
            let mut tokens = vec!["{".to_owned()];
            for (position, member) in members.into_iter().enumerate() {
                if position > 0 {
                    tokens.push(",".to_owned());
                }
                tokens.extend(member);
            }
            tokens.push("}".to_owned());
            tokens
        });
        let not = inner.prop_map(|inner| [vec!["not".to_owned()], inner].concat());
        prop_oneof![set, not].boxed()
    };
    leaf.prop_recursive(3, 20, 4, move |inner| deeper(inner.boxed())).boxed()
}

fn words(all: &'static [&'static str]) -> BoxedStrategy<Vec<String>> {
    let split = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<String>>();
    prop::sample::select(all).prop_map(split).boxed()
}

fn places() -> BoxedStrategy<Vec<String>> {
    term(words(&[
        "any",
        "self",
        "zone app",
        "10.1.0.20",
        "10.0.0.0/8",
        "10.2.0.10-10.2.0.99",
        "10.2.0.10 - 10.2.0.99",
        "2001:DB8::/32",
        "2001:db8::1-2001:db8::ff",
        "$places",
        "label pci = cde",
    ]))
}

fn clauses() -> impl Strategy<Value = Vec<String>> {
    let with = |keyword: &'static str, term: BoxedStrategy<Vec<String>>| {
        term.prop_map(move |term| [vec![keyword.to_owned()], term].concat()).boxed()
    };
    let services =
        term(words(&["any", "tcp/443", "udp/8000-8100", "icmp/8", "icmp6/1/4", "gre", "proto/6", "$svc"]));
    let interfaces = term(words(&["eth0", "eth1.120", "ge-0/0/0"]));
    let all = vec![
        with("from", places()),
        with("to", places()),
        with("in", interfaces.clone()),
        with("out", interfaces),
        with("service", services),
        words(&["state new", "state established,related", "state not { invalid , untracked }", "state any"]),
        words(&["flags syn/syn,ack", "flags none/all", "flags rst,ack/fin,rst,ack"]),
        words(&["vrf mgmt"]),
        words(&["stateless"]),
        words(&["until 2027-03-31"]),
        words(&["log"]),
        words(&["comment \"CHG-2291#}{\\\"\""]),
    ];
    let chosen = all.into_iter().map(|clause| prop::option::weighted(0.3, clause)).collect::<Vec<_>>();
    chosen
        .prop_map(|clauses| clauses.into_iter().flatten().collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(|c| c.concat())
}

fn statement() -> impl Strategy<Value = Vec<String>> {
    let verb = || words(&["allow", "deny", "reject", "accept", "permit", "pass", "drop", "block"]);
    let rule = (verb(), clauses()).prop_map(|(verb, clauses)| [verb, clauses].concat());
    let policy = (prop::collection::vec(rule, 0..4), verb(), any::<bool>(), 0..5_usize);
    let policy = policy.prop_map(|(rules, default, log, at)| {
        let mut default = [vec!["default".to_owned()], default].concat();
        default.extend(log.then(|| "log".to_owned()));
        let mut body: Vec<Vec<String>> = Vec::new();
        for (number, rule) in rules.into_iter().enumerate() {
            let opening = ["rule".to_owned(), format!("r{number}"), "{".to_owned()];
            body.push([opening.to_vec(), rule, vec!["}".to_owned()]].concat());
        }
        body.insert(at.min(body.len()), default);
        [vec!["policy NAME {".to_owned()], body.concat(), vec!["}".to_owned()]].concat()
    });
    let define = places().prop_map(|value| [vec!["define NAME =".to_owned()], value].concat());
    let end =
        words(&["as interface", "as 192.0.2.1", "as 192.0.2.0/28", "as 192.0.2.1-192.0.2.9 port 443-444"]);
    let translation = (words(&["snat", "dnat"]), clauses(), end).prop_map(|(a, b, c)| [a, b, c].concat());
    let nat = prop::collection::vec(translation, 0..3)
        .prop_map(|all| [vec!["nat NAME {".to_owned()], all.concat(), vec!["}".to_owned()]].concat());
    prop_oneof![2 => policy, 1 => define, 1 => nat]
}

/// Texts with blanks and comments anywhere between tokens.
fn text() -> impl Strategy<Value = String> {
    let statements = prop::collection::vec(statement(), 0..4).prop_map(|statements| {
        let mut tokens = Vec::new();
        for (number, statement) in statements.into_iter().enumerate() {
            let name = format!("n{number}");
            let words = statement.iter().flat_map(|token| {
                match token.starts_with('"') || token.starts_with("comment") {
                    true => vec![token.as_str()],
                    false => token.split(' ').collect(),
                }
            });
            tokens.extend(words.map(|word| if word == "NAME" { name.clone() } else { word.to_owned() }));
        }
        tokens
    });
    let blank = prop_oneof![
        8 => Just(" "),
        2 => Just("\n"),
        1 => Just("\n\n\n"),
        1 => Just(" \t # a comment, with { and \"  \r\n"),
        1 => Just("\n# on its own\n"),
        1 => Just("\n\n  # apart\n\n"),
    ];
    statements
        .prop_flat_map(move |tokens| {
            let count = tokens.len() + 1;
            (Just(tokens), prop::collection::vec(blank.clone(), count))
        })
        .prop_map(|(tokens, blanks)| {
            let mut text = String::new();
            for (position, blank) in blanks.into_iter().enumerate() {
                text.push_str(blank);
                text.push_str(tokens.get(position).map_or("", String::as_str));
            }
            text
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn formatting_keeps_meaning_and_comments_and_once_is_enough(text in text()) {
        check(&text);
    }

    #[test]
    fn any_text_is_read_without_panic_and_errors_are_inside(text in "[a-z0-9{}#\"$=,./ \n\\-é\u{1}]{0,200}") {
        let mut diagnostics = Diagnostics::default();
        parse(&text, SourceId(0), &mut diagnostics);
        for diagnostic in diagnostics.sorted() {
            let span = diagnostic.span.unwrap();
            prop_assert!(text.get(span.start as usize..span.end as usize).is_some());
        }
    }

    #[test]
    fn a_file_that_is_cut_or_changed_is_read_without_panic(
        text in text(),
        at in any::<prop::sample::Index>(),
        with in "[{}#\"$,\n a]?",
    ) {
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let at = places[at.index(places.len())];
        let (before, behind) = text.split_at(at);
        for changed in [before.to_owned(), format!("{before}{with}{behind}")] {
            lower_all(&changed, None);
        }
    }
}

#[test]
fn aliases_spellings_and_layout_become_one() {
    let text = "
# head


define  db={10.1.0.20,
 2001:DB8::0001}   # two of them
policy p{ # opened
   default drop   log
   rule a{accept from $db  to any service {tcp/80, # web
     tcp/443} }

   rule b { permit from { 10.1.0.0/24, 10.1.1.0/24, 10.1.2.0/24 }
     to { 192.0.2.0/28, 198.51.100.0/28, 203.0.113.0/28 } log }
   rule c { pass state established,related flags syn/syn,ack service icmp6/135 }
   # last
}";
    insta::assert_snapshot!(check(text));
}

#[test]
fn what_has_errors_is_not_formatted() {
    let errors = format("policy p { }", SourceId(7)).unwrap_err().sorted();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0].span.map(|span| span.source), Some(SourceId(7)));
}
