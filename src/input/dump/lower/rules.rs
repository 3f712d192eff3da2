//! The policy database (`ip rule`), from dumps to what the builder takes.
//!
//! Rules of IPv4 and of IPv6 are two lists, and the model has one: every rule here names addresses of its family.

use super::Lowering;
use crate::header::Family;
use crate::input::dump::{Doubt, DumpedAction, DumpedRoute, DumpedRule, Given, Link, LinkKind, RuleAction};
use crate::model::build::{Destination, LookupRuleSpec, LookupSpec, NodeSpec, RouteSpec, TableName};
use crate::model::{Fact, LedgerEntry, MarkTest, Stage, UnknownId};
use crate::source::{Span, Spanned};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The tables that a kernel looks into if nobody changed the rules; IPv6 has no third.
const DEFAULT_RULES: [(u32, &str); 3] = [(0, "local"), (32766, "main"), (32767, "default")];

fn everything(family: Family) -> IpNet {
    match family {
        Family::V4 => IpNet::V4(Ipv4Net::default()),
        Family::V6 => IpNet::V6(Ipv6Net::default()),
    }
}

/// A rule that applies to every packet of a family.
fn rule(family: Family, action: LookupSpec, span: Option<Span>) -> LookupRuleSpec {
    let to = Some(everything(family));
    let (from, incoming, mark, unknown) = (None, None, None, None);
    LookupRuleSpec { from, to, incoming, mark, unknown, action, span, falls_through: Fact::Yes }
}

