//! From what was read to what the builder takes.

mod filters;

pub use filters::{LoweredFilter, NodeFilters, Vrfs, filters};
