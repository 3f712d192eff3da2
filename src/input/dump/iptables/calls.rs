//! Which chains call which: circles, depth, where a chain runs, and what it can do in the end.

use super::lines::{ParsedChain, ParsedTable};
use super::target::{Effect, Verdict};
use crate::diag::{Code, Diagnostic};
use crate::model::translation::End;
use crate::source::Span;

/// How deep chains may call each other. Real rules stay below ten; the walks over the filter recurse.
const DEPTH_MAX: usize = 100;

/// The chains that a chain calls, with the place of each call.
fn calls(chain: &ParsedChain) -> impl Iterator<Item = (usize, Span)> {
    chain.rules.iter().filter_map(|rule| match rule.verdict {
        Verdict::Jump(to) | Verdict::Goto(to) => Some((to, rule.span)),
        Verdict::Accept
        | Verdict::Drop
        | Verdict::Reject
        | Verdict::Return
        | Verdict::Continue
        | Verdict::Log(_)
        | Verdict::Translate { .. }
        | Verdict::Mark(_)
        | Verdict::Unknown { .. } => None,
    })
}

/// The chains of a table, called ones before their callers.
fn callees_first(table: &ParsedTable) -> Result<Vec<usize>, Diagnostic> {
    let all: Vec<Vec<(usize, Span)>> = table.chains.iter().map(|chain| calls(chain).collect()).collect();
    order_of_calls(&all, &|chain| (table.chains[chain].name.as_str(), table.chains[chain].span))
}

/// Positions of chains, called ones before their callers. Circles, and calls that are nested too deep, are
/// errors. Without recursion: a hostile dump has a long line of chains.
pub(in crate::input::dump) fn order_of_calls<'t>(
    calls: &[Vec<(usize, Span)>],
    chain_at: &dyn Fn(usize) -> (&'t str, Span),
) -> Result<Vec<usize>, Diagnostic> {
    // The number of levels at and below a chain; 0 is not visited yet.
    let mut levels = vec![0_usize; calls.len()];
    let mut open = vec![false; calls.len()];
    let mut order = Vec::with_capacity(calls.len());
    for root in 0..calls.len() {
        let mut path = if levels[root] == 0 { vec![(root, 0)] } else { Vec::new() };
        while let Some((chain, next)) = path.pop() {
            open[chain] = true;
            match calls[chain].get(next) {
                Some((to, span)) if open[*to] => {
                    let name = chain_at(*to).0;
                    let message = format!("chain `{name}` calls itself, directly or through others");
                    return Err(Diagnostic::error(Code::Dump, *span, message));
                }
                Some((to, _)) => {
                    path.push((chain, next + 1));
                    if levels[*to] == 0 {
                        path.push((*to, 0));
                    }
                }
                None => {
                    open[chain] = false;
                    let below = calls[chain].iter().map(|(to, _)| levels[*to]).max().unwrap_or(0);
                    if below >= DEPTH_MAX {
                        let message =
                            format!("chains that call each other more than {DEPTH_MAX} levels deep");
                        return Err(Diagnostic::error(Code::Limit, chain_at(chain).1, message));
                    }
                    levels[chain] = below + 1;
                    order.push(chain);
                }
            }
        }
    }
    Ok(order)
}

/// What each chain of a table is used for. Lists are indexed by the position of the chain.
pub(super) struct Use {
    /// Whether it runs before routing, called by `PREROUTING`.
    before: Vec<bool>,
    /// Whether it runs behind routing, called by `POSTROUTING`.
    behind: Vec<bool>,
    /// Whether another built-in chain calls it.
    between: Vec<bool>,
    /// Whether `INPUT` does, and `OUTPUT`.
    delivering: Vec<bool>,
    sending: Vec<bool>,
    /// The first place in it, or in what it calls, that does more than accept.
    pub(super) acts: Vec<Option<Span>>,
    /// Whether it sets marks, or what it calls does.
    pub(super) marks: Vec<bool>,
    /// Whether it always comes back to its caller.
    pub(super) comes_back: Vec<bool>,
}

/// What a chain sees of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sight {
    /// What the model gives at the stage.
    Exact,
    /// Nothing: there is no such interface yet.
    Absent,
    /// One thing or another, by the caller or the version of the kernel.
    Unclear,
}

