//! From names to numbers: what the builder calls when it knows a node's interfaces.

use super::iptables::Ruleset;
use crate::model::{Filter, Unknown, UnknownId};

/// A filter with the unknowns that `alloc` numbers.
pub fn filter(ruleset: &Ruleset, alloc: &mut dyn FnMut(Unknown) -> UnknownId) -> Filter {
    let _ids: Vec<UnknownId> = ruleset.unknowns.iter().map(|unknown| alloc(unknown.clone())).collect();
    ruleset.filter.clone()
}
