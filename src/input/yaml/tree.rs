//! The tree: nodes in one arena, 20 bytes each, that point into the text wherever they can.

use super::scalar::Plain;
use crate::source::{SourceId, Span};
use std::sync::Arc;

/// One YAML document. Cheap to keep: scalars are ranges of the text unless they hold escapes or line breaks.
#[derive(Debug)]
pub(crate) struct Tree {
    pub(super) source: SourceId,
    pub(super) text: Arc<str>,
    pub(super) nodes: Vec<Node>,
    /// The children of all collections, those of one together; of a mapping key and value in turn.
    pub(super) children: Vec<u32>,
    /// Scalars that differ from their text.
    pub(super) owned: Vec<Box<str>>,
    pub(super) root: u32,
}

/// A node of the arena.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) data: Data,
}

/// What a node holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Data {
    /// A collection that is still being read.
    Open,
    /// A plain scalar: a range of the text.
    Plain { start: u32, end: u32 },
    /// A quoted or block scalar: a range of the text.
    Quoted { start: u32, end: u32 },
    /// A plain scalar that was folded from several lines.
    PlainOwned(u32),
    /// A quoted or block scalar with escapes or line breaks.
    QuotedOwned(u32),
    /// A range of `children`, in nodes.
    Sequence { first: u32, count: u32 },
    /// A range of `children`, in pairs.
    Mapping { first: u32, count: u32 },
    /// Another node, which is complete and no alias.
    Alias(u32),
}

impl Tree {
    /// The number of values, keys and aliases among them.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The top node.
    pub(crate) fn root(&self) -> NodeRef<'_> {
        NodeRef { tree: self, index: self.root }
    }
}

/// A node of a tree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeRef<'t> {
    tree: &'t Tree,
    index: u32,
}

/// A scalar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scalar<'t> {
    /// Its value as text.
    pub(crate) text: &'t str,
    /// Whether it was quoted (or a block), so that it is text whatever it looks like.
    pub(crate) quoted: bool,
}

impl Scalar<'_> {
    /// What the core schema makes of it.
    pub(crate) fn plain(&self) -> Plain {
        if self.quoted { Plain::Text } else { Plain::of(self.text) }
    }
}

/// A key with its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'t> {
    /// The text of the key.
    pub(crate) key: &'t str,
    /// Where the key stands.
    pub(crate) key_span: Span,
    /// The value.
    pub(crate) value: NodeRef<'t>,
}

impl<'t> NodeRef<'t> {
    fn node(self) -> Node {
        let tree: &Tree = self.tree;
        match tree.nodes[self.index as usize] {
            Node { data: Data::Alias(target), .. } => tree.nodes[target as usize],
            node => node,
        }
    }

    /// Where the value is written; for an alias, where its anchor is.
    pub(crate) fn span(self) -> Span {
        let Node { start, end, .. } = self.node();
        Span { source: self.tree.source, start, end }
    }

    /// Where the text of a scalar is written: without its quotes, if it stands there as it is.
    pub(crate) fn text_span(self) -> Span {
        match self.node().data {
            Data::Plain { start, end } | Data::Quoted { start, end } => {
                Span { source: self.tree.source, start, end }
            }
            Data::Open
            | Data::PlainOwned(_)
            | Data::QuotedOwned(_)
            | Data::Sequence { .. }
            | Data::Mapping { .. }
            | Data::Alias(_) => self.span(),
        }
    }

    /// The scalar, if it is one.
    pub(crate) fn scalar(self) -> Option<Scalar<'t>> {
        let range = |start: u32, end: u32| self.tree.text.get(start as usize..end as usize).unwrap_or("");
        let owned = |index: u32| self.tree.owned.get(index as usize).map_or("", |text| &**text);
        let (text, quoted) = match self.node().data {
            Data::Plain { start, end } => (range(start, end), false),
            Data::Quoted { start, end } => (range(start, end), true),
            Data::PlainOwned(index) => (owned(index), false),
            Data::QuotedOwned(index) => (owned(index), true),
            Data::Open | Data::Sequence { .. } | Data::Mapping { .. } | Data::Alias(_) => return None,
        };
        Some(Scalar { text, quoted })
    }

    /// The nodes of a list, if it is one.
    pub(crate) fn sequence(self) -> Option<impl ExactSizeIterator<Item = NodeRef<'t>> + use<'t>> {
        let Data::Sequence { first, count } = self.node().data else { return None };
        let tree = self.tree;
        let children = &tree.children[first as usize..(first + count) as usize];
        Some(children.iter().map(move |index| NodeRef { tree, index: *index }))
    }

    /// The entries of a mapping, if it is one.
    pub(crate) fn mapping(self) -> Option<impl ExactSizeIterator<Item = Entry<'t>> + use<'t>> {
        let Data::Mapping { first, count } = self.node().data else { return None };
        let tree = self.tree;
        let children = &tree.children[first as usize..(first + 2 * count) as usize];
        Some(children.chunks_exact(2).map(move |pair| {
            let key = NodeRef { tree, index: pair[0] };
            let text = key.scalar().map_or("", |scalar| scalar.text);
            Entry { key: text, key_span: key.span(), value: NodeRef { tree, index: pair[1] } }
        }))
    }
}
