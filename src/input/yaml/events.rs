//! From events to the tree, within limits.

use super::message;
use super::place::Places;
use super::scalar::Plain;
use super::tree::{Data, Node, Tree};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::input::decode::shorten;
use crate::source::{SourceId, Span};
use saphyr_parser::{Event, Parser, ScalarStyle, Tag};
use std::collections::HashMap;
use std::sync::Arc;

/// What protects the auditor from a hostile text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Number of collections inside each other.
    pub(crate) depth: usize,
    /// Number of nodes of one text. A node takes 24 bytes, so the default bounds a tree to about 600 MB.
    pub(crate) nodes: usize,
    /// Number of nodes that aliases may add, were each replaced by what it stands for.
    pub(crate) alias_nodes: u64,
    /// Number of bytes of scalars that aliases may add, likewise.
    pub(crate) alias_bytes: u64,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { depth: 64, nodes: 24_000_000, alias_nodes: 1_000_000, alias_bytes: 16 << 20 }
    }
}

/// Reads a text. If it is not YAML, or not the YAML that is taken, says so and gives `None`.
pub(crate) fn parse(
    source: SourceId,
    text: &Arc<str>,
    limits: Limits,
    out: &mut Diagnostics,
) -> Option<Tree> {
    if let Some(diagnostic) = message::unprintable(source, text) {
        out.push(diagnostic);
        return None;
    }
    let mut build = Build::new(source, text, limits);
    match build.run(out) {
        Ok(root) => Some(Tree {
            source,
            text: Arc::clone(text),
            nodes: build.nodes,
            children: build.children,
            owned: build.owned,
            root,
        }),
        Err(diagnostic) => {
            out.push(*diagnostic);
            None
        }
    }
}

/// How much a node weighs once its aliases are replaced.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    nodes: u64,
    bytes: u64,
}

impl Weight {
    fn add(&mut self, other: Weight) {
        self.nodes = self.nodes.saturating_add(other.nodes);
        self.bytes = self.bytes.saturating_add(other.bytes);
    }
}

/// A collection that is being read.
struct Frame {
    node: u32,
    /// Where its children begin in `pending`.
    first: usize,
    anchor: usize,
    is_mapping: bool,
    is_flow: bool,
    weight: Weight,
}

type Refusal = Box<Diagnostic>;

struct Build<'t> {
    source: SourceId,
    text: &'t str,
    places: Places<'t>,
    limits: Limits,
    nodes: Vec<Node>,
    children: Vec<u32>,
    owned: Vec<Box<str>>,
    frames: Vec<Frame>,
    pending: Vec<u32>,
    /// By the parser's number of the anchor: the node, with its weight once it is complete.
    anchors: HashMap<usize, (u32, Option<Weight>)>,
    aliased: Weight,
    root: Option<u32>,
    documents: usize,
}

