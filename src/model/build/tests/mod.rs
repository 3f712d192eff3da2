//! The builder against small descriptions.

mod describe;
mod facts;
mod segments;
mod wrong;
