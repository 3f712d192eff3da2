//! The filters of a node: from its own files, with everything that they leave open.

use super::{EVERY_STAGE, Lowering, bind};
use crate::header::{AddressRange, Family};
use crate::input::dump::ipset::{Answers, Meaning};
use crate::input::dump::iptables::{Bound, Rank, Ruleset, Side, Spot, TypeTest};
use crate::input::dump::nft::Compiled;
use crate::input::dump::{DeviceDump, Doubt, DumpedAction, Given, LinkKind, Setting, SysctlDump};
use crate::model::build::{NetworkBuilder, NodeSpec};
use crate::model::filter::name_fits;
use crate::model::{Action, Filter, Hook, Match, Stage, State, Test, Unknown, UnknownId};
use crate::source::Span;
use std::collections::BTreeMap;

/// The VRFs of a node, as far as names go. In forwarding and local delivery the kernel shows a rule the VRF's
/// device in place of a member, so that a name in a rule may mean another interface than it says.
#[derive(Debug, Clone, Default)]
struct Vrfs {
    /// The interfaces that belong to a VRF.
    members: Vec<String>,
    /// The devices of the VRFs.
    devices: Vec<String>,
    /// Whether `devices` is complete. A topology names VRFs, not their devices.
    known: bool,
    /// The interfaces that belong to none.
    others: Vec<String>,
}

impl Vrfs {
    /// Those of a node whose links have been taken from its dump, if there is one.
    fn of(dump: &DeviceDump, node: &NodeSpec) -> Vrfs {
        let mut vrfs = Vrfs { known: dump.addresses.read().is_some(), ..Vrfs::default() };
        let is_device = |name: &str| {
            let link = dump.links().iter().find(|link| link.name.value == name);
            link.is_some_and(|link| matches!(link.kind, LinkKind::Vrf { .. }))
        };
        for interface in &node.interfaces {
            let name = interface.name.value.clone();
            match interface.vrf {
                Some(_) if is_device(&name) => vrfs.devices.push(name),
                Some(_) => vrfs.members.push(name),
                None => vrfs.others.push(name),
            }
        }
        vrfs
    }

    /// Whether a rule may see another interface under this pattern than the model does.
    fn blur(&self, pattern: &str) -> bool {
        let fits = |names: &[String]| names.iter().any(|name| name_fits(pattern, name));
        let elsewhere = self.known || self.others.iter().any(|name| name == pattern);
        !self.members.is_empty() && (fits(&self.members) || fits(&self.devices) || !elsewhere)
    }
}

