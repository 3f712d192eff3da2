//! The description of a network: `topology.yaml` and the files that it includes.

pub(crate) mod include;
pub(crate) mod merge;
pub(crate) mod resolve;
mod scalar;
pub(crate) mod schema;
pub(crate) mod settle;
mod syntax;
mod variant;
