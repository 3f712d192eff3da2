//! The filters of a node: from its own files, with everything that they leave open.

use crate::header::{AddressRange, Family};
use crate::input::dump::iptables::{Ruleset, Side, TypeTest};
use crate::input::dump::{DeviceDump, Doubt, DumpedAction, Given, LinkKind, RouteDump};
use crate::model::filter::name_fits;
use crate::model::{Action, Chain, Filter, LedgerEntry, Match, Rule, Stage, Test, Unknown, UnknownId};
use crate::source::Span;
use std::collections::BTreeMap;

/// What the files of a node filter.
#[derive(Debug, Default)]
pub struct NodeFilters {
    /// The filters, with what they bind.
    pub filters: Vec<LoweredFilter>,
    /// Why the node may do anything with a packet that reaches it (translate, copy, wrap, divert): a *may*
    /// reading must let it send anything anywhere then.
    pub havoc: Vec<UnknownId>,
    /// What the ledger should name.
    pub ledger: Vec<LedgerEntry>,
}

/// A filter and the stages that it binds.
#[derive(Debug)]
pub struct LoweredFilter {
    /// The filter; its unknowns have the numbers that were given out.
    pub filter: Filter,
    /// The family that it binds; `None` is both.
    pub family: Option<Family>,
    /// Which chain binds at which stage of the node, in the order of the walk.
    pub hooks: Vec<(Stage, usize)>,
}

/// The VRFs of a node, as far as names go. In forwarding and local delivery the kernel shows a rule the VRF's
/// device in place of a member, so that a name in a rule may mean another interface than it says.
#[derive(Debug, Clone, Default)]
pub struct Vrfs {
    /// The interfaces that belong to a VRF.
    pub members: Vec<String>,
    /// The devices of the VRFs.
    pub devices: Vec<String>,
    /// Whether `devices` is complete. A topology names VRFs, not their devices.
    pub known: bool,
    /// The interfaces that belong to none.
    pub others: Vec<String>,
}

