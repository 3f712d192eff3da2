//! YAML 1.2 with places: a text becomes a [`Tree`] whose every key and value knows its bytes.
//!
//! The events come from `saphyr-parser`; the tree, its limits and its checks are ours. Only what a description
//! of a network needs is taken: one document, mappings with scalar keys that differ, no tags but those
//! that say "this is text", no merge keys. Everything else is refused with its place.

mod events;
mod message;
mod place;
mod scalar;
mod tree;

pub(crate) use events::{Limits, parse};
pub(crate) use scalar::Plain;
pub(crate) use tree::{Entry, NodeRef, Tree};

#[cfg(test)]
mod differential;
#[cfg(test)]
mod tests;
