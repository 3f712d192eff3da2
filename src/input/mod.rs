//! Texts into a network and its claims: one file or folder for each format.

pub mod policy;
pub mod service;
mod word;
