//! What is said about broken policies: every message with its place, as one snapshot.

use super::*;
use crate::source::SourceMap;
use std::fmt::Write;

/// Everything that is said about a text, in the order of the text.
fn said(text: &str) -> String {
    let mut map = SourceMap::default();
    map.add("p.rules", text);
    let (_, _, diagnostics) = lower_all(text, None);
    let mut out = String::new();
    for diagnostic in diagnostics.sorted() {
        let span = diagnostic.span.unwrap();
        let place = map.position(span);
        let severity = format!("{:?}", diagnostic.severity).to_lowercase();
        let (line, column, text) = (place.line, place.column, map.text(span).escape_debug().to_string());
        let text: String = text.chars().take(60).collect();
        let code = diagnostic.code.id();
        let _ = writeln!(out, "{severity}[{code}] {line}:{column} `{text}`: {}", diagnostic.message);
        if let Some(label) = &diagnostic.label {
            let _ = writeln!(out, "    label: {label}");
        }
        for related in &diagnostic.related {
            let (place, text) =
                (map.position(related.span), map.text(related.span).escape_debug().to_string());
            let _ = writeln!(out, "    also {}:{} `{text}`: {}", place.line, place.column, related.text);
        }
        if let Some(help) = &diagnostic.help {
            let _ = writeln!(out, "    help: {help}");
        }
    }
    out
}

/// Broken files by what is wrong with them: those of the table beside this file, and those that no editor shows.
fn cases() -> Vec<(String, String)> {
    let table = include_str!("broken.txt").split("== ").skip(1);
    let split = |case: &str| case.split_once('\n').map(|(what, text)| (what.to_owned(), text.to_owned()));
    let mut cases: Vec<_> = table.filter_map(split).collect();
    let hidden = "policy p\u{1} { default deny }\npolicy \u{200b}q { default deny }";
    cases.push(("characters that cannot be seen".to_owned(), hidden.to_owned()));
    cases.push(("nesting without end".to_owned(), format!("define a = {}10.0.0.1", "{".repeat(100_000))));
    cases
}

#[test]
fn every_message_has_its_place_and_a_way_out() {
    let mut out = String::new();
    for (what, text) in cases() {
        let hidden = |c: char| (c.is_control() && c != '\n') || c == '\u{200b}';
        let show = |c: char| if hidden(c) { c.escape_unicode().to_string() } else { c.to_string() };
        let shown: String = text.chars().take(300).map(show).collect();
        let indented: String = shown.trim_end().lines().map(|line| format!("  | {line}\n")).collect();
        let _ = writeln!(out, "== {what}\n{indented}{}", said(&text));
    }
    insta::assert_snapshot!(out);
}

#[test]
fn errors_are_counted_and_the_rest_is_not_read() {
    let text = format!("policy p {{ default deny\n{} }}", "rule a { alow }\n".repeat(5_000));
    let (_, _, diagnostics) = lower_all(&text, None);
    let found = diagnostics.sorted();
    assert!((100..110).contains(&found.len()), "{}", found.len());
    assert!(found.iter().any(|diagnostic| diagnostic.message.contains("was not read")));
}

#[test]
fn definitions_that_grow_without_end_are_refused() {
    let mut text = "define a0 = { zone app, not { 10.0.0.0/8, zone wan } }\n".to_owned();
    for level in 1..64 {
        let before = level - 1;
        let _ = writeln!(
            text,
            "define a{level} = {{ not {{ $a{before}, zone app }}, not {{ $a{before}, zone wan }} }}"
        );
    }
    text.push_str("policy p { default deny rule a { allow from $a63 } }");
    let (_, _, diagnostics) = lower_all(&text, None);
    assert!(diagnostics.sorted().iter().any(|d| d.message.contains("expand to more than")));
}
