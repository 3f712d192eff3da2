//! The builder against small descriptions.

mod describe;
mod dumped;
mod facts;
mod segments;
mod wrong;
