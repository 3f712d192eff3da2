//! Whether the marks of a device are known: a mark that one rule sets in a way that is not understood may be asked for by any
//! other, and by the routing policy.

use super::Lowering;
use crate::input::dump::Doubt;
use crate::input::dump::iptables::Ruleset;
use crate::input::dump::nft::Compiled;
use crate::model::mark::{MOST_MARKS, reachable};
use crate::model::{Action, LedgerEntry, MarkChange, Test, UnknownId};
use crate::source::Span;
use std::collections::BTreeSet;

impl Lowering<'_> {
    /// Looks for what makes the marks of the device not understood. Whether anything asks for one is returned: if not, it does
    /// not matter who sets them.
    pub(super) fn marks(&mut self, rulesets: &[&Ruleset], nft: &Compiled) -> bool {
        let is_mark = |test: &Test| matches!(test, Test::Mark { .. });
        let asking = rulesets.iter().map(|one| &one.filter).find(|filter| filter.asks(&is_mark));
        let dumps = [&self.dump.rules, &self.dump.rules6];
        let choosing = dumps.iter().filter_map(|given| given.read()).flat_map(|dump| &dump.rules);
        let matters = asking.is_some() || choosing.clone().any(|rule| rule.mark.is_some());
        if let Some(filter) = asking {
            self.note_own_marks(filter.span);
        }
        if matters {
            self.unclear_marks = self.unclear_marks(rulesets, nft);
        }
        matters
    }

    fn unclear_marks(&mut self, rulesets: &[&Ruleset], nft: &Compiled) -> Option<UnknownId> {
        let of_iptables = rulesets.iter().find_map(|one| one.unknowns.get(one.unclear_marks?.index()));
        if let Some(unknown) = of_iptables {
            return Some(self.builder.add_unknown(unknown.clone()));
        }
        let rules = || rulesets.iter().flat_map(|one| &one.filter.chains).flat_map(|chain| &chain.rules);
        let setting = || {
            rules().filter_map(|rule| {
                if let Action::Mark(change) = rule.action { Some((change, rule.span)) } else { None }
            })
        };
        let changes: BTreeSet<MarkChange> = setting().map(|(change, _)| change).collect();
        let doubt = nft.unclear_marks.clone().or_else(|| {
            let (_, span) = setting().next()?;
            if reachable(&changes).is_none() {
                let what = format!("which of more than {MOST_MARKS} marks a packet has");
                return Some(Doubt::about(what, span).settled_by("rules that set fewer marks"));
            }
            self.dump.sysctl.read()?.marks_elsewhere().map(|span| {
                let what = "which marks packets have that the device makes itself, or whose source it checks";
                Doubt::about(what, span).settled_by("this setting with 0")
            })
        });
        doubt.map(|doubt| self.unknown(&doubt))
    }

    /// Says what is taken for granted where something asks for marks.
    pub(super) fn note_own_marks(&mut self, span: Span) {
        if std::mem::replace(&mut self.tells_marks, true) {
            return;
        }
        let text = "programs of the device are taken to send packets without marks of their own (`SO_MARK`)";
        self.builder.add_ledger(LedgerEntry { text: text.to_owned(), span: Some(span) });
    }
}
