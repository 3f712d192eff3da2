//! Objects of a JSON dump, key by key: which keys are read, which change nothing, and which are left over.
//!
//! A key that is left over is not understood; its reader turns it into a [`Doubt`], so that no attribute of
//! a newer `ip` is passed over in silence (SEMANTICS.md section 4.7).

use super::Doubt;
use super::json::{self, Json, Value};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::source::{Source, SourceId, Span, Spanned};
use std::borrow::Cow;

/// How many keys one object may have; those of `ip -d` have about sixty.
const KEYS_MAX: usize = 256;

/// How many errors of one file are worth printing.
const ERRORS_MAX: usize = 50;

/// One file that is being read, and what was found wrong with it.
pub(super) struct Reading<'a, 'd> {
    source: &'a Source,
    diagnostics: &'d mut Diagnostics,
    errors: usize,
}

impl<'a, 'd> Reading<'a, 'd> {
    /// Reads a text that must be one array of objects, and hands each object to `each`.
    /// Empty objects, which some versions of `ip` print for what they leave out, are passed over.
    pub(super) fn objects(
        source: &'a Source,
        id: SourceId,
        command: &str,
        diagnostics: &'d mut Diagnostics,
        mut each: impl FnMut(Fields<'_, 'a>, &mut Reading<'a, 'd>),
    ) {
        let mut reading = Reading { source, diagnostics, errors: 0 };
        let json = match json::parse(&source.text, id) {
            Ok(json) => json,
            Err(diagnostic) => return reading.report(diagnostic),
        };
        let Value::Array(items) = &json.value else {
            let message = format!("expected an array, found {}", json.value.kind());
            let help = format!("this should be the output of `{command}`");
            return reading.report(Diagnostic::error(Code::Dump, json.span, message).help(help));
        };
        for item in items {
            if reading.is_full() {
                return;
            }
            if let Some(fields) = reading.fields(item)
                && !fields.entries.is_empty()
            {
                each(fields, &mut reading);
            }
        }
    }

    /// A reading of a text that [`json::parse`] has read already.
    pub(super) fn new(source: &'a Source, diagnostics: &'d mut Diagnostics) -> Reading<'a, 'd> {
        Reading { source, diagnostics, errors: 0 }
    }

    /// Adds an error.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.errors += 1;
        self.diagnostics.push(diagnostic);
    }

    /// Whether there are more errors than are worth printing.
    pub(super) fn is_full(&self) -> bool {
        self.errors >= ERRORS_MAX
    }

    /// Adds an error about the value at a place.
    pub(super) fn bad(&mut self, span: Span, message: impl Into<String>) {
        self.report(Diagnostic::error(Code::Dump, span, message));
    }

    /// The keys of a value that must be an object. A key that is there twice with different values is an error.
    pub(super) fn fields<'j>(&mut self, json: &'j Json<'a>) -> Option<Fields<'j, 'a>> {
        let Value::Object(entries) = &json.value else {
            self.bad(json.span, format!("expected an object, found {}", json.value.kind()));
            return None;
        };
        if entries.len() > KEYS_MAX {
            let message = format!("an object with more than {KEYS_MAX} keys");
            self.report(Diagnostic::error(Code::Limit, json.span, message));
            return None;
        }
        let text = |span: Span| self.source.slice(span.start, span.end);
        for (index, (key, value)) in entries.iter().enumerate() {
            let twin = entries[..index].iter().find(|(other, _)| other.value == key.value);
            if let Some((first, other)) = twin
                && text(other.span) != text(value.span)
            {
                let message = format!("`{}` is given twice, with different values", key.value);
                let error = Diagnostic::error(Code::DuplicateKey, key.span, message);
                self.report(error.also(first.span, "first here"));
                return None;
            }
        }
        Some(Fields { entries, taken: vec![false; entries.len()], span: json.span })
    }

    /// The items of a value that must be an array.
    pub(super) fn items<'j>(&mut self, json: &'j Json<'a>) -> &'j [Json<'a>] {
        let Value::Array(items) = &json.value else {
            self.bad(json.span, format!("expected an array, found {}", json.value.kind()));
            return &[];
        };
        items
    }

    /// A value that must be a string. Control characters have no place in what `ip` and `nft` print.
    pub(super) fn text<'j>(&mut self, json: &'j Json<'a>) -> Option<Spanned<&'j str>> {
        let Value::String(text) = &json.value else {
            self.bad(json.span, format!("expected a string, found {}", json.value.kind()));
            return None;
        };
        if text.chars().any(char::is_control) {
            self.bad(json.span, "a control character inside a string");
            return None;
        }
        Some(Spanned::new(text.as_ref(), json.span))
    }

    /// A value that must be a whole number that fits.
    pub(super) fn number<T: std::str::FromStr>(&mut self, json: &Json<'a>) -> Option<Spanned<T>> {
        let Value::Number(text) = &json.value else {
            self.bad(json.span, format!("expected a number, found {}", json.value.kind()));
            return None;
        };
        match text.parse() {
            Ok(number) => Some(Spanned::new(number, json.span)),
            Err(_) => {
                self.bad(json.span, format!("`{text}` is out of range"));
                None
            }
        }
    }
}

