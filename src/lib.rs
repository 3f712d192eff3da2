//! isoaudit decides whether networks are isolated from each other, over all packets and paths.
//!
//! # The main flow
//!
//! `bytes → spanned syntax → Network + Claims → Queries → Answers → Verdicts → Report → bytes`. [`audit`] is that sentence
//! on one screen. Each arrow is a layer, and layers import downwards only (a test reads the imports):
//!
//! | layer | what it is |
//! | --- | --- |
//! | [`source`], [`header`], [`wire`] | where each byte came from; the fields of a packet, and its bytes |
//! | [`diag`] | diagnostics with codes and places; collected, never printed |
//! | [`model`] | the validated network; [`model::build::NetworkBuilder`] is the only door in |
//! | `set` | packet sets: canonical interval decision diagrams |
//! | [`claim`] | claims and selectors, as data |
//! | `engine` | the network as sets; one least fixpoint for each question; witnesses |
//! | [`input`] | one reader for each format |
//! | [`replay`] | the second interpreter: one concrete packet, by the book; shares nothing with `set` and `engine` |
//! | [`verdict`] | claim to question, answer to verdict; every counterexample replayed |
//! | [`reproduce`] | a counterexample as a script that makes it happen on a kernel |
//! | [`report`] | one writer for each format |
//!
//! # Two readings
//!
//! Every network is read twice. *May* holds everything that could happen, given what is not known; *must* only what
//! happens for certain. A claim of absence holds if *may* is empty, is violated if *must* is not, and is undetermined
//! between the two. So every condition of a rule is a pair m⁻ ⊆ m⁺, every fact a [`model::Fact`], and every selector
//! has certain and possible places. What keeps the readings apart is an [`model::Unknown`], with the line that would
//! settle it.
//!
//! # The smallest example
//!
//! ```
//! use isoaudit::{audit, source::{Loader, SourceMap}};
//! let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/first");
//! let mut sources = SourceMap::default();
//! let loader = Loader::new(directory, 1 << 20);
//! let options = audit::Options::default();
//! let report = audit::run(&mut sources, &loader, "topology.yaml".as_ref(), &options, &audit::Unwatched)
//!     .map_err(|found| found.sorted())?;
//! assert_eq!(report.judgements[0].verdict, isoaudit::verdict::Verdict::Violated);
//! # Ok::<(), Vec<isoaudit::diag::Diagnostic>>(())
//! ```
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
pub mod reproduce;
#[doc(hidden)]
pub mod set;
pub mod source;
pub mod verdict;
pub mod wire;
