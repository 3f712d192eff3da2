//! The policy language: text, syntax tree, filter.
//!
//! [`parse()`] reads a file, [`Lowerer`] turns each of its policies into a filter of the network, [`format()`] writes a
//! file in the one layout. Names beyond the file are asked of whoever implements [`Names`]. The grammar is
//! `grammar/policy.ebnf`; this is what it means (SEMANTICS.md section 7):
//!
//! - The first rule that matches decides, and a rule matches if all its clauses do. What no rule matches does the
//!   stated default.
//! - `from` and `to` are addresses; `zone` behind `from` is that of the in-interface, behind `to` that of the
//!   out-interface. `in` and `out` name interfaces exactly, `vrf` is that of the in-interface. `label` stands
//!   for the addresses of the nodes and of the interfaces that have it.
//!   A set is any of its members; `not` is everything else, of both
//!   families.
//! - `self` chooses the chain: rules `to self` are asked before local delivery, rules `from self` for what the
//!   device itself sends, the others for what it forwards. See [`Part`].
//! - `service` is a protocol with its ports or ICMP types as one: `tcp/443`, `icmp/3/4`, `proto/89`.
//! - `flags SET/EXAMINED` looks at the TCP flags behind the `/`: those before it are set, the others of them
//!   clear. So `syn/syn,ack` opens a connection, and `none/all` has no flag at all.
//! - `state` asks for the state of the connection. A policy without any such clause begins with a rule
//!   `established` that lets established packets and the ICMP errors about them pass; one with a `state` clause
//!   has only the rules that it writes. What a rule allows opens a connection, unless it says `stateless`.
//! - `until` is the day by which a rule should be gone. It is in force for as long as it is written, so no verdict hangs on
//!   a date; behind the day that `--as-of` gives, the report lists it. `log` and `comment` change nothing.
//! - `nat` blocks are read and checked: which packets they may touch is known, and what becomes of those is not.

mod address;
pub mod ast;
mod format;
mod lex;
mod list;
mod lower;
mod meaning;
mod names;
mod nat;
mod parse;
mod resolve;
mod rule;
mod term;
#[cfg(test)]
mod tests;

pub use ast::{Date, File, Nat, Policy};
pub use format::format;
pub use list::check_list;
pub use lower::{Lowered, Lowerer, Part, filters_output};
pub use names::Names;
pub use nat::{DESTINATIONS, SOURCES, nats_without_policy};
pub use parse::parse;