impl Vrfs {
    /// Those that the address dump shows.
    pub fn of(dump: &DeviceDump) -> Vrfs {
        let mut vrfs = Vrfs { known: true, ..Vrfs::default() };
        let links = dump.addresses.read().map_or(&[][..], |addresses| &addresses.links);
        let is_vrf = |name: &str| {
            links.iter().any(|link| link.name.value == name && matches!(link.kind, LinkKind::Vrf { .. }))
        };
        for link in links {
            let name = link.name.value.clone();
            let enslaved = link.master.as_ref().is_some_and(|master| is_vrf(&master.value));
            match link.kind {
                LinkKind::Vrf { .. } => vrfs.devices.push(name),
                _ if enslaved => vrfs.members.push(name),
                _ => vrfs.others.push(name),
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

/// Lowers what a node's files filter.
///
/// `config` is where the description names the files: the place of everything that they do not say. Nothing
/// is missing of IPv6 if `ipv6_runs` is false. `alloc` numbers unknowns.
pub fn filters(
    dump: &DeviceDump,
    vrfs: &Vrfs,
    config: Span,
    ipv6_runs: bool,
    alloc: &mut dyn FnMut(Unknown) -> UnknownId,
) -> NodeFilters {
    let mut out = NodeFilters::default();
    let [v4, v6] = [&dump.iptables, &dump.ip6tables];
    let nft = nft_doubts(dump, config);
    for doubt in &nft {
        out.not_understood(doubt, None, alloc);
    }
    let tracked = [v4, v6].map(|given| given.read().is_some_and(|ruleset| ruleset.filter.tracks));
    for (family, given) in [(Family::V4, v4), (Family::V6, v6)] {
        match given {
            Given::Read(ruleset) => {
                let translates = !nft.is_empty() || !ruleset.havoc.is_empty();
                let blind = tracked.contains(&true) && !ruleset.filter.tracks;
                let routes = dump.routes.read();
                let ids = BTreeMap::new();
                let mut lowering = Renumber { ruleset, vrfs, routes, translates, blind, alloc, ids };
                let filter = lowering.filter();
                out.havoc.extend(ruleset.havoc.iter().map(|doubt| alloc(doubt.to_unknown())));
                out.ledger.extend(ruleset.ledger.iter().cloned());
                out.filters.push(LoweredFilter {
                    filter,
                    family: Some(family),
                    hooks: ruleset.hooks.clone(),
                });
            }
            Given::Absent if family == Family::V4 || ipv6_runs => {
                let (key, command) = match family {
                    Family::V4 => ("iptables", "iptables-save"),
                    Family::V6 => ("ip6tables", "ip6tables-save"),
                };
                let doubt = Doubt::havoc(format!("which {family} packets iptables filters"), config)
                    .settled_by(format!("`{key}:` in `config`, with the dump of `{command}`, or `none`"));
                out.not_understood(&doubt, Some(family), alloc);
            }
            Given::Absent | Given::Empty(_) => {}
        }
    }
    let links = dump.addresses.read().map_or(&[][..], |addresses| &addresses.links);
    for doubt in links.iter().flat_map(|link| &link.doubts).filter(|doubt| doubt.havoc) {
        out.not_understood(doubt, None, alloc);
    }
    out
}

/// What nftables may do beside the tables of iptables.
fn nft_doubts(dump: &DeviceDump, config: Span) -> Vec<Doubt> {
    match &dump.nftables {
        Given::Read(nft) => nft.doubts(dump.iptables.read(), dump.ip6tables.read()),
        Given::Empty(_) => Vec::new(),
        Given::Absent => {
            let settle = "`nftables:` in `config`, with the dump of `nft -j list ruleset`, or `none`";
            vec![Doubt::havoc("what nftables does beside iptables", config).settled_by(settle)]
        }
    }
}

impl NodeFilters {
    /// Adds what may do anything: a filter that may accept, drop or pass any packet, and the havoc.
    fn not_understood(
        &mut self,
        doubt: &Doubt,
        family: Option<Family>,
        alloc: &mut dyn FnMut(Unknown) -> UnknownId,
    ) {
        let id = alloc(doubt.to_unknown());
        self.havoc.push(id);
        let span = doubt.span;
        let name = "not understood".to_owned();
        let action = Action::Unknown(id);
        let rule = Rule { name: "1".to_owned(), span, matches: Vec::new(), action, opens: true };
        let chain = Chain { name: name.clone(), span, rules: vec![rule], policy: Some(Action::Accept) };
        let filter = Filter { name, span, chains: vec![chain], tracks: false };
        let hooks = [Stage::Input, Stage::Forward, Stage::Output].map(|stage| (stage, 0)).to_vec();
        self.filters.push(LoweredFilter { filter, family, hooks });
    }
}

/// Gives the unknowns of a ruleset their numbers, and settles what only the whole device can settle.
struct Renumber<'a> {
    ruleset: &'a Ruleset,
    vrfs: &'a Vrfs,
    routes: Option<&'a RouteDump>,
    /// Whether something on the device may translate packets of the family.
    translates: bool,
    /// Whether the model takes the device for one that reassembles, though packets of this family may not be.
    blind: bool,
    alloc: &'a mut dyn FnMut(Unknown) -> UnknownId,
    ids: BTreeMap<UnknownId, UnknownId>,
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

impl Renumber<'_> {
    fn filter(&mut self) -> Filter {
        let mut filter = self.ruleset.filter.clone();
        for rule in filter.chains.iter_mut().flat_map(|chain| &mut chain.rules) {
            if let Action::Unknown(id) = rule.action {
                rule.action = Action::Unknown(self.id(id));
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
        let id = (self.alloc)(unknown);
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
            Test::Unknown(id)
                if !self.translates && self.ruleset.translation_tests.binary_search(id).is_ok() =>
            {
                // Nothing translates, so that the test never holds and its negation always does.
                return if one.negated { Settled::Always } else { Settled::Never };
            }
            Test::Unknown(id) => {
                let id = *id;
                one.test = self.typed(id).unwrap_or_else(|| Test::Unknown(self.id(id)));
            }
            Test::Any(any) => {
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
                    (true, _) => return Settled::Always,
                    (false, true) => return Settled::Never,
                    (false, false) => {}
                }
                if let [_] = any.as_slice()
                    && let Some(only) = any.pop()
                {
                    *one = only;
                }
            }
            Test::InName(pattern) | Test::OutName(pattern) if self.vrfs.blur(pattern) => {
                one.test = Test::Unknown(self.blurred(&pattern.clone(), one.span));
            }
            Test::Fragment(_) if self.blind => {
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

    /// A test for a type of address, if the routes of the device settle it.
    fn typed(&self, id: UnknownId) -> Option<Test> {
        let (kind, side) = self.ruleset.type_tests.get(&id)?;
        let wanted = match kind {
            TypeTest::Broadcast => DumpedAction::Broadcast,
            TypeTest::Anycast => DumpedAction::Anycast,
        };
        let family = self.ruleset.family;
        let routes = &self.routes?.routes;
        let local = routes.iter().filter(|route| route.table == "local" && route.family() == family);
        // A dump that shows nothing of the table `local` says nothing about it.
        local.clone().next()?;
        let of_type = local.filter(|route| route.action == wanted);
        let addresses = of_type.map(|route| AddressRange::prefix(route.prefix)).collect();
        Some(match side {
            Side::Source => Test::Source(addresses),
            Side::Destination => Test::Destination(addresses),
        })
    }

    fn blurred(&mut self, pattern: &str, span: Span) -> UnknownId {
        let what = format!("whether `{pattern}` is the interface or the VRF that it belongs to");
        (self.alloc)(Unknown {
            what,
            span: Some(span),
            settle: "a rule that names no member of a VRF".to_owned(),
        })
    }

    fn own_address(&mut self, span: Span) -> UnknownId {
        let what = "whether an own address of a VRF counts as local to this rule".to_owned();
        let settle = "a rule that names the addresses".to_owned();
        (self.alloc)(Unknown { what, span: Some(span), settle })
    }
}
