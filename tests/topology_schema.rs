//! The JSON Schema of `topology.yaml` and the reader accept the same.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use isoaudit::diag::{Code, Severity};
use isoaudit::input;
use isoaudit::source::{DEFAULT_MAX_BYTES, Loader, SourceMap};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn schema() -> Value {
    serde_json::from_str(&fs::read_to_string(root().join("grammar/topology.schema.json")).unwrap()).unwrap()
}

/// A YAML file as the JSON that a validator sees; `None` if it is no YAML, or has keys that are no texts.
fn json(path: &Path) -> Option<Value> {
    serde_json::to_value(serde_yaml::from_str::<serde_yaml::Value>(&fs::read_to_string(path).unwrap()).ok()?)
        .ok()
}

fn all_keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                into.insert(key.clone());
                all_keys(value, into);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| all_keys(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// The keys that the objects of a schema have.
fn properties(schema: &Value, into: &mut BTreeSet<String>) {
    match schema {
        Value::Object(entries) => {
            if let Some(Value::Object(own)) = entries.get("properties") {
                into.extend(own.keys().cloned());
            }
            entries.values().for_each(|value| properties(value, into));
        }
        Value::Array(items) => items.iter().for_each(|item| properties(item, into)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_example_has_every_key_and_is_valid() {
    let schema = schema();
    let example = json(&root().join("grammar/examples/topology.yaml")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let wrong: Vec<_> =
        validator.iter_errors(&example).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
    let (mut has, mut could) = (BTreeSet::new(), BTreeSet::new());
    all_keys(&example, &mut has);
    properties(&schema, &mut could);
    let missing: Vec<_> = could.difference(&has).collect();
    assert!(missing.is_empty(), "keys without an example: {missing:?}");
    let mut sources = SourceMap::default();
    let loader = Loader::new(root().join("grammar/examples"), DEFAULT_MAX_BYTES);
    let resolved = input::resolve(&mut sources, &loader, Path::new("topology.yaml")).unwrap();
    let resolved = serde_json::to_value(resolved).unwrap();
    let wrong: Vec<_> =
        validator.iter_errors(&resolved).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(wrong.is_empty(), "what `resolve` writes: {wrong:#?}");
}

#[test]
fn what_has_a_wrong_shape_is_invalid() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    let shape = [Code::UnknownKey, Code::MissingKey, Code::WrongType, Code::NotBuilt];
    let mut judged = 0;
    for entry in fs::read_dir(root().join("tests/corpus/bad")).unwrap() {
        let folder = entry.unwrap().path();
        let mut sources = SourceMap::default();
        let loader = Loader::new(&folder, DEFAULT_MAX_BYTES);
        // Resolving looks at shapes alone. The schema knows one file, so others are not its business.
        let Err(found) = input::resolve(&mut sources, &loader, Path::new("topology.yaml")) else { continue };
        let found = found.sorted();
        let own = |found: &isoaudit::diag::Diagnostic| {
            found.severity == Severity::Error && found.span.is_some_and(|span| span.source.0 == 0)
        };
        let is_shape = found.iter().filter(|found| own(found)).any(|found| shape.contains(&found.code));
        let Some(json) = json(&folder.join("topology.yaml")).filter(|_| is_shape) else { continue };
        judged += 1;
        assert!(!validator.is_valid(&json), "{}: valid by the schema", folder.display());
    }
    assert!(judged > 15, "{judged} folders");
}
