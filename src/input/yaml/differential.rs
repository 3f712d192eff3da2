//! Our reader and `serde_yaml` give the same values, and no text makes ours panic.

use super::*;
use crate::diag::Diagnostics;
use crate::source::SourceId;
use proptest::prelude::*;
use serde_yaml::Value;

fn read(text: &str) -> Option<Value> {
    let mut out = Diagnostics::default();
    let tree = parse(SourceId(0), &text.into(), Limits::default(), &mut out)?;
    (!out.has_errors()).then(|| value(tree.root()))
}

/// A node as `serde_yaml` has it.
fn value(node: NodeRef<'_>) -> Value {
    if let Some(items) = node.sequence() {
        return Value::Sequence(items.map(value).collect());
    }
    if let Some(entries) = node.mapping() {
        return Value::Mapping(entries.map(|entry| (entry.key.into(), value(entry.value))).collect());
    }
    let scalar = node.scalar().unwrap();
    match scalar.plain() {
        Plain::Null => Value::Null,
        Plain::Bool(value) => Value::Bool(value),
        Plain::Integer => Value::Number(scalar.text.parse::<i64>().unwrap().into()),
        Plain::Float => Value::Number(scalar.text.parse::<f64>().unwrap().into()),
        Plain::Text => Value::String(scalar.text.to_owned()),
    }
}

/// Texts that tempt a reader: words of YAML 1.1, numbers, punctuation, escapes, other scripts.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "",
            "~",
            "null",
            "true",
            "no",
            "NO",
            "off",
            "on",
            "1",
            "0x1f",
            "1e3",
            ".5",
            "22:22",
            "- a",
            "a: b",
            "a #b",
            "#",
            "&a",
            "*a",
            "!t",
            "%x",
            "@",
            "`",
            "[",
            "{",
            "a,b",
            "it's",
            "\"q\"",
            "\\n",
            " lead",
            "trail ",
            "<<",
            "é",
            "漢字",
            "10.0.0.0/8",
            "fw-gui:eth1.110",
            "---",
            "...",
            "a\nb",
            "a\n\nb\n",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9:#,'\" -]{0,12}",
        // U+2028 and U+2029 are line breaks of YAML 1.1, which `serde_yaml` reads, and text of YAML 1.2.
        "[\\PC&&[^\u{2028}\u{2029}]]{0,8}",
    ]
}

/// Anything but a document that holds nothing, which is refused on purpose.
fn tree() -> impl Strategy<Value = Value> {
    any_tree().prop_filter("nothing", |tree| !tree.is_null())
}

fn any_tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(|n| Value::Number(i64::from(n).into())),
        text().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Sequence),
            // A plain merge key is refused on purpose.
            prop::collection::vec((text().prop_filter("a merge key", |key| key != "<<"), inner), 0..5)
                .prop_map(|pairs| Value::Mapping(
                    pairs.into_iter().map(|(key, value)| (key.into(), value)).collect()
                )),
        ]
    })
}

/// One line of flow style, every text in double quotes (which is JSON too).
fn flow(value: &Value) -> String {
    match value {
        Value::Sequence(items) => format!("[{}]", items.iter().map(flow).collect::<Vec<_>>().join(", ")),
        Value::Mapping(entries) => {
            let entry = |(key, value): (&Value, &Value)| format!("{}: {}", flow(key), flow(value));
            format!("{{ {} }}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
        }
        Value::String(text) => serde_json::to_string(text).unwrap(),
        other => serde_yaml::to_string(other).unwrap().trim().to_owned(),
    }
}

proptest! {
    #[test]
    fn what_serde_yaml_writes_is_read_as_it_reads_it(tree in tree()) {
        let text = serde_yaml::to_string(&tree).unwrap();
        let theirs: Value = serde_yaml::from_str(&text).unwrap();
        prop_assert_eq!(read(&text), Some(theirs.clone()), "{}", text);
        prop_assert_eq!(theirs, tree);
    }

    #[test]
    fn styles_comments_and_line_ends_change_nothing(tree in tree()) {
        let text = flow(&tree);
        let theirs: Value = serde_yaml::from_str(&text).unwrap();
        prop_assert_eq!(read(&text), Some(theirs.clone()), "{}", text);
        let dressed = format!("# one\r\n---\r\n{text} # two\r\n...\r\n");
        prop_assert_eq!(read(&dressed), Some(theirs.clone()), "{}", dressed);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[ab\"'\\[\\]{},:&*!|>%@#?\\-\n\t\r ~<é\u{85}\u{feff}0-9]{0,60}") {
        let mut out = Diagnostics::default();
        let tree = parse(SourceId(0), &text.as_str().into(), Limits::default(), &mut out);
        prop_assert!(tree.is_some() || out.has_errors());
        let inside = |span: crate::source::Span| {
            text.get(span.start as usize..span.end as usize).is_some()
        };
        prop_assert!(out.iter().all(|found| found.span.is_some_and(inside)));
        if let Some(tree) = &tree {
            let mut open = vec![tree.root()];
            while let Some(node) = open.pop() {
                prop_assert!(inside(node.span()));
                open.extend(node.sequence().into_iter().flatten());
                open.extend(node.mapping().into_iter().flatten().map(|entry| entry.value));
            }
        }
    }
}