impl Lowering<'_> {
    /// Takes the filters from the dumps. Nothing is missing of IPv6 if it does not run.
    pub(super) fn filters(&mut self, node: &mut NodeSpec, ipv6_runs: bool) {
        let dump = self.dump;
        let [v4, v6] = [&dump.iptables, &dump.ip6tables];
        if let Some(policy) = self.beside.policy {
            if !(v4.is_absent() && v6.is_absent() && dump.nftables.is_absent()) {
                let message = "the filters of the node come from its dump".to_owned();
                let help = "take out the policy, or take the filters out of `config`";
                self.conflict(policy, message, self.beside.config, help);
            }
            return;
        }
        let sets = dump.ipset.read().and_then(|sets| sets.sets.first());
        node.dumped.sets = sets.map(|set| set.span);
        let nft = self.nft(ipv6_runs);
        for doubt in &nft.doubts {
            self.doubt_packets(node, doubt, None, &EVERY_STAGE);
        }
        for entry in &nft.ledger {
            self.builder.add_ledger(entry.clone());
        }
        for doubt in dump.links().iter().flat_map(|link| &link.doubts).filter(|doubt| doubt.havoc) {
            self.doubt_packets(node, doubt, None, &EVERY_STAGE);
        }
        let mut rulesets: Vec<&Ruleset> = Vec::new();
        for (family, given) in [(Family::V4, v4), (Family::V6, v6)] {
            match given {
                Given::Read(ruleset) => rulesets.push(ruleset),
                Given::Absent if family == Family::V4 || ipv6_runs => {
                    let (key, command) = match family {
                        Family::V4 => ("iptables", "iptables-save"),
                        Family::V6 => ("ip6tables", "ip6tables-save"),
                    };
                    let doubt =
                        Doubt::havoc(format!("which {family} packets iptables filters"), self.beside.config)
                            .settled_by(format!(
                                "`{key}:` in `config`, with the dump of `{command}`, or `none`"
                            ));
                    self.doubt_packets(node, &doubt, Some(family), &EVERY_STAGE);
                }
                Given::Absent | Given::Empty(_) => {}
            }
        }
        // The kernel puts a chain in front of those that have its priority already.
        rulesets.extend(nft.rulesets.iter().rev());
        let marks_matter = self.marks(&rulesets, &nft);
        let doubted = nft.doubts.iter().any(|doubt| doubt.havoc);
        let tracks = rulesets.iter().any(|one| one.filter.tracks);
        let untracks = self.untracks(&rulesets);
        let mut bindings = Bindings::default();
        for ruleset in &rulesets {
            let sharing = || rulesets.iter().filter(|one| share(one, ruleset));
            let translates = doubted || sharing().any(|one| one.may_translate());
            let is_doubtful = doubted || sharing().any(|one| !one.havoc.is_empty());
            let unclear_marks = self.unclear_marks;
            let whole = Whole { translates, is_doubtful, tracks, untracks, unclear_marks, marks_matter };
            self.ruleset(node, ruleset, whole, &mut bindings);
        }
        if let Some(span) = tie(&rulesets, &nft.rulesets) {
            let what = "whether iptables or nftables is asked first how to translate";
            let settle = "translations in one of the two, or at other priorities";
            let doubt = Doubt::havoc(what, span).settled_by(settle);
            self.doubt_packets(node, &doubt, None, &EVERY_STAGE);
        }
        bindings.bind(node);
    }

    /// What keeps packets from the tracker, if something does: then nobody knows the state of any.
    fn untracks(&mut self, rulesets: &[&Ruleset]) -> Option<UnknownId> {
        let mut found = rulesets.iter().filter_map(|one| one.unknowns.get(one.untracks?.index()));
        let unknown = found.next()?.clone();
        Some(self.builder.add_unknown(unknown))
    }

    fn ruleset(&mut self, node: &NodeSpec, ruleset: &Ruleset, whole: Whole, bindings: &mut Bindings) {
        let dump = self.dump;
        let both = [&dump.iptables, &dump.ip6tables].into_iter().filter_map(Given::read);
        let changes = both.flat_map(|ruleset| &ruleset.set_changes);
        let vrfs = Vrfs::of(dump, node);
        let helpers = dump.sysctl.read().map_or(Setting::Unsaid, SysctlDump::connection_helpers);
        for doubt in &ruleset.havoc {
            self.unknown(doubt);
        }
        let mut renumber = Renumber {
            ruleset,
            vrfs: &vrfs,
            dump,
            whole,
            helpers: if let Setting::On(span) = helpers { Some(span) } else { None },
            builder: self.builder,
            ids: BTreeMap::new(),
            sets: dump.ipset.read().map(|sets| Answers::new(sets, changes)),
        };
        let filter = renumber.filter();
        let filter = self.builder.add_filter(filter);
        for entry in &ruleset.ledger {
            self.builder.add_ledger(entry.clone());
        }
        let hook = |chain| Hook { filter, chain, family: ruleset.family };
        bindings.opens |= !ruleset.translating.is_empty();
        let marks = whole.marks_matter && whole.unclear_marks.is_none();
        let binding = ruleset.hooks.iter().filter(|one| marks || !ruleset.only_marks.contains(&one.chain));
        let routing = |one: &&Bound<Stage>| {
            matches!(one.at, Stage::EarlyOutput | Stage::Output) && ruleset.rerouting.contains(&one.chain)
        };
        bindings.rerouting.extend(binding.clone().filter(routing).map(|one| hook(one.chain)));
        bindings.filters.extend(binding.map(|one| (one.rank, one.at, hook(one.chain))));
        bindings
            .translating
            .extend(ruleset.translating.iter().map(|one| (one.rank, one.at, hook(one.chain))));
    }

    /// What nftables does beside the tables of iptables.
    fn nft(&self, ipv6_runs: bool) -> Compiled {
        match &self.dump.nftables {
            Given::Read(nft) => nft.compile(self.dump.iptables.read(), self.dump.ip6tables.read(), ipv6_runs),
            Given::Empty(_) => Compiled::default(),
            Given::Absent => {
                let settle = "`nftables:` in `config`, with the dump of `nft -j list ruleset`, or `none`";
                let what = "what nftables does beside iptables";
                let doubts = vec![Doubt::havoc(what, self.beside.config).settled_by(settle)];
                Compiled { doubts, ..Compiled::default() }
            }
        }
    }
}

