//! The naive interpreter, rule by rule. Each rule of the walk has at least one test that fails without it:
//!
//! | rule | what it says | tests |
//! | --- | --- | --- |
//! | 1 | who sends, and who receives it first | `inject` |
//! | 2 | a packet on a segment: neighbours, groups, forged ARP, joins, undescribed hosts | `put` |
//! | 3 | receiving: existence, the internet, martians, sources, local and forwarded | `receive` |
//! | 4 | lookup: rules, tables, prefixes, marks, fall-through, unknowns | `lookup`, `marks` |
//! | 5 | filters as pairs, tests, fragments, connection states, opening, marks | `filters`, `tests_of_rules`, `states`, `marks` |
//! | 6 | originating | `originate` |
//! | 7 | reflection | `reflect` |
//! | – | ordered schedules and their words | `schedule`, `words` |
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on has failed")]

#[path = "../support/mod.rs"]
mod support;

mod filters;
mod inject;
mod lookup;
mod marks;
mod originate;
mod put;
mod receive;
mod reflect;
mod schedule;
mod states;
mod tests_of_rules;
mod words;
