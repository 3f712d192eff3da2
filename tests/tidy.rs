//! The rules of the house, read from the sources: who may import whom, and how long things may be.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each module with those it may import. Layers import downwards only; what is missing here is forbidden.
const LAYERS: &[(&str, &[&str])] = &[
    ("header", &[]),
    ("source", &[]),
    ("diag", &["source"]),
    ("model", &["header", "source", "diag"]),
    ("wire", &["header"]),
    ("set", &["header"]),
    ("claim", &["model", "header", "source", "diag"]),
    ("engine", &["set", "model", "header"]),
    ("input", &["claim", "model", "header", "source", "diag"]),
    ("replay", &["claim", "model", "header", "source"]),
    ("verdict", &["engine", "replay", "claim", "model", "header", "source"]),
    ("reproduce", &["verdict", "model", "wire", "header", "source"]),
    ("report", &["verdict", "claim", "model", "wire", "header", "source", "diag"]),
    ("audit", &["report", "verdict", "replay", "input", "claim", "model", "header", "source", "diag"]),
];

const MOST_LINES: usize = 500;
const MOST_TEST_LINES: usize = 600;
const MOST_MEDIAN_LINES: usize = 200;
const MOST_COLUMNS: usize = 130;
const MOST_FUNCTION_LINES: usize = 70;

fn sources(root: &str) -> Vec<(PathBuf, String)> {
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(root)];
    let mut found = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_owned(), text));
        }
    }
    found.sort();
    found
}

/// The module of the library that a file belongs to; `None` for `lib.rs`, `main.rs` and `cli/`.
fn module(path: &Path) -> Option<String> {
    let mut parts = path.iter().skip(1).map(|part| part.to_string_lossy().into_owned());
    let first = parts.next()?.trim_end_matches(".rs").to_owned();
    (!matches!(first.as_str(), "lib" | "main" | "cli")).then_some(first)
}

#[test]
fn layers_import_downwards_only() {
    let allowed: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources("src") {
        let Some(module) = module(&path) else { continue };
        let Some(allowed) = allowed.get(module.as_str()) else {
            wrong.push(format!("{}: module `{module}` has no row in LAYERS", path.display()));
            continue;
        };
        // Tests may import what they like: they are no layer.
        let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for used in code.split("crate::").skip(1) {
                let name: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let known = LAYERS.iter().any(|(layer, _)| *layer == name);
                if known && name != module && !allowed.contains(&name.as_str()) {
                    wrong.push(format!(
                        "{}:{}: `{module}` may not import `{name}`",
                        path.display(),
                        number + 1
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_command_line_uses_the_public_library_only() {
    for (path, text) in sources("src") {
        let is_binary = path.starts_with("src/cli") || path == Path::new("src/main.rs");
        if is_binary {
            for private in ["isoaudit::set", "isoaudit::engine"] {
                assert!(!text.contains(private), "{}: uses {private}", path.display());
            }
        }
    }
}

#[test]
fn files_lines_and_functions_have_bounds() {
    let mut wrong = Vec::new();
    let mut lengths = Vec::new();
    for (path, text) in ["src", "tests", "examples", "benches"].iter().flat_map(|root| sources(root)) {
        let lines = text.lines().count();
        if path.starts_with("src") {
            lengths.push(lines);
        }
        let most = if path.starts_with("src") { MOST_LINES } else { MOST_TEST_LINES };
        if lines > most {
            wrong.push(format!("{}: {lines} lines", path.display()));
        }
        // A row of a table of keys is one line each, with its documentation.
        // Texts of descriptions inside sources keep their lines as well.
        let holds_texts =
            ["src/input/topology/syntax.rs", "src/input/tests/network.rs", "examples/fabric.rs"];
        let is_table = holds_texts.iter().any(|name| path.ends_with(name));
        let text_lines = if is_table { "" } else { text.as_str() };
        let long = text_lines.lines().enumerate().filter(|(_, line)| line.chars().count() > MOST_COLUMNS);
        wrong.extend(long.map(|(number, _)| format!("{}:{}: long line", path.display(), number + 1)));
        wrong.extend(
            long_functions(&text)
                .map(|(name, length)| format!("{}: function `{name}` has {length} lines", path.display())),
        );
        for word in ["FIXME", "dbg!(", "todo!(", "unimplemented!(", "#[ignore]"] {
            let here = text.contains(word) && !path.ends_with("tidy.rs");
            wrong.extend(here.then(|| format!("{}: `{word}` left behind", path.display())));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= MOST_MEDIAN_LINES, "half of the files have more than {median} lines");
}

/// Functions of rustfmt's layout: from the line with `fn` to the closing brace of the same indentation.
fn long_functions(text: &str) -> impl Iterator<Item = (String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let is_function = ["fn ", "pub fn ", "pub(super) fn ", "pub(crate) fn ", "async fn ", "const fn "]
            .iter()
            .any(|head| code.starts_with(head));
        if !is_function || code.ends_with('}') || code.ends_with(';') {
            continue;
        }
        let closing = format!("{}}}", &line[..line.len() - code.len()]);
        let length = lines[start..].iter().position(|line| *line == closing).unwrap_or(0) + 1;
        if length > MOST_FUNCTION_LINES {
            let name = code.split("fn ").nth(1).unwrap_or_default();
            found.push((name.split(['(', '<']).next().unwrap_or_default().to_owned(), length));
        }
    }
    found.into_iter()
}

#[test]
fn every_rule_of_the_semantics_names_tests_that_exist() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/README.md")).unwrap();
    let all: String = ["src", "tests"].iter().flat_map(|root| sources(root)).map(|(_, text)| text).collect();
    let rows: Vec<Vec<&str>> = page
        .lines()
        .filter(|line| line.starts_with("| ") && line[2..].starts_with(|first: char| first.is_ascii_digit()))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    assert!(rows.len() >= 30, "{} rules", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let [rule, _, tests] = row[..] else { panic!("{row:?} has not three cells") };
        let names: Vec<&str> = tests.split(", ").map(|name| name.trim_matches('`')).collect();
        for name in names {
            let exists = !name.is_empty() && all.contains(&format!("fn {name}("));
            wrong.extend((!exists).then(|| format!("{rule}: there is no test `{name}`")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a hunk of a patch expects to find in the file: its context and what it takes out.
fn expected(hunk: &str) -> String {
    let lines = hunk.lines().skip(1);
    let old = lines.filter_map(|line| line.strip_prefix([' ', '-']).or(line.is_empty().then_some("")));
    old.map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_seeded_mistake_fits_the_sources() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut wrong, mut hunks) = (Vec::new(), 0);
    for entry in fs::read_dir(root.join("tests/mutants")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "patch") {
            continue;
        }
        let patch = fs::read_to_string(&path).unwrap();
        for part in patch.split("\n--- ").skip(1).chain(patch.strip_prefix("--- ")) {
            let file = part.lines().next().unwrap().split('\t').next().unwrap();
            let text = fs::read_to_string(root.join(file)).unwrap();
            for hunk in part.split("\n@@ ").skip(1) {
                hunks += 1;
                if !text.contains(&expected(hunk)) {
                    wrong.push(format!("{}: nothing in {file} reads\n{}", path.display(), expected(hunk)));
                }
            }
        }
    }
    assert!(hunks > 50, "{hunks} hunks");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
