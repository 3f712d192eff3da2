//! The description of a network: `topology.yaml` and the files that it includes.

mod scalar;
mod syntax;
mod variant;
