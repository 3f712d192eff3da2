//! isoaudit decides whether networks are isolated from each other, over all packets and paths.
#![forbid(unsafe_code)]

pub mod diag;
pub mod header;
#[doc(hidden)]
pub mod set;
pub mod source;
