//! The JSON Schema of the description, from the same tables that read it.

use super::syntax::Document;
use crate::input::decode::{Definitions, Shape};
use serde_json::{Value, json};

/// The schema, by JSON Schema draft 2020-12.
pub(crate) fn schema() -> Value {
    let mut definitions = Definitions::default();
    let root = Document::schema(&mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "isoaudit topology, format 1",
        "$ref": root["$ref"],
        "$defs": definitions.into_value(),
    })
}
