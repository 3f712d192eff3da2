use super::*;
use crate::diag::{Code, Diagnostics};
use crate::source::SourceId;

fn read(text: &str) -> Result<Tree, Vec<(Code, String, std::ops::Range<usize>)>> {
    let mut out = Diagnostics::default();
    let tree = parse(SourceId(0), &text.into(), Limits::default(), &mut out);
    if out.has_errors() {
        let range = |span: crate::source::Span| span.start as usize..span.end as usize;
        return Err(out
            .sorted()
            .into_iter()
            .map(|d| (d.code, d.message, d.span.map_or(0..0, range)))
            .collect());
    }
    Ok(tree.unwrap())
}

/// Every value with the text that its span covers.
fn spans(node: NodeRef<'_>, text: &str, into: &mut Vec<String>) {
    let cut = |span: crate::source::Span| text[span.start as usize..span.end as usize].to_owned();
    into.push(cut(node.span()));
    node.sequence().into_iter().flatten().for_each(|item| spans(item, text, into));
    for entry in node.mapping().into_iter().flatten() {
        into.push(cut(entry.key_span));
        spans(entry.value, text, into);
    }
}

fn all_spans(text: &str) -> Vec<String> {
    let mut into = Vec::new();
    spans(read(text).unwrap().root(), text, &mut into);
    into
}

#[test]
fn spans_cover_what_is_written() {
    assert_eq!(
        all_spans("a: 1\nb: [x, 'y z']\n"),
        ["a: 1\nb: [x, 'y z']", "a", "1", "b", "[x, 'y z']", "x", "'y z'"]
    );
    assert_eq!(
        all_spans("é: ü # ö\nlist:\n  - wéb\n"),
        ["é: ü # ö\nlist:\n  - wéb", "é", "ü", "list", "- wéb", "wéb"]
    );
    assert_eq!(all_spans("a: {b: \"c\\n\"}\r\nd: e\r\n")[3..], ["b", "\"c\\n\"", "d", "e"]);
    assert_eq!(all_spans("\u{feff}a: b"), ["a: b", "a", "b"]);
    assert_eq!(all_spans("a:\nb: |\n  x\n  y\n\nc: d")[1..], ["a", "a", "b", "x\n  y", "c", "d"]);
}

#[test]
fn scalars_keep_their_value_and_their_quotes() {
    let tree = read("a: 'it''s'\nb: \"x\\ty\"\nc: p q\n   r\nd: NO\n").unwrap();
    let entries: Vec<_> = tree.root().mapping().unwrap().collect();
    let values: Vec<_> = entries.iter().map(|e| e.value.scalar().unwrap()).collect();
    let texts: Vec<_> = values.iter().map(|s| (s.text, s.quoted, s.plain())).collect();
    assert_eq!(
        texts,
        [
            ("it's", true, Plain::Text),
            ("x\ty", true, Plain::Text),
            ("p q r", false, Plain::Text),
            ("NO", false, Plain::Text)
        ]
    );
}

#[test]
fn aliases_are_shared_and_bounded() {
    let tree = read("a: &x {b: [1, 2]}\nc: *x\n").unwrap();
    let entries: Vec<_> = tree.root().mapping().unwrap().collect();
    assert_eq!(entries[0].value.span(), entries[1].value.span());
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let refs = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb += &format!("a{level}: &a{level} [{refs}]\n");
    }
    assert_eq!(read(&bomb).unwrap_err()[0].0, Code::Limit);
    let fat = format!("a: &a {}\nb: [{}]\n", "x".repeat(100_000), "*a, ".repeat(20_000));
    assert_eq!(read(&fat).unwrap_err()[0].0, Code::Limit);
    assert_eq!(read("a: &a [*a]\n").unwrap_err()[0].0, Code::Syntax);
    assert_eq!(read("a: *b\n").unwrap_err()[0].0, Code::Syntax);
}

#[test]
fn depth_is_bounded_in_every_style() {
    let block: String = (0..3000).map(|n| " ".repeat(n) + "a:\n").collect();
    let list = "- ".repeat(100_000) + "a";
    for text in ["[".repeat(100_000), "{a: ".repeat(100_000), block, list] {
        assert_eq!(read(&text).unwrap_err()[0].0, Code::Limit, "{}", &text[..20]);
    }
}

#[test]
fn what_is_not_taken_is_refused_by_name() {
    for (text, code, part) in [
        ("", Code::Syntax, "holds nothing"),
        ("# only a comment\n", Code::Syntax, "holds nothing"),
        ("---\n~\n", Code::Syntax, "holds nothing"),
        ("a: 1\n---\nb: 2\n", Code::Syntax, "second document"),
        ("%YAML 1.1\n---\na: 1\n", Code::Syntax, "directive"),
        ("a: !!int 5\n", Code::Syntax, "tag"),
        ("a: !thing 5\n", Code::Syntax, "tag"),
        ("<<: {a: 1}\n", Code::Syntax, "merge key"),
        ("? [a, b]\n: c\n", Code::Syntax, "as a key"),
        (": c\n", Code::Syntax, "key is missing"),
        ("a: 1\na: 2\n", Code::DuplicateKey, "given twice"),
        ("a: \u{7}\n", Code::Syntax, "U+0007"),
        ("a: b\0c\n", Code::Syntax, "U+0000"),
        ("a: \u{85}x\u{9b}\n", Code::Syntax, "U+009B"),
        ("a: [1, 2\n", Code::Syntax, "`[`"),
        ("a: \"x\n", Code::Syntax, "quote"),
        ("a: b: c\n", Code::Syntax, "`:`"),
        ("a:\n\tb: c\n", Code::Syntax, "tab"),
        ("a: 1\n  b: 2\n", Code::Syntax, "`:`"),
    ] {
        let errors = read(text).unwrap_err();
        assert!(errors[0].0 == code && errors[0].1.contains(part), "{text:?}: {errors:?}");
    }
}

#[test]
fn text_tags_make_text() {
    let tree = read("a: !!str true\nb: ! false\n").unwrap();
    let entries: Vec<_> = tree.root().mapping().unwrap().collect();
    assert!(entries.iter().all(|entry| entry.value.scalar().unwrap().plain() == Plain::Text));
}

#[test]
fn all_duplicates_are_named_even_in_large_mappings() {
    let text: String = (0..20).map(|n| format!("k{}: 1\n", n % 18)).collect();
    let errors = read(&text).unwrap_err();
    assert_eq!(
        errors.iter().map(|e| e.1.as_str()).collect::<Vec<_>>(),
        ["the key `k0` is given twice", "the key `k1` is given twice"]
    );
}
