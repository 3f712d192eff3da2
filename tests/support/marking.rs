//! Marks in networks by chance: lists that set them, rules that ask for them, tables that are chosen by them.

use super::net::{chain, lookup_rule, nowhere, rule};
use super::random::Maker;
use isoaudit::model::{
    Action, Fact, FilterId, Hook, Lookup, MarkChange, MarkTest, Marked, Match, NodeId, Rule, Test,
};

const MASKS: [u32; 4] = [u32::MAX, 1, 2, 3];

impl Maker {
    /// Adds marks to some nodes.
    pub(super) fn marks(&mut self) {
        for index in 0..self.net.network.nodes.len() {
            if self.chance.percent(35) {
                self.marks_of(NodeId::at(index));
            }
        }
    }

    fn marks_of(&mut self, id: NodeId) {
        let node = self.net.network.node(id);
        let tracks = node.forward.iter().any(|hook| self.net.network.filter(hook.filter).tracks);
        let connections = tracks && self.chance.percent(CONNECTIONS_PERCENT);
        let hooks: Vec<Hook> =
            node.input.iter().chain(&node.forward).chain(node.own_lists()).copied().collect();
        let early = self.marking_filter(tracks, connections);
        let hook = Hook { filter: early, chain: 0, family: None };
        self.net.node_mut(id).prerouting.push(hook);
        if self.chance.percent(50) {
            let early = self.chance.percent(60);
            let node = self.net.node_mut(id);
            let list = if early { &mut node.early_output } else { &mut node.output };
            list.insert(0, hook);
            if self.chance.percent(70) {
                self.net.node_mut(id).rerouting.push(hook);
            }
        }
        if self.chance.percent(25) {
            self.net.node_mut(id).forward.insert(0, hook);
        }
        for hook in hooks {
            if self.chance.percent(50) {
                self.mark_filter(hook.filter, connections);
            }
        }
        while self.chance.percent(45) {
            let tables = self.net.network.node(id).tables.len();
            let action = match self.chance.below(6) {
                0 => Lookup::Blackhole,
                1 => Lookup::Unreachable,
                _ => Lookup::Table(self.chance.below(tables)),
            };
            let mut rule = lookup_rule(action);
            let (value, mask) = (self.chance.pick(&[0, 1, 2, 3]), self.chance.pick(&MASKS));
            rule.mark = Some(MarkTest { value, mask, negated: self.chance.percent(20) });
            if self.chance.percent(10) {
                rule.falls_through = Fact::No;
            }
            self.net.node_mut(id).lookup.insert(0, rule);
        }
    }

    fn marking_filter(&mut self, tracks: bool, connections: bool) -> FilterId {
        let mut called: Vec<Rule> = (0..self.chance.below(3)).map(|_| self.marking(connections)).collect();
        if self.chance.percent(30) {
            called.push(rule("back", Vec::new(), Action::Return));
        }
        let mut rules: Vec<Rule> = (0..1 + self.chance.below(3)).map(|_| self.marking(connections)).collect();
        if self.chance.percent(40) {
            let action = self.chance.pick(&[Action::Jump(1), Action::Jump(1), Action::Goto(1)]);
            let matches = vec![self.condition(false, true)];
            let at = self.chance.below(rules.len() + 1);
            rules.insert(at, Rule { matches, ..rule("call", Vec::new(), action) });
        }
        let policy = self.chance.pick(&[None, Some(Action::Accept)]);
        self.net.filter(tracks, vec![chain(policy, rules), chain(None, called)])
    }

    fn marking(&mut self, connections: bool) -> Rule {
        let mut matches = Vec::new();
        for _ in 0..self.chance.pick(&[0, 1, 1, 2]) {
            // Where marks hang on states, the engine is certain of less than the interpreter.
            matches.push(self.condition(false, true));
        }
        if self.chance.percent(25) {
            matches.push(self.mark_match(connections));
        }
        let action = match self.chance.below(10) {
            0 => Action::Accept,
            1 => Action::Drop,
            _ => Action::Mark(self.mark_change(connections)),
        };
        Rule { matches, ..rule("mark", Vec::new(), action) }
    }

    fn mark_change(&mut self, connections: bool) -> MarkChange {
        let of = if connections && self.chance.percent(40) { Marked::Connection } else { Marked::Packet };
        let (value, mask) = (self.chance.pick(&[0, 1, 2, 3]), self.chance.pick(&MASKS));
        match self.chance.below(6) {
            0 if connections => MarkChange { of: Marked::Packet, packet: !mask, connection: mask, flip: 0 },
            1 if connections => {
                MarkChange { of: Marked::Connection, packet: mask, connection: !mask, flip: 0 }
            }
            2 => MarkChange::within(of, value, 0),
            _ => MarkChange::within(of, value & mask, mask),
        }
    }

    fn mark_match(&mut self, connections: bool) -> Match {
        let of = if connections && self.chance.percent(40) { Marked::Connection } else { Marked::Packet };
        let value = self.chance.pick(&[0, 0, 1, 2, 3]);
        let high = if self.chance.percent(20) { value + 1 } else { value };
        let test = Test::Mark { of, mask: self.chance.pick(&MASKS), values: vec![(value, high)] };
        Match { test, negated: self.chance.percent(30), span: nowhere() }
    }

    /// Lets some rules of a filter ask for marks, or set them.
    fn mark_filter(&mut self, filter: FilterId, connections: bool) {
        for chain in 0..self.net.network.filter(filter).chains.len() {
            for position in 0..self.net.network.filter(filter).chains[chain].rules.len() {
                if self.chance.percent(30) {
                    let one = self.mark_match(connections);
                    self.net.network.filters[filter.index()].chains[chain].rules[position].matches.push(one);
                }
            }
            let tracks = self.net.network.filter(filter).tracks;
            if !tracks && self.chance.percent(20) {
                let one = self.marking(connections);
                self.net.network.filters[filter.index()].chains[chain].rules.insert(0, one);
            }
        }
    }
}

/// How many of the marked nodes that track also mark connections, in a hundred.
const CONNECTIONS_PERCENT: usize = 0;
