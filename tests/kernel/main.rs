//! The real Linux kernel beside the auditor.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]
#![allow(clippy::print_stdout, reason = "with --nocapture a test says how much it has compared")]

mod attacks;
mod bench;
mod beside;
mod chance;
mod described;
mod frame;
mod guard;
mod judge;
mod marked;
mod mistakes;
mod nat;
mod netlink;
mod nft;
mod order;
mod probes;
mod random;
mod rules;
mod shrink;
mod soak;
mod spec;
mod sys;
mod talk;

use guard::isolated;

#[test]
fn the_kernel_agrees() {
    isolated("the_kernel_agrees", || soak::many(30, 300));
}
