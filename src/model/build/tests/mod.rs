//! The builder against small descriptions.

mod describe;
mod segments;
