//! isoaudit decides whether networks are isolated from each other, over all packets and paths.
#![forbid(unsafe_code)]

pub mod claim;
pub mod diag;
pub mod header;
pub mod input;
pub mod model;
#[doc(hidden)]
pub mod set;
pub mod source;
pub mod verdict;