/// Whether two rulesets see packets of one family.
fn share(one: &Ruleset, other: &Ruleset) -> bool {
    one.family.is_none() || other.family.is_none() || one.family == other.family
}

/// A table of iptables that translates where a table of nftables does at the same priority. Which was loaded last is asked
/// first, and no dump tells.
fn tie(all: &[&Ruleset], of_nft: &[Ruleset]) -> Option<Span> {
    let is_of_nft = |one: &Ruleset| of_nft.iter().any(|other| std::ptr::eq(one, other));
    let meets = |old: &Ruleset, new: &Ruleset| {
        let at = |one: &Ruleset| one.translating.iter().map(|one| (one.at, one.rank)).collect::<Vec<_>>();
        let new_at = at(new);
        share(old, new) && at(old).iter().any(|place| new_at.contains(place))
    };
    let old = all.iter().filter(|one| !is_of_nft(one));
    let mut tied = old.filter(|old| of_nft.iter().any(|new| meets(old, new)));
    tied.next().map(|old| old.filter.span)
}

/// The chains of a device that bind, whatever dump they come from.
#[derive(Default)]
struct Bindings {
    filters: Vec<(Rank, Stage, Hook)>,
    translating: Vec<(Rank, Spot, Hook)>,
    rerouting: Vec<Hook>,
    opens: bool,
}

impl Bindings {
    /// Binds them in their order.
    fn bind(mut self, node: &mut NodeSpec) {
        self.filters.sort_by_key(|(rank, _, _)| *rank);
        self.translating.sort_by_key(|(rank, _, _)| *rank);
        for (_, stage, hook) in self.filters {
            bind(node, stage, hook);
        }
        node.rerouting.extend(self.rerouting);
        node.translating.opens |= self.opens;
        for (_, spot, hook) in self.translating {
            let list = match spot {
                Spot::Prerouting => &mut node.translating.prerouting,
                Spot::Input => &mut node.translating.input,
                Spot::Output => &mut node.translating.output,
                Spot::Postrouting => &mut node.translating.postrouting,
            };
            list.push(hook);
        }
    }
}

/// What all rulesets of a device come to.
#[derive(Debug, Clone, Copy)]
struct Whole {
    /// Whether something may translate packets of the family.
    translates: bool,
    /// Whether what that is may be more than is understood.
    is_doubtful: bool,
    /// Whether something makes the kernel track connections.
    tracks: bool,
    /// What keeps packets from the tracker.
    untracks: Option<UnknownId>,
    /// What makes their marks unknown.
    unclear_marks: Option<UnknownId>,
    /// Whether anything asks for marks.
    marks_matter: bool,
}

