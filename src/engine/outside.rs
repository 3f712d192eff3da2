//! What lies beyond the description: the internet, and nodes that may be there.

use super::history::Step;
use super::query::Place;
use super::run::Run;
use super::view::View;
use crate::model::{Assumption, InterfaceId, NodeId, Reading, Role};
use crate::set::Set;

impl Run<'_, '_> {
    /// What a place at the far side of a node does with packets: the internet, and nodes that may be there.
    pub(super) fn beyond(&mut self, view: &mut View<'_>, node: NodeId, receiver: InterfaceId, packets: Set) {
        self.deliver(view, node, packets, receiver, false, None);
        let spec = self.network.node(node);
        let is_internet = spec.role == Role::Internet;
        if self.query.reading == Reading::Must {
            return self.across_the_internet(view, receiver, packets);
        }
        if is_internet && self.network.assumes(Assumption::NoReflection) {
            let step = Step::Sent {
                receiver,
                sends: receiver,
                via: None,
                established: false,
                any_destination: false,
                change: None,
            };
            for interface in spec.interfaces.iter().filter(|i| **i != receiver) {
                if self.is_cut(*interface) {
                    continue;
                }
                if let Some(segment) = self.network.interface(*interface).segment {
                    self.put_to_all(view, segment, packets, Some(*interface), step);
                }
            }
            return;
        }
        let packets = self.less_free(view, Place::Node(node), packets);
        if packets.is_empty() || std::mem::replace(&mut self.beyond[node.index()], true) {
            return;
        }
        let step = Step::Beyond { receiver, cause: packets };
        let own: Vec<InterfaceId> = spec.interfaces.iter().copied().filter(|i| !self.is_cut(*i)).collect();
        for interface in &own {
            if let Some(segment) = self.network.interface(*interface).segment {
                self.put_to_all(view, segment, Set::FULL, Some(*interface), step);
            }
        }
    }

    /// The internet certainly carries packets to whoever owns their destination on another line of it.
    fn across_the_internet(&mut self, view: &mut View<'_>, receiver: InterfaceId, packets: Set) {
        let node = self.network.interface(receiver).node;
        for interface in self.network.node(node).interfaces.iter().filter(|i| **i != receiver) {
            if self.is_cut(*interface) {
                continue;
            }
            let Some(segment) = self.network.interface(*interface).segment else { continue };
            let step = Step::Sent {
                receiver,
                sends: *interface,
                via: None,
                established: false,
                any_destination: false,
                change: None,
            };
            // Somebody who is only possibly there owns nothing for certain.
            let owners = view.compiled.segments[segment.index()].owners.iter();
            let is_there =
                |id: InterfaceId| self.exists(self.network.node(self.network.interface(id).node).existence);
            let sets: Vec<Set> = owners.filter(|(id, ..)| is_there(*id)).map(|(_, _, to)| *to).collect();
            let owned = view.space.union_all(&sets);
            let theirs = view.space.intersect(packets, owned);
            self.put(view, segment, theirs, *interface, None, step);
        }
    }
}