impl Lowering<'_> {
    /// A rule that may decide about every packet of a family, or about none.
    pub(super) fn open_rule(&mut self, family: Family, doubt: &Doubt) -> LookupRuleSpec {
        let unknown = Some(self.unknown(doubt));
        LookupRuleSpec { unknown, ..rule(family, LookupSpec::Unreachable, Some(doubt.span)) }
    }

    /// The rules of a family, in order.
    pub(super) fn rules(&mut self, node: &mut NodeSpec, family: Family) -> Vec<LookupRuleSpec> {
        let dump = self.dump;
        let (file, key) = match family {
            Family::V4 => (&dump.rules, "rules"),
            Family::V6 => (&dump.rules6, "rules6"),
        };
        let mut reader = RuleList { family, made: Vec::new(), covered: false, skip_to: None };
        let rules = match file {
            Given::Read(file) => file.rules.clone(),
            Given::Empty(span) => default_rules(family, *span),
            Given::Absent => {
                let doubt = Doubt::havoc(format!("which rules choose {family} routes"), self.beside.config)
                    .settled_by(format!("`{key}:` in `config`, with the dump of `ip rule`, or `none`"));
                let open = self.open_rule(family, &doubt);
                reader.made.push(open);
                default_rules(family, self.beside.config)
            }
        };
        let local = rules.iter().position(|rule| is_lookup(rule, "local"));
        if local != Some(0) && file.read().is_some() {
            let span = rules.first().map_or(self.beside.config, |rule| rule.span);
            let doubt = Doubt::about("whether own addresses are looked up before other rules", span)
                .settled_by("the rule for the table `local` in front of all others");
            self.doubt_packets(node, &doubt, Some(family), &[Stage::Input]);
        }
        for (index, rule) in rules.iter().enumerate() {
            if reader.covered {
                break;
            }
            self.rule(node, &mut reader, rule, &rules[index + 1..]);
        }
        reader.made
    }

    fn rule(&mut self, node: &mut NodeSpec, list: &mut RuleList, dumped: &DumpedRule, rest: &[DumpedRule]) {
        if let Some((target, _)) = list.skip_to
            && dumped.priority >= target
        {
            list.skip_to = None;
        }
        // Passed over for certain by a `goto` that applies to every packet.
        if matches!(list.skip_to, Some((_, None))) {
            return;
        }
        let mut unknown = list.skip_to.and_then(|(_, perhaps)| perhaps);
        for doubt in &dumped.doubts {
            unknown = Some(self.unknown(doubt));
        }
        let Some(incoming) = self.incoming(node, dumped, &mut unknown) else { return };
        let mark = self.asked_mark(dumped, &mut unknown);
        let family = list.family;
        let to = dumped.to.or_else(|| dumped.from.is_none().then(|| everything(family)));
        let made = |action: LookupSpec, unknown: Option<UnknownId>| LookupRuleSpec {
            from: dumped.from,
            to,
            incoming: incoming.clone(),
            mark,
            unknown,
            action,
            span: Some(dumped.span),
            falls_through: Fact::Yes,
        };
        let is_for_all = dumped.from.is_none()
            && dumped.to.is_none()
            && incoming.is_none()
            && mark.is_none()
            && unknown.is_none();
        match &dumped.action {
            RuleAction::Nop => {}
            RuleAction::Goto(target) => {
                if rest.iter().any(|later| later.priority == *target) {
                    list.skip_to =
                        Some((*target, (!is_for_all).then(|| self.perhaps_skipped(dumped, *target))));
                }
            }
            RuleAction::Blackhole => {
                list.covered = is_for_all;
                list.made.push(made(LookupSpec::Blackhole, unknown));
            }
            RuleAction::Unreachable | RuleAction::Prohibit => {
                list.covered = is_for_all;
                list.made.push(made(LookupSpec::Unreachable, unknown));
            }
            RuleAction::L3mdev => {
                for (vrf, members) in self.vrf_members() {
                    let lookup = made(LookupSpec::Table(TableName::Vrf(vrf)), unknown);
                    list.made.push(LookupRuleSpec { incoming: Some(members), ..lookup });
                }
            }
            RuleAction::Table { name, suppress } => {
                match self.lookup(node, family, name, *suppress, dumped.span) {
                    Looked::Idle => {}
                    Looked::Table(table) => {
                        list.covered = is_for_all && suppress.is_none() && self.covers(family, name);
                        list.made.push(made(LookupSpec::Table(table), unknown));
                    }
                    Looked::Unknown(id) => list.made.push(made(LookupSpec::Unreachable, Some(id))),
                }
            }
        }
    }

    /// The mark that a rule asks for, if marks are known.
    fn asked_mark(&mut self, dumped: &DumpedRule, unknown: &mut Option<UnknownId>) -> Option<MarkTest> {
        let mark = dumped.mark?;
        self.note_own_marks(dumped.span);
        *unknown = unknown.or(self.unclear_marks);
        self.unclear_marks.is_none().then_some(mark)
    }

    /// The interfaces that a rule asks for; `None` if it can fit no packet.
    fn incoming(
        &mut self,
        node: &NodeSpec,
        dumped: &DumpedRule,
        unknown: &mut Option<UnknownId>,
    ) -> Option<Option<Vec<Spanned<String>>>> {
        let Some(name) = &dumped.incoming else { return Some(None) };
        let links = self.dump.links();
        let link = links.iter().find(|link| link.name.value == name.value);
        let is_vrf = |link: &Link| matches!(link.kind, LinkKind::Vrf { .. });
        if let Some(vrf) = link.filter(|link| is_vrf(link)) {
            let members = self.vrf_members().into_iter().find(|(vrf_name, _)| *vrf_name == vrf.name.value);
            return Some(Some(members.map_or(Vec::new(), |(_, members)| members)));
        }
        let enslaved = node.interfaces.iter().any(|own| own.name.value == name.value && own.vrf.is_some());
        if name.value == "lo" || enslaved {
            // The node's own packets, or a member of a VRF that the kernel shows as the VRF.
            let what = format!("which packets come in by `{}` for a rule", name.value);
            *unknown = Some(self.unknown(&Doubt::about(what, name.span)));
            return Some(None);
        }
        if link.is_none() && self.dump.addresses.read().is_some() {
            return None;
        }
        Some(Some(vec![name.clone()]))
    }

    fn perhaps_skipped(&mut self, dumped: &DumpedRule, target: u32) -> UnknownId {
        let what = format!("which packets pass over the rules up to priority {target}");
        self.unknown(&Doubt::about(what, dumped.span))
    }

    /// The interfaces of each VRF of the dump, in order.
    fn vrf_members(&self) -> Vec<(String, Vec<Spanned<String>>)> {
        let links = self.dump.links();
        let vrfs = links.iter().filter(|link| matches!(link.kind, LinkKind::Vrf { .. }));
        let members = |vrf: &str| {
            let of = links.iter().filter(|link| link.master.as_ref().is_some_and(|m| m.value == vrf));
            of.map(|link| link.name.clone()).collect()
        };
        vrfs.map(|vrf| (vrf.name.value.clone(), members(&vrf.name.value))).collect()
    }

    /// The table that a rule looks into.
    fn lookup(
        &mut self,
        node: &mut NodeSpec,
        family: Family,
        name: &str,
        suppress: Option<u8>,
        span: Span,
    ) -> Looked {
        let shows_all = self.dump.shows_all_tables(family);
        let is_known = shows_all || name == "main";
        if name == "local" && !shows_all {
            let text = format!("not considered: {family} prefixes of the table `local` beyond own addresses");
            self.builder.add_ledger(LedgerEntry { text, span: Some(span) });
        }
        if name == "local" && !self.routes_in(family, name).any(|route| !is_of_walk(route.action)) {
            return Looked::Idle;
        }
        if !is_known {
            let doubt = Doubt::havoc(format!("which {family} routes the table `{name}` holds"), span)
                .settled_by("a dump of all tables: `ip -j route show table all`");
            return Looked::Unknown(self.unknown(&doubt));
        }
        let table = self.table_name(name);
        let Some(length) = suppress else { return Looked::Table(table) };
        // The best route counts as none if it is short: the same as a table without short routes.
        let copy = TableName::Dumped(format!("{name} beyond /{length}"));
        let of_family = |route: &&RouteSpec| match route.to.value {
            Destination::Prefix(prefix) => {
                Family::of(prefix.addr()) == family && prefix.prefix_len() > length
            }
            Destination::Default => false,
        };
        let routes = node.routes.iter().filter(of_family);
        if !routes.clone().any(|route| route.table == copy) {
            let long = routes.filter(|route| route.table == table);
            let copies: Vec<RouteSpec> =
                long.map(|route| RouteSpec { table: copy.clone(), ..route.clone() }).collect();
            node.routes.extend(copies);
        }
        Looked::Table(copy)
    }

    fn routes_in<'d>(&'d self, family: Family, table: &'d str) -> impl Iterator<Item = &'d DumpedRoute> {
        self.dump.routes_of(family).filter(move |route| route.table == table)
    }

    /// Whether a table routes every packet of a family for certain.
    fn covers(&self, family: Family, table: &str) -> bool {
        self.routes_in(family, table).any(|route| {
            route.prefix.prefix_len() == 0 && route.doubts.is_empty() && route.action != DumpedAction::Throw
        }) && !self.routes_in(family, table).any(|route| route.action == DumpedAction::Throw)
    }
}