/// Gives the unknowns of a ruleset their numbers, and settles what only the whole device can settle.
struct Renumber<'a> {
    ruleset: &'a Ruleset,
    vrfs: &'a Vrfs,
    dump: &'a DeviceDump,
    whole: Whole,
    /// Where it says that connection tracking helpers attach themselves.
    helpers: Option<Span>,
    builder: &'a mut NetworkBuilder,
    ids: BTreeMap<UnknownId, UnknownId>,
    /// The sets of the device, if they are known.
    sets: Option<Answers<'a>>,
}

/// Whether a match is settled by what else the device has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Settled {
    /// It depends on the packet.
    Open,
    /// It holds for every packet.
    Always,
    /// It holds for none.
    Never,
}

impl Settled {
    /// What becomes of the opposite.
    fn turned(self) -> Settled {
        match self {
            Settled::Open => Settled::Open,
            Settled::Always => Settled::Never,
            Settled::Never => Settled::Always,
        }
    }
}

impl Renumber<'_> {
    fn filter(&mut self) -> Filter {
        let mut filter = self.ruleset.filter.clone();
        for rule in filter.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
            match rule.action {
                Action::Unknown(id) => rule.action = Action::Unknown(self.id(id)),
                Action::Mark(_) if self.whole.unclear_marks.is_some() || !self.whole.marks_matter => {
                    rule.action = Action::Continue;
                }
                _ => {}
            }
        }
        for chain in &mut filter.chains {
            chain.rules.retain_mut(|rule| self.matches(&mut rule.matches));
        }
        filter
    }

    /// The number of an unknown of the ruleset, given out when it is first met.
    fn id(&mut self, local: UnknownId) -> UnknownId {
        if let Some(id) = self.ids.get(&local) {
            return *id;
        }
        let fallback = || Unknown { what: String::new(), span: None, settle: String::new() };
        let unknown = self.ruleset.unknowns.get(local.index()).cloned().unwrap_or_else(fallback);
        let id = self.builder.add_unknown(unknown);
        self.ids.insert(local, id);
        id
    }

    /// Settles the matches of a rule; whether it can fit at all.
    fn matches(&mut self, matches: &mut Vec<Match>) -> bool {
        let mut possible = true;
        matches.retain_mut(|one| match self.settle(one) {
            Settled::Open => true,
            Settled::Always => false,
            Settled::Never => {
                possible = false;
                false
            }
        });
        possible
    }

    /// Renumbers a match, and says whether the device as a whole settles it.
    fn settle(&mut self, one: &mut Match) -> Settled {
        match &mut one.test {
            Test::Translated(_) if !self.whole.translates => {
                return if one.negated { Settled::Always } else { Settled::Never };
            }
            Test::Translated(_) if self.whole.is_doubtful || self.whole.untracks.is_some() => {
                one.test = Test::Unknown(self.status(one.span));
            }
            Test::Unknown(id) => {
                let id = *id;
                match self.set(id, one.span) {
                    Some(Meaning::Never) => {
                        return if one.negated { Settled::Always } else { Settled::Never };
                    }
                    Some(Meaning::Test(test)) => {
                        one.test = test;
                        return Settled::Open;
                    }
                    None => {}
                }
                one.test = self.typed(id).unwrap_or_else(|| Test::Unknown(self.id(id)));
            }
            Test::Any(any) => {
                let mut any = std::mem::take(any);
                let settled = self.settle_any(&mut any);
                let settled = if one.negated { settled.turned() } else { settled };
                if let ([_], Some(only)) = (any.as_slice(), any.first().cloned()) {
                    *one = Match { negated: only.negated != one.negated, ..only };
                } else {
                    one.test = Test::Any(any);
                }
                return settled;
            }
            Test::InName(pattern) | Test::OutName(pattern) if self.vrfs.blur(pattern) => {
                one.test = Test::Unknown(self.blurred(&pattern.clone(), one.span));
            }
            Test::State(states) if self.whole.untracks.is_some() || states.contains(&State::Related) => {
                if let Some(untracks) = self.whole.untracks {
                    one.test = Test::Unknown(untracks);
                    return Settled::Open;
                }
                if let Some(span) = self.helpers {
                    // A helper admits connections that no rule names, as related ones.
                    let what = "which further connections helpers admit".to_owned();
                    let settle = "`net.netfilter.nf_conntrack_helper = 0`".to_owned();
                    let helped = self.builder.add_unknown(Unknown { what, span: Some(span), settle });
                    let each = [one.test.clone(), Test::Unknown(helped)];
                    let any = each.map(|test| Match { test, negated: false, span: one.span });
                    one.test = Test::Any(any.to_vec());
                }
            }
            Test::Mark { .. } => {
                if let Some(id) = self.whole.unclear_marks {
                    one.test = Test::Unknown(id);
                }
            }
            // The model takes the device for one that reassembles, though packets of this family may not be.
            Test::Fragment(_) if self.whole.tracks && !self.ruleset.filter.tracks => {
                if let Some(id) = self.ruleset.reassembly {
                    one.test = Test::Unknown(self.id(id));
                }
            }
            Test::SourceIsOwn | Test::DestinationIsOwn if !self.vrfs.members.is_empty() => {
                // The addresses of a VRF are local in the VRF only, so that not even an own one is certain.
                one.test = Test::Unknown(self.own_address(one.span));
            }
            _ => {}
        }
        Settled::Open
    }

    /// Settles matches of which any is enough, and leaves those that are open.
    fn settle_any(&mut self, any: &mut Vec<Match>) -> Settled {
        let mut holds = false;
        any.retain_mut(|one| match self.settle(one) {
            Settled::Open => true,
            Settled::Never => false,
            Settled::Always => {
                holds = true;
                true
            }
        });
        match (holds, any.is_empty()) {
            (true, _) => Settled::Always,
            (false, true) => Settled::Never,
            (false, false) => Settled::Open,
        }
    }

    /// What a test that asks for a set means, if the sets of the device are known.
    fn set(&mut self, id: UnknownId, span: Span) -> Option<Meaning> {
        let (asked, _) = self.ruleset.set_tests.get(&id)?;
        let family = self.ruleset.family?;
        Some(self.sets.as_mut()?.meaning(asked, family, span, self.builder))
    }

    /// A test for a type of address, if the routes of the device settle it.
    fn typed(&self, id: UnknownId) -> Option<Test> {
        let (kind, side, family) = self.ruleset.type_tests.get(&id)?;
        let wanted = match kind {
            TypeTest::Broadcast => DumpedAction::Broadcast,
            TypeTest::Anycast => DumpedAction::Anycast,
        };
        let routes = self.dump.routes_of(*family);
        let local: Vec<_> = routes.filter(|route| route.table == "local").collect();
        // A dump that shows nothing of the table `local` says nothing about it.
        local.first()?;
        let of_type = local.iter().filter(|route| route.action == wanted);
        let addresses = of_type.map(|route| AddressRange::prefix(route.prefix)).collect();
        Some(match side {
            Side::Source => Test::Source(addresses),
            Side::Destination => Test::Destination(addresses),
        })
    }

    fn blurred(&mut self, pattern: &str, span: Span) -> UnknownId {
        let what = format!("whether `{pattern}` is the interface or the VRF that it belongs to");
        self.builder.add_unknown(Unknown {
            what,
            span: Some(span),
            settle: "a rule that names no member of a VRF".to_owned(),
        })
    }

    fn status(&mut self, span: Span) -> UnknownId {
        let what = "whether a connection is translated, as this rule asks".to_owned();
        let settle = "a dump without rules that may do anything with packets, or keep them from the tracker";
        self.builder.add_unknown(Unknown { what, span: Some(span), settle: settle.to_owned() })
    }

    fn own_address(&mut self, span: Span) -> UnknownId {
        let what = "whether an own address of a VRF counts as local to this rule".to_owned();
        let settle = "a rule that names the addresses".to_owned();
        self.builder.add_unknown(Unknown { what, span: Some(span), settle })
    }
}
