//! The policy language: text, syntax tree, filter.
//!
//! [`parse`] reads a file, [`Lowerer`] turns each of its policies into a filter of the network. Names beyond the
//! file are asked of whoever implements [`Names`].

mod address;
pub mod ast;
mod format;
mod lex;
mod lower;
mod meaning;
mod names;
mod parse;
mod resolve;
mod rule;
mod term;
#[cfg(test)]
mod tests;

pub use ast::{Date, File, Nat, Policy};
pub use format::format;
pub use lower::{Lowered, Lowerer, Part, check_list, filters_output, nats_without_policy};
pub use names::Names;
pub use parse::parse;