impl Use {
    /// Looks at a table; circles of chains are errors.
    pub(super) fn of(table: &ParsedTable) -> Result<Use, Diagnostic> {
        let order = callees_first(table)?;
        let chains = &table.chains;
        let from = |wanted: &dyn Fn(&str) -> bool| {
            let mut runs = vec![false; chains.len()];
            let callers_first = order.iter().rev().copied();
            for chain in callers_first {
                runs[chain] |= chains[chain].drops.is_some() && wanted(&chains[chain].name);
                if runs[chain] {
                    calls(&chains[chain]).for_each(|(to, _)| runs[to] = true);
                }
            }
            runs
        };
        let mut used = Use {
            before: from(&|name| name == "PREROUTING"),
            behind: from(&|name| name == "POSTROUTING"),
            between: from(&|name| !matches!(name, "PREROUTING" | "POSTROUTING")),
            delivering: from(&|name| name == "INPUT"),
            sending: from(&|name| name == "OUTPUT"),
            marks: vec![false; chains.len()],
            acts: vec![None; chains.len()],
            comes_back: vec![false; chains.len()],
        };
        for chain in order {
            used.acts[chain] = used.first_act(&chains[chain]);
            used.marks[chain] = chains[chain].rules.iter().any(|rule| match rule.verdict {
                Verdict::Mark(_) => true,
                Verdict::Jump(to) | Verdict::Goto(to) => used.marks[to],
                _ => false,
            });
            used.comes_back[chain] = used.all_come_back(&chains[chain]);
        }
        Ok(used)
    }

    /// Whether a built-in chain calls it, or it is one.
    pub(super) fn runs(&self, chain: usize) -> bool {
        self.before[chain] || self.behind[chain] || self.between[chain]
    }

    /// Which end a target maps that leaves it to the chain (`NETMAP`): the source if it is called for what is delivered
    /// or leaves, the destination if for what comes in or is sent; `None` if for both.
    pub(super) fn mapped_end(&self, chain: usize) -> Option<End> {
        let late = self.behind[chain] || self.delivering[chain];
        let early = self.before[chain] || self.sending[chain];
        match (early, late) {
            (true, true) => None,
            (_, true) => Some(End::Source),
            (_, false) => Some(End::Destination),
        }
    }

    /// What it sees of the out-interface: none before routing.
    pub(super) fn sees_out(&self, chain: usize) -> Sight {
        match (self.before[chain], self.behind[chain] || self.between[chain]) {
            (true, false) => Sight::Absent,
            (true, true) => Sight::Unclear,
            (false, _) => Sight::Exact,
        }
    }

    /// What it sees of the in-interface: behind routing, old kernels show none.
    pub(super) fn sees_in(&self, chain: usize) -> Sight {
        if self.behind[chain] { Sight::Unclear } else { Sight::Exact }
    }

    fn first_act(&self, chain: &ParsedChain) -> Option<Span> {
        let of_rule = |verdict: &Verdict, span: Span| match verdict {
            Verdict::Drop
            | Verdict::Reject
            | Verdict::Translate { .. }
            | Verdict::Unknown { effect: Effect::Havoc, .. } => Some(span),
            Verdict::Jump(to) | Verdict::Goto(to) => self.acts[*to],
            Verdict::Accept
            | Verdict::Return
            | Verdict::Continue
            | Verdict::Log(_)
            | Verdict::Mark(_)
            | Verdict::Unknown { effect: Effect::Quiet | Effect::Marks | Effect::Untracks, .. } => None,
        };
        let rule = chain.rules.iter().find_map(|rule| of_rule(&rule.verdict, rule.span));
        rule.or((chain.drops == Some(true)).then_some(chain.span))
    }

    fn all_come_back(&self, chain: &ParsedChain) -> bool {
        let comes_back = |verdict: &Verdict| match verdict {
            Verdict::Return | Verdict::Continue | Verdict::Log(_) => true,
            Verdict::Unknown { effect: Effect::Quiet | Effect::Marks | Effect::Untracks, .. } => true,
            Verdict::Mark(_) => false,
            Verdict::Jump(to) | Verdict::Goto(to) => self.comes_back[*to],
            Verdict::Accept | Verdict::Drop | Verdict::Reject | Verdict::Translate { .. } => false,
            Verdict::Unknown { effect: Effect::Havoc, .. } => false,
        };
        chain.drops.is_none() && chain.rules.iter().all(|rule| comes_back(&rule.verdict))
    }
}
