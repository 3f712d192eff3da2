//! The builder: the only door to a network.

pub mod spec;

pub use spec::*;
