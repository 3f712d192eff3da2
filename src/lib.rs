//! isoaudit decides whether networks are isolated from each other, over all packets and paths.
#![forbid(unsafe_code)]

pub mod audit;
pub mod claim;
pub mod diag;
#[doc(hidden)]
pub mod engine;
pub mod header;
pub mod input;
pub mod model;
pub mod replay;
pub mod report;
#[doc(hidden)]
pub mod set;
pub mod source;
pub mod verdict;