/// What a rule finds under the name of a table.
enum Looked {
    /// Nothing that the walk does not do anyway.
    Idle,
    /// A table.
    Table(TableName),
    /// Nobody knows.
    Unknown(UnknownId),
}

/// The list that is being made.
struct RuleList {
    family: Family,
    made: Vec<LookupRuleSpec>,
    /// Whether every packet has found its end.
    covered: bool,
    /// Rules before this priority are passed over: for certain, or perhaps, for this reason.
    skip_to: Option<(u32, Option<UnknownId>)>,
}

/// Whether the walk knows by itself what becomes of such destinations.
fn is_of_walk(action: DumpedAction) -> bool {
    match action {
        DumpedAction::Local | DumpedAction::Broadcast | DumpedAction::Multicast | DumpedAction::Anycast => {
            true
        }
        DumpedAction::Unicast
        | DumpedAction::Blackhole
        | DumpedAction::Unreachable
        | DumpedAction::Prohibit
        | DumpedAction::Throw => false,
    }
}

fn is_lookup(rule: &DumpedRule, table: &str) -> bool {
    matches!(&rule.action, RuleAction::Table { name, .. } if name == table)
}

fn default_rules(family: Family, span: Span) -> Vec<DumpedRule> {
    let tables = DEFAULT_RULES.into_iter().filter(|(_, table)| family == Family::V4 || *table != "default");
    let rule = |(priority, table): (u32, &str)| DumpedRule {
        priority,
        span,
        from: None,
        to: None,
        incoming: None,
        mark: None,
        action: RuleAction::Table { name: table.to_owned(), suppress: None },
        doubts: Vec::new(),
    };
    tables.map(rule).collect()
}
