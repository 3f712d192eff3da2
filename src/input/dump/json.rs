//! JSON with the place of every value (RFC 8259), for what `ip -j` and `nft -j` print.
//!
//! serde_json gives no places, and a YAML reader, which does, takes much that is not JSON. So this is a
//! reader of its own: strict, with limits on depth and size, and compared with serde_json in its tests.

use crate::diag::{Code, Diagnostic};
use crate::source::{SourceId, Span, Spanned};
use std::borrow::Cow;

/// How deep arrays and objects may be nested. `nft` nests about a dozen levels.
const DEPTH_MAX: usize = 64;

/// How many values one text may hold: a route of `ip -j` has about ten, so this is well over a million routes.
/// It bounds the memory to a few hundred megabytes.
const VALUES_MAX: usize = 16_000_000;

/// A value and its place.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Json<'a> {
    /// What it is.
    pub(super) value: Value<'a>,
    /// All of its text.
    pub(super) span: Span,
}

/// A JSON value. Numbers keep their text: the dumps hold integers, and no rounding may change one.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Null,
    Bool(bool),
    Number(&'a str),
    String(Cow<'a, str>),
    Array(Vec<Json<'a>>),
    Object(Vec<(Spanned<Cow<'a, str>>, Json<'a>)>),
}

impl Value<'_> {
    /// What an error calls a value of this kind.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }
}

/// Reads one text that is one JSON value.
pub(super) fn parse(text: &str, source: SourceId) -> Result<Json<'_>, Diagnostic> {
    let mut reader = Reader { text, at: 0, source, values: 0 };
    reader.skip_blanks();
    let json = reader.value(0)?;
    reader.skip_blanks();
    if reader.at < text.len() {
        return Err(reader.error("more text behind the end of the JSON value"));
    }
    Ok(json)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    source: SourceId,
    values: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn span_from(&self, start: usize) -> Span {
        Span::new(self.source, start, self.at)
    }

    fn error(&self, message: impl Into<String>) -> Diagnostic {
        let end = self.text[self.at..].chars().next().map_or(self.at, |c| self.at + c.len_utf8());
        let diagnostic = Diagnostic::error(Code::Dump, Span::new(self.source, self.at, end), message);
        if self.at >= self.text.len() {
            return diagnostic.help("the file seems to be cut off; dump it again");
        }
        diagnostic.help("this should be the output of `ip -j …` or `nft -j list ruleset`")
    }

    fn limit(&self, message: String) -> Diagnostic {
        Diagnostic { code: Code::Limit, help: None, ..self.error(message) }
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, Diagnostic> {
        if depth > DEPTH_MAX {
            return Err(self.limit(format!("JSON nested more than {DEPTH_MAX} levels deep")));
        }
        self.values += 1;
        if self.values > VALUES_MAX {
            return Err(self.limit(format!("more than {VALUES_MAX} JSON values")));
        }
        let start = self.at;
        let value = match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => Value::String(self.string()?),
            Some(b'-' | b'0'..=b'9') => Value::Number(self.number()?),
            _ => self.word()?,
        };
        Ok(Json { value, span: self.span_from(start) })
    }

    fn word(&mut self) -> Result<Value<'a>, Diagnostic> {
        for (word, value) in
            [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))]
        {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.error("expected a JSON value"))
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, Diagnostic> {
        let mut items = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_blanks();
            items.push(self.value(depth + 1)?);
            if self.separator(b']', "expected `,` or `]`")? {
                return Ok(Value::Array(items));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value<'a>, Diagnostic> {
        let mut fields: Vec<(Spanned<Cow<'a, str>>, Json<'a>)> = Vec::new();
        self.at += 1;
        self.skip_blanks();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(Value::Object(fields));
        }
        loop {
            self.skip_blanks();
            let start = self.at;
            if self.peek() != Some(b'"') {
                return Err(self.error("expected a key in double quotes"));
            }
            let key = self.string()?;
            let key = Spanned::new(key, self.span_from(start));
            self.skip_blanks();
            if self.peek() != Some(b':') {
                return Err(self.error("expected `:` behind the key"));
            }
            self.at += 1;
            self.skip_blanks();
            let value = self.value(depth + 1)?;
            fields.push((key, value));
            if self.separator(b'}', "expected `,` or `}`")? {
                return Ok(Value::Object(fields));
            }
        }
    }

    /// Takes `,` or the closing character; says whether it was the latter.
    fn separator(&mut self, close: u8, expected: &str) -> Result<bool, Diagnostic> {
        self.skip_blanks();
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(false)
            }
            Some(byte) if byte == close => {
                self.at += 1;
                Ok(true)
            }
            Some(_) | None => Err(self.error(expected)),
        }
    }

    fn digits(&mut self) -> Result<(), Diagnostic> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.error("expected a digit"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<&'a str, Diagnostic> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(&self.text[start..self.at])
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Diagnostic> {
        self.at += 1;
        let mut owned: Option<String> = None;
        loop {
            let start = self.at;
            while !matches!(self.peek(), None | Some(b'"' | b'\\' | 0..=0x1f)) {
                self.at += 1;
            }
            let piece = &self.text[start..self.at];
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(match owned {
                        Some(text) => Cow::Owned(text + piece),
                        None => Cow::Borrowed(piece),
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_default();
                    text.push_str(piece);
                    self.at += 1;
                    let c = self.escape()?;
                    owned.get_or_insert_default().push(c);
                }
                Some(_) => return Err(self.error("a control character inside a string")),
                None => return Err(self.error("a string without its closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Diagnostic> {
        let c = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                self.at += 1;
                return self.unicode();
            }
            Some(_) | None => return Err(self.error("an unknown escape in a string")),
        };
        self.at += 1;
        Ok(c)
    }

    fn hex4(&mut self) -> Result<u32, Diagnostic> {
        let digits = self.text.get(self.at..self.at + 4).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let Some(number) = digits.and_then(|d| u32::from_str_radix(d, 16).ok()) else {
            return Err(self.error("expected four hexadecimal digits"));
        };
        self.at += 4;
        Ok(number)
    }

    /// The character of `\uXXXX`, or of a pair of surrogates; a lone surrogate is an error.
    fn unicode(&mut self) -> Result<char, Diagnostic> {
        let first = self.hex4()?;
        let code = if (0xd800..0xdc00).contains(&first) && self.text[self.at..].starts_with("\\u") {
            self.at += 2;
            let second = self.hex4()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.error("a lone surrogate in a string"));
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.error("a lone surrogate in a string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<Json<'_>, Diagnostic> {
        parse(text, SourceId(0))
    }

    /// The value as serde_json would hold it; `None` where a number does not fit its types.
    fn plain(json: &Json<'_>) -> serde_json::Value {
        match &json.value {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(text) => serde_json::from_str(text).unwrap(),
            Value::String(text) => text.clone().into_owned().into(),
            Value::Array(items) => items.iter().map(plain).collect(),
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.value.clone().into_owned(), plain(value))).collect()
            }
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f32>().prop_filter("finite", |f| f.is_finite()).prop_map(|f| f64::from(f).into()),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Texts near JSON: pieces of its alphabet in any order, so that errors are met as often as values.
    fn near_json() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u00e9", "\\ud83d", "\\ude00", "\"a\"", "0", "01",
            "-", "-3", "1.5", "1.", "2e7", "e", "null", "true", "nul", " ", "\n", "\u{1}", "é", "\u{2028}",
        ]);
        prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn every_value_is_read_as_serde_json_reads_it(value in any_json(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
            let text = text.unwrap();
            let theirs: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(plain(&read(&text).unwrap()), theirs);
        }

        #[test]
        fn what_is_json_and_what_is_not_is_agreed_with_serde_json(text in near_json()) {
            match (read(&text), serde_json::from_str::<serde_json::Value>(&text)) {
                (Ok(json), Ok(value)) => prop_assert_eq!(plain(&json), value),
                (Err(_), Err(_)) => {}
                // Numbers stay texts here, so none is too large.
                (Ok(_), Err(error)) if error.to_string().contains("out of range") => {}
                (ours, theirs) => prop_assert!(false, "{:?} / {:?} of {}", ours, theirs, text),
            }
        }
    }

    #[test]
    fn spans_are_exact() {
        let text = "{ \"é\": [10, \"x\\n\"] }";
        let json = read(text).unwrap();
        let Value::Object(fields) = &json.value else { panic!() };
        let part = |span: Span| &text[span.start as usize..span.end as usize];
        assert_eq!(part(fields[0].0.span), "\"é\"");
        let Value::Array(items) = &fields[0].1.value else { panic!() };
        assert_eq!(part(items[0].span), "10");
        assert_eq!(part(items[1].span), "\"x\\n\"");
        assert_eq!(part(json.span), text);
    }

    #[test]
    fn hostile_texts_are_errors_at_their_place() {
        let deep = "[".repeat(100_000);
        let cases = [
            ("", "expected a JSON value", 0),
            ("[{\"dst\":\"10.0.0.0/8\"", "expected `,` or `}`", 20),
            ("[1] x", "more text behind", 4),
            ("{\"a\":1,}", "expected a key", 7),
            ("\"\\ud800\"", "lone surrogate", 7),
            ("[01]", "expected `,`", 2),
            (deep.as_str(), "nested more than", 65),
        ];
        for (text, message, at) in cases {
            let error = read(text).unwrap_err();
            assert!(error.message.contains(message), "{text}: {}", error.message);
            assert_eq!(error.span.unwrap().start, at, "{}", error.message);
        }
    }
}
