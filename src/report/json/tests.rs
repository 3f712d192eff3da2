//! Every document keeps to its schema, and says what the report says.

use super::*;
use crate::diag::Code;
use crate::report::fixture::{self, Story};
use crate::report::listing::Listed;
use crate::report::safe::is_visible;
use crate::source::Span;
use serde_json::Value;

/// The document as a value, once it has been found to keep to the schema.
fn valid(json: &str) -> Value {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let value: Value = serde_json::from_str(json).unwrap();
    let problems: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(problems.is_empty(), "{problems:#?}");
    value
}

fn written(story: &Story) -> String {
    report(std::slice::from_ref(&story.report), &story.sources, &Look::PLAIN)
}

#[test]
fn the_story() {
    let story = fixture::story();
    let json = written(&story);
    let value = valid(&json);
    assert_eq!(value["format"], "isoaudit/1");
    assert_eq!(value["verdict"], "violated");
    assert_eq!(value["counts"]["causes"], 1);
    let opening = &value["topologies"][0]["claims"][0]["findings"][0]["legs"][0]["hops"][2]["steps"][1];
    assert_eq!(opening["opening"], true);
    assert_eq!(opening["place"]["line"], 7);
    assert_eq!(opening["place"]["column"], 3);
    assert_eq!(opening["place"]["end_column"], 12);
    assert_eq!(json, written(&story), "equal input, equal bytes");
    insta::with_settings!({ filters => [(env!("CARGO_PKG_VERSION"), "VERSION")] }, {
        insta::assert_snapshot!(json);
    });
}

#[test]
fn the_look_changes_nothing() {
    let story = fixture::story();
    let loud = Look { colour: true, unicode: false, ..Look::PLAIN };
    assert_eq!(written(&story), report(std::slice::from_ref(&story.report), &story.sources, &loud));
}

#[test]
fn hostile_text_arrives_unchanged_and_prints_safely() {
    let story = fixture::hostile();
    let json = written(&story);
    assert!(json.lines().all(|line| line.chars().all(is_visible)));
    let value = valid(&json);
    let id = value["topologies"][0]["claims"][0]["id"].as_str().unwrap();
    assert_eq!(id, story.report.judgements[0].claim.id.value);
}

#[test]
fn errors_are_a_document_too() {
    let mut sources = SourceMap::default();
    let id = sources.add("t.yaml", "nodes:\n  é: { zoen: a }\n");
    let at = sources.get(id).text.find("zoen").unwrap();
    let all = [
        Diagnostic::error(Code::UnknownKey, Span::new(id, at, at + 4), "there is no key `zoen`")
            .label("here")
            .also(Span::new(id, 0, 5), "in this table")
            .help("did you mean `zone`?"),
        Diagnostic::homeless(Code::File, "no such file"),
        Diagnostic::warning(Code::Policy, Span::new(id, 0, 1), "odd"),
    ];
    let value = valid(&errors(&all, &sources, &Look::PLAIN));
    assert_eq!(value["errors"].as_array().unwrap().len(), 2);
    assert_eq!(value["warnings"].as_array().unwrap().len(), 1);
    let place = &value["errors"][0]["place"];
    assert_eq!((place["line"].as_u64(), place["column"].as_u64()), (Some(2), Some(8)));
    assert_eq!((place["end_line"].as_u64(), place["end_column"].as_u64()), (Some(2), Some(12)));
    assert_eq!(value["errors"][1]["place"], Value::Null);
}

#[test]
fn traces_and_listings_keep_to_the_schema() {
    let (sources, traced) = fixture::traced();
    let value = valid(&trace(&traced, &sources, &Look::PLAIN));
    assert_eq!(value["packets"][0]["walks"][0]["delivered"], true);
    assert_eq!(value["packets"][0]["walks"][0]["packet"]["tcp_flags"], serde_json::json!(["syn", "ack"]));
    let place = Listed {
        name: "fw".to_owned(),
        is_segment: false,
        certain: false,
        about: "firewall".to_owned(),
        span: None,
    };
    let listed = Listing { topology: "t".to_owned(), selector: "any".to_owned(), places: vec![place] };
    let value = valid(&listing(&listed, &sources, &Look::PLAIN));
    assert_eq!(value["places"][0]["certain"], false);
}

#[test]
fn the_schema_is_closed() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let story = fixture::story();
    let mut value: Value = serde_json::from_str(&written(&story)).unwrap();
    value["topologies"][0]["claims"][0]["findings"][0]["legs"][0]["new_key"] = Value::Null;
    assert!(!validator.is_valid(&value), "a key that the schema does not know must be noticed");
}