/// The keys of one object.
pub(super) struct Fields<'j, 'a> {
    entries: &'j [(Spanned<Cow<'a, str>>, Json<'a>)],
    taken: Vec<bool>,
    /// The whole object.
    pub(super) span: Span,
}

impl<'j, 'a> Fields<'j, 'a> {
    /// The value of a key, which counts as read from then on.
    pub(super) fn take(&mut self, key: &str) -> Option<&'j Json<'a>> {
        let mut found = None;
        for (index, (name, value)) in self.entries.iter().enumerate() {
            if name.value == key {
                self.taken[index] = true;
                found = found.or(Some(value));
            }
        }
        found
    }

    /// The value of a key that the object must have; `whole` names the object.
    pub(super) fn need(
        &mut self,
        key: &str,
        whole: &str,
        reading: &mut Reading<'a, '_>,
    ) -> Option<&'j Json<'a>> {
        let found = self.take(key);
        if found.is_none() {
            reading.bad(self.span, format!("{whole} without `{key}`"));
        }
        found
    }

    /// The text of a key, if it is there and a string.
    pub(super) fn text(&mut self, key: &str, reading: &mut Reading<'a, '_>) -> Option<Spanned<&'j str>> {
        self.take(key).and_then(|json| reading.text(json))
    }

    /// The text of a key, if it is there and not `null`, as `ip` prints what a link that stands on no other stands on.
    pub(super) fn text_if_any(
        &mut self,
        key: &str,
        reading: &mut Reading<'a, '_>,
    ) -> Option<Spanned<&'j str>> {
        self.take(key).filter(|json| json.value != Value::Null).and_then(|json| reading.text(json))
    }

    /// The number of a key, if it is there and fits.
    pub(super) fn number<T: std::str::FromStr>(
        &mut self,
        key: &str,
        reading: &mut Reading<'a, '_>,
    ) -> Option<Spanned<T>> {
        self.take(key).and_then(|json| reading.number(json))
    }

    /// Whether a key is there and not `false`; `ip` prints `null` for some flags and `true` for others.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        self.take(key).is_some_and(|json| json.value != Value::Bool(false))
    }

    /// Keys, as words of one text, that change nothing in the model.
    pub(super) fn irrelevant(&mut self, keys: &str) {
        for (index, (name, _)) in self.entries.iter().enumerate() {
            if !self.taken[index] && keys.split_ascii_whitespace().any(|key| key == name.value) {
                self.taken[index] = true;
            }
        }
    }

    /// The keys that nobody asked for, each with the place of key and value.
    pub(super) fn left(&self) -> impl Iterator<Item = (&'j str, Span)> {
        let left = self.entries.iter().zip(&self.taken).filter(|(_, taken)| !**taken);
        left.map(|((name, value), _)| (name.value.as_ref(), name.span.to(value.span)))
    }

    /// The keys that nobody asked for, as doubts about a thing (`the route`).
    pub(super) fn doubts(&self, thing: &str) -> Vec<Doubt> {
        self.left().map(|(key, span)| Doubt::about(format!("what `{key}` means for {thing}"), span)).collect()
    }
}
