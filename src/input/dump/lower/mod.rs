//! From what was read to what the builder takes: a node's interfaces, facts, filters, routes and rules.
//!
//! Where a file is missing, what it would say is unknown (SEMANTICS.md section 3.5). Where a file says what the
//! model does not have, the node may do anything with a packet that reaches it, and nothing about it is certain:
//! [`NodeSpec::havoc`], and a filter that may decide either way.

mod facts;
mod filters;
mod links;
mod marks;
mod routes;
mod rules;

use super::{DeviceDump, Doubt, Given};
use crate::diag::{Code, Diagnostic, Diagnostics};
use crate::header::Family;
use crate::model::build::{NetworkBuilder, NodeSpec};
use crate::model::{Action, Chain, Filter, Hook, Rule, Stage, UnknownId};
use crate::source::Span;

/// What the description says about the node beside its files.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// Where it names the files.
    pub config: Span,
    /// Where it names a policy for the node or for one of its interfaces, if it does.
    pub policy: Option<Span>,
    /// The interfaces of the node that its tunnels end at.
    pub tunnels: &'a [&'a str],
}

/// Adds what the files of a node say to what the description says of it.
///
/// What contradicts is reported in `out`.
pub fn apply(
    dump: &DeviceDump,
    node: &mut NodeSpec,
    beside: Beside<'_>,
    builder: &mut NetworkBuilder,
    out: &mut Diagnostics,
) {
    let mut lowering =
        Lowering { dump, beside, builder, out, havoc: None, unclear_marks: None, tells_marks: false };
    lowering.links(node);
    lowering.facts(node);
    let ipv6_runs = lowering.ipv6_runs(node);
    lowering.filters(node, ipv6_runs);
    lowering.routing(node, ipv6_runs);
    node.havoc = node.havoc.or(lowering.havoc);
}

/// What lowering one node needs and gathers.
struct Lowering<'a> {
    dump: &'a DeviceDump,
    beside: Beside<'a>,
    builder: &'a mut NetworkBuilder,
    out: &'a mut Diagnostics,
    /// The first reason why the node may do anything.
    havoc: Option<UnknownId>,
    /// Set if nobody knows the marks of packets.
    unclear_marks: Option<UnknownId>,
    /// Whether the ledger says what is taken for granted about marks.
    tells_marks: bool,
}

impl Lowering<'_> {
    /// Numbers a doubt. One of havoc goes for the whole node.
    fn unknown(&mut self, doubt: &Doubt) -> UnknownId {
        let id = self.builder.add_unknown(doubt.to_unknown());
        if doubt.havoc {
            self.havoc.get_or_insert(id);
        }
        id
    }

    fn conflict(&mut self, span: Span, message: String, other: Span, help: &str) {
        let error = Diagnostic::error(Code::Conflict, span, message);
        self.out.push(error.also(other, "the device says otherwise here").help(help));
    }

    fn not_built(&mut self, span: Span, message: String, help: &str) {
        self.out.push(Diagnostic::error(Code::NotBuilt, span, message).help(help));
    }

    /// Makes every packet at some stages uncertain: each may be accepted, dropped or passed on.
    fn doubt_packets(
        &mut self,
        node: &mut NodeSpec,
        doubt: &Doubt,
        family: Option<Family>,
        stages: &[Stage],
    ) {
        let id = self.unknown(doubt);
        let span = doubt.span;
        let name = "not understood".to_owned();
        let action = Action::Unknown(id);
        let rule = Rule { name: "1".to_owned(), span, matches: Vec::new(), action, opens: true };
        let chain = Chain { name: name.clone(), span, rules: vec![rule], policy: Some(Action::Accept) };
        let filter = self.builder.add_filter(Filter {
            name,
            span,
            chains: vec![chain],
            translations: Vec::new(),
            tracks: false,
            relates_own_errors: true,
        });
        for stage in stages {
            bind(node, *stage, Hook { filter, chain: 0, family });
        }
    }
}

/// Binds a chain to a stage of a node.
fn bind(node: &mut NodeSpec, stage: Stage, hook: Hook) {
    match stage {
        Stage::Prerouting => node.prerouting.push(hook),
        Stage::Input => node.input.push(hook),
        Stage::Forward => node.forward.push(hook),
        Stage::EarlyOutput => node.early_output.push(hook),
        Stage::Output => node.output.push(hook),
        Stage::LateOutput => node.late_output.push(hook),
        // iptables has no list of an interface.
        Stage::Ingress | Stage::Egress => {}
    }
}

/// The stages of a node.
const EVERY_STAGE: [Stage; 3] = [Stage::Input, Stage::Forward, Stage::Output];

impl DeviceDump {
    /// The links that the files show.
    fn links(&self) -> &[super::Link] {
        self.addresses.read().map_or(&[], |addresses| &addresses.links)
    }

    /// Every route that the files show of a family.
    fn routes_of(&self, family: Family) -> impl Iterator<Item = &super::DumpedRoute> {
        let files = [&self.routes, &self.routes6].into_iter().filter_map(Given::read);
        files.flat_map(|file| &file.routes).filter(move |route| route.family() == family)
    }

    /// Whether the files say which routes of a family there are. A dump of all tables may hold both families;
    /// where IPv6 runs, it always has some route.
    fn shows_routes(&self, family: Family) -> bool {
        let file = if family == Family::V4 { &self.routes } else { &self.routes6 };
        !file.is_absent() || (family == Family::V6 && self.routes_of(family).next().is_some())
    }

    /// Whether the files show every table of a family, so that one without routes is empty.
    fn shows_all_tables(&self, family: Family) -> bool {
        let empty = |given: &Given<_>| matches!(given, Given::Empty(_));
        let file = if family == Family::V4 { &self.routes } else { &self.routes6 };
        empty(file) || self.routes_of(family).any(|route| route.table != "main")
    }
}
