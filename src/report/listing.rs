//! What a selector selects, as `isoaudit list` shows it.

use crate::source::Span;

/// The two readings of a selector in a network (SEMANTICS.md section 1).
#[derive(Debug, Clone)]
pub struct Listing {
    /// The name of the description.
    pub topology: String,
    /// The selector, as written.
    pub selector: String,
    /// Places that it selects, nodes first, in the order of the description.
    pub places: Vec<Listed>,
}

/// A place that a selector selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Whether it is a segment; else a node.
    pub is_segment: bool,
    /// Whether it certainly is selected, or only possibly.
    pub certain: bool,
    /// What it is, in a few words: "firewall at gui1 (CN)".
    pub about: String,
    /// Where it is declared.
    pub span: Option<Span>,
}
