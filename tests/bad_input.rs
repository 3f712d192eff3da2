//! Bad inputs: every folder of `tests/corpus/bad` is refused, with places and help, and says all that is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

use isoaudit::diag::{Diagnostic, Diagnostics, Severity};
use isoaudit::input;
use isoaudit::source::{DEFAULT_MAX_BYTES, Loader, SourceMap, Span};
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn corpus() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/bad");
    let mut folders: Vec<_> = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders
}

/// `error[code] file:line:column: message`, with a line for each further place and for the help.
fn plain(found: Diagnostics, sources: &SourceMap) -> String {
    let mut text = String::new();
    let place = |span: Span| {
        let end = sources.end_position(span);
        format!("{}-{}:{}", sources.place(span), end.line, end.column)
    };
    for Diagnostic { code, severity, message, span, label, related, help } in found.sorted() {
        let severity = if severity == Severity::Error { "error" } else { "warning" };
        let at = span.map_or("-".to_owned(), place);
        writeln!(text, "{severity}[{}] {at}: {message}", code.id()).unwrap();
        if let Some(label) = label {
            writeln!(text, "    {label}").unwrap();
        }
        for further in related {
            writeln!(text, "    {}: {}", place(further.span), further.text).unwrap();
        }
        if let Some(help) = help {
            writeln!(text, "    help: {help}").unwrap();
        }
    }
    text
}

fn refusal(root: &Path) -> String {
    let mut sources = SourceMap::default();
    let loader = Loader::new(root, DEFAULT_MAX_BYTES);
    match input::read(&mut sources, &loader, Path::new("topology.yaml"), &Default::default()) {
        Ok(_) => panic!("{}: accepted", root.display()),
        Err(found) => {
            assert!(found.has_errors(), "{}: refused without an error", root.display());
            plain(found, &sources)
        }
    }
}

#[test]
fn every_bad_input_is_refused_with_its_reasons() {
    let folders = corpus();
    assert!(folders.len() >= 60, "{} folders", folders.len());
    for folder in folders {
        let refusal = refusal(&folder);
        let mut settings = insta::Settings::clone_current();
        settings.set_snapshot_path(&folder);
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| insta::assert_snapshot!("expected", refusal));
    }
}

/// A text, read as the only file of a description.
fn refusal_of(text: &[u8], name: &str) -> String {
    let root = std::env::temp_dir().join(format!("isoaudit-bad-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&root).unwrap();
    std::fs::write(root.join("topology.yaml"), text).unwrap();
    let refusal = refusal(&root);
    std::fs::remove_dir_all(&root).unwrap();
    refusal
}

#[test]
fn hostile_texts_are_refused_quickly() {
    let deep_lists = format!("isoaudit: 1\nname: {}", "[".repeat(100_000));
    let deep_mappings = format!("isoaudit: 1\nname: {}", "{a: ".repeat(100_000));
    let deep_blocks: String = (0..5000).map(|depth| " ".repeat(depth) + "a:\n").collect();
    let deep_entries = format!("isoaudit: 1\nname:\n  {}x", "- ".repeat(100_000));
    for (name, text) in [
        ("lists", deep_lists),
        ("mappings", deep_mappings),
        ("blocks", deep_blocks),
        ("entries", deep_entries),
    ] {
        let refusal = refusal_of(text.as_bytes(), name);
        assert!(refusal.starts_with("error[limit] topology.yaml:"), "{name}: {refusal}");
    }
    let fat = format!("isoaudit: 1\nname: &a {}\nlinks: [{}]\n", "x".repeat(100_000), "*a, ".repeat(20_000));
    assert!(refusal_of(fat.as_bytes(), "fat").contains("error[limit] topology.yaml:3:"));
    let long = format!("isoaudit: 1\nnodes: {{ {}: {{}} }}\n", "x".repeat(4 << 20));
    let refusal = refusal_of(long.as_bytes(), "long");
    assert!(
        refusal.contains("error[bad-value] topology.yaml:2:10"),
        "{}",
        &refusal[..200.min(refusal.len())]
    );
    assert!(refusal.len() < 2000, "{} bytes", refusal.len());
}

#[test]
fn bytes_that_are_no_text_are_refused_with_their_place() {
    let refusal = refusal_of(b"isoaudit: 1\nname: \xff\xfe\n", "bytes");
    assert!(refusal.contains("topology.yaml") && refusal.contains("byte 18"), "{refusal}");
}