impl<'t> Build<'t> {
    fn new(source: SourceId, text: &'t str, limits: Limits) -> Build<'t> {
        Build {
            source,
            text,
            places: Places::new(text),
            limits,
            nodes: Vec::with_capacity(text.len() / 16),
            children: Vec::with_capacity(text.len() / 16),
            owned: Vec::new(),
            frames: Vec::new(),
            pending: Vec::new(),
            anchors: HashMap::new(),
            aliased: Weight::default(),
            root: None,
            documents: 0,
        }
    }

    fn run(&mut self, out: &mut Diagnostics) -> Result<u32, Refusal> {
        let mut parser = Parser::new_from_str(self.text);
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| {
                let at = self.places.byte(error.marker().index());
                Box::new(message::syntax(self.source, self.text, at, error.info()))
            })?;
            let (start, end) = (self.places.byte(span.start.index()), self.places.byte(span.end.index()));
            self.event(event, start, end, out)?;
        }
        let is_null = |root: &u32| match self.nodes[*root as usize].data {
            Data::Plain { .. } => Plain::of(self.scalar_text(*root)) == Plain::Null,
            Data::Open
            | Data::Quoted { .. }
            | Data::PlainOwned(_)
            | Data::QuotedOwned(_)
            | Data::Sequence { .. }
            | Data::Mapping { .. }
            | Data::Alias(_) => false,
        };
        self.root.filter(|root| !is_null(root)).ok_or_else(|| {
            let span = self.span(0, 0);
            Box::new(
                Diagnostic::error(Code::Syntax, span, "the file holds nothing")
                    .help("a description begins with `isoaudit: 1`"),
            )
        })
    }

    fn event(
        &mut self,
        event: Event<'t>,
        start: usize,
        end: usize,
        out: &mut Diagnostics,
    ) -> Result<(), Refusal> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(explicit) => self.document(explicit, start, end),
            Event::Alias(anchor) => self.alias(anchor, start, end),
            Event::Scalar(value, style, anchor, tag) => {
                let quoted = style != ScalarStyle::Plain;
                let as_text = self.tag(tag.as_deref(), &["str"], start, end)?;
                self.scalar(&value, style, anchor, (start, end), quoted || as_text)
            }
            Event::SequenceStart(anchor, tag) => {
                self.tag(tag.as_deref(), &["seq"], start, end)?;
                self.open(anchor, false, start, end)
            }
            Event::MappingStart(anchor, tag) => {
                self.tag(tag.as_deref(), &["map"], start, end)?;
                self.open(anchor, true, start, end)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close(end, out);
                Ok(())
            }
        }
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start, end)
    }

    fn refuse<T>(&self, code: Code, at: (usize, usize), message: &str, help: &str) -> Result<T, Refusal> {
        Err(Box::new(Diagnostic::error(code, self.span(at.0, at.1), message).help(help)))
    }

    fn document(&mut self, explicit: bool, start: usize, end: usize) -> Result<(), Refusal> {
        self.documents += 1;
        if self.documents > 1 {
            let help = "split the documents into files, and name them under `include`";
            return self.refuse(Code::Syntax, (start, end), "a second document in one file", help);
        }
        let directive = self.text.get(..start).filter(|_| explicit).and_then(|before| {
            before
                .split_inclusive('\n')
                .scan(0, |offset, line| {
                    *offset += line.len();
                    Some((*offset - line.len(), line.trim_end().len(), line.starts_with('%')))
                })
                .find(|(_, _, is_directive)| *is_directive)
        });
        match directive {
            Some((offset, length, _)) => {
                let help = "remove the line: the text is read as YAML 1.2";
                self.refuse(
                    Code::Syntax,
                    (offset, offset + length),
                    "a YAML directive is not taken here",
                    help,
                )
            }
            None => Ok(()),
        }
    }

    /// Whether a tag says "this is text"; other tags than that and the node's own kind are refused.
    fn tag(&self, tag: Option<&Tag>, own: &[&str], start: usize, end: usize) -> Result<bool, Refusal> {
        let Some(tag) = tag else { return Ok(false) };
        let is_own = tag.is_yaml_core_schema() && own.contains(&tag.suffix.as_str());
        if is_own || (tag.handle.is_empty() && tag.suffix == "!") {
            return Ok(true);
        }
        let message = format!("the tag `{tag}` is not taken here");
        self.refuse(Code::Syntax, (start, end), &message, "remove the tag; text may be put in quotes")
    }

    fn push(&mut self, start: usize, end: usize, data: Data) -> Result<u32, Refusal> {
        if self.nodes.len() >= self.limits.nodes {
            let message = format!("more than {} values in one file", self.limits.nodes);
            return self.refuse(
                Code::Limit,
                (start, start),
                &message,
                "split it, and name the parts under `include`",
            );
        }
        let index = self.nodes.len() as u32;
        self.nodes.push(Node { start: start as u32, end: end as u32, data });
        Ok(index)
    }

    /// Hands a complete node to the collection around it.
    fn place(&mut self, index: u32, weight: Weight) {
        match self.frames.last_mut() {
            Some(frame) => {
                frame.weight.add(weight);
                self.pending.push(index);
            }
            None => self.root = Some(index),
        }
    }

    /// Whether the next node is a key, and if it is a value, its key.
    fn position(&self) -> (bool, Option<u32>) {
        match self.frames.last() {
            Some(frame) if frame.is_mapping => {
                let is_key = (self.pending.len() - frame.first).is_multiple_of(2);
                (is_key, if is_key { None } else { self.pending.last().copied() })
            }
            Some(_) | None => (false, None),
        }
    }

    fn scalar(
        &mut self,
        value: &str,
        style: ScalarStyle,
        anchor: usize,
        at: (usize, usize),
        quoted: bool,
    ) -> Result<(), Refusal> {
        let (mut start, mut end) = at;
        let (is_key, key) = self.position();
        if style == ScalarStyle::Plain && value.is_empty() && anchor == 0 {
            // The parser places what is not there at the next token; its key is where a reader looks.
            let own = key.map(|key| self.nodes[key as usize]);
            (start, end) = own.map_or((start, start), |key| (key.start as usize, key.end as usize));
        }
        if is_key {
            self.check_key(value, quoted, start, end)?;
        }
        let data = self.text_of(value, style, start, &mut end, quoted);
        let index = self.push(start, end, data)?;
        let weight = Weight { nodes: 1, bytes: value.len() as u64 };
        if anchor != 0 {
            self.anchors.insert(anchor, (index, Some(weight)));
        }
        self.place(index, weight);
        Ok(())
    }

    fn check_key(&self, key: &str, quoted: bool, start: usize, end: usize) -> Result<(), Refusal> {
        if !quoted && key == "<<" {
            let help = "write the keys out, or give them to a group under `groups` or to `defaults`";
            return self.refuse(
                Code::Syntax,
                (start, end),
                "the merge key `<<` is not part of YAML 1.2",
                help,
            );
        }
        if !quoted && key.is_empty() {
            return self.refuse(
                Code::Syntax,
                (start, end),
                "a key is missing before `:`",
                "name what is described",
            );
        }
        Ok(())
    }

    /// Keeps a scalar as a range of the text if it stands there as it is.
    fn text_of(
        &mut self,
        value: &str,
        style: ScalarStyle,
        start: usize,
        end: &mut usize,
        quoted: bool,
    ) -> Data {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        if is_block {
            *end = start + self.text.get(start..*end).unwrap_or("").trim_end().len();
        }
        let inside = match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => (start + 1, end.saturating_sub(1)),
            ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => (start, *end),
        };
        if self.text.get(inside.0..inside.1) == Some(value) {
            let (start, end) = (inside.0 as u32, inside.1 as u32);
            return if quoted { Data::Quoted { start, end } } else { Data::Plain { start, end } };
        }
        if value.is_empty() {
            let at = start as u32;
            return if quoted {
                Data::Quoted { start: at, end: at }
            } else {
                Data::Plain { start: at, end: at }
            };
        }
        self.owned.push(value.into());
        let index = self.owned.len() as u32 - 1;
        if quoted { Data::QuotedOwned(index) } else { Data::PlainOwned(index) }
    }

    fn alias(&mut self, anchor: usize, start: usize, end: usize) -> Result<(), Refusal> {
        let known = self.anchors.get(&anchor).copied();
        let Some((target, Some(weight))) = known else {
            let help = "write out what is meant";
            return self.refuse(Code::Syntax, (start, end), "an alias inside of what it stands for", help);
        };
        self.aliased.add(weight);
        let limits = self.limits;
        if self.aliased.nodes > limits.alias_nodes || self.aliased.bytes > limits.alias_bytes {
            let message = format!(
                "the aliases up to here stand for more than {} values or {} bytes",
                limits.alias_nodes, limits.alias_bytes
            );
            let help = "use fewer aliases; `groups` and `defaults` say the same of many nodes";
            return self.refuse(Code::Limit, (start, end), &message, help);
        }
        if self.position().0 {
            self.key_must_be_scalar(target, start, end)?;
        }
        let index = self.push(start, end, Data::Alias(target))?;
        self.place(index, weight);
        Ok(())
    }

    fn key_must_be_scalar(&self, node: u32, start: usize, end: usize) -> Result<(), Refusal> {
        match self.nodes[node as usize].data {
            Data::Open | Data::Sequence { .. } | Data::Mapping { .. } => {
                self.refuse(Code::Syntax, (start, end), "a list or mapping as a key", "a key is a word")
            }
            Data::Plain { .. }
            | Data::Quoted { .. }
            | Data::PlainOwned(_)
            | Data::QuotedOwned(_)
            | Data::Alias(_) => Ok(()),
        }
    }

    fn open(&mut self, anchor: usize, is_mapping: bool, start: usize, end: usize) -> Result<(), Refusal> {
        if self.position().0 {
            return self.refuse(Code::Syntax, (start, end), "a list or mapping as a key", "a key is a word");
        }
        if self.frames.len() >= self.limits.depth {
            let message = format!("more than {} lists and mappings inside each other", self.limits.depth);
            return self.refuse(Code::Limit, (start, end), &message, "no description needs that depth");
        }
        let is_flow = matches!(self.text.as_bytes().get(end.wrapping_sub(1)), Some(b'[' | b'{'));
        let node = self.push(start, end, Data::Open)?;
        if anchor != 0 {
            self.anchors.insert(anchor, (node, None));
        }
        let (first, weight) = (self.pending.len(), Weight { nodes: 1, bytes: 0 });
        self.frames.push(Frame { node, first, anchor, is_mapping, is_flow, weight });
        Ok(())
    }

    fn close(&mut self, end: usize, out: &mut Diagnostics) {
        let Some(frame) = self.frames.pop() else { return };
        let first = self.children.len() as u32;
        let last = self.pending[frame.first..].last().map(|last| self.nodes[*last as usize].end);
        self.children.extend(self.pending.drain(frame.first..));
        if frame.is_mapping {
            self.drop_duplicates(first as usize, out);
        }
        let count = self.children.len() as u32 - first;
        let node = &mut self.nodes[frame.node as usize];
        // A block ends with its last child; the parser would have it end where the next token begins.
        node.end = if frame.is_flow { end as u32 } else { last.unwrap_or(node.end).max(node.start) };
        node.data = match frame.is_mapping {
            true => Data::Mapping { first, count: count / 2 },
            false => Data::Sequence { first, count },
        };
        if frame.anchor != 0 {
            self.anchors.insert(frame.anchor, (frame.node, Some(frame.weight)));
        }
        self.place(frame.node, frame.weight);
    }

    /// Reports each key of the newest mapping that repeats an earlier one, and drops it from the tree.
    fn drop_duplicates(&mut self, first: usize, out: &mut Diagnostics) {
        if !self.has_duplicates(&self.children[first..]) {
            return;
        }
        let pairs = self.children.split_off(first);
        let mut seen: HashMap<String, u32> = HashMap::new();
        for pair in pairs.chunks_exact(2) {
            let key = self.scalar_text(pair[0]).to_owned();
            let Some(earlier) = seen.get(&key) else {
                seen.insert(key, pair[0]);
                self.children.extend(pair);
                continue;
            };
            let place = |index: u32| {
                let node = self.nodes[index as usize];
                self.span(node.start as usize, node.end as usize)
            };
            let message = format!("the key `{}` is given twice", shorten(&key));
            out.push(
                Diagnostic::error(Code::DuplicateKey, place(pair[0]), message)
                    .also(place(*earlier), "given first here")
                    .help("keep one of them"),
            );
        }
    }

    /// Small mappings are most; sorting beats hashing on large ones, and no choice of keys makes it slow.
    fn has_duplicates(&self, pairs: &[u32]) -> bool {
        const SMALL: usize = 8;
        let count = pairs.len() / 2;
        if count <= SMALL {
            let key = |n: usize| self.scalar_text(pairs[2 * n]);
            return (1..count).any(|n| (0..n).any(|earlier| key(earlier) == key(n)));
        }
        let mut sorted: Vec<&str> = pairs.chunks_exact(2).map(|pair| self.scalar_text(pair[0])).collect();
        sorted.sort_unstable();
        sorted.windows(2).any(|pair| pair[0] == pair[1])
    }

    /// The text of a scalar.
    fn scalar_text(&self, index: u32) -> &str {
        let resolve = |index: u32| match self.nodes[index as usize].data {
            Data::Alias(target) => self.nodes[target as usize].data,
            data => data,
        };
        match resolve(index) {
            Data::Plain { start, end } | Data::Quoted { start, end } => {
                self.text.get(start as usize..end as usize).unwrap_or("")
            }
            Data::PlainOwned(index) | Data::QuotedOwned(index) => &self.owned[index as usize],
            Data::Open | Data::Sequence { .. } | Data::Mapping { .. } | Data::Alias(_) => "",
        }
    }
}
