//! What the names of a policy stand for. The reader of the description answers; this folder only asks.

use crate::header::AddressRange;
use crate::model::{Unknown, UnknownId, VrfId, ZoneId};

/// The names that a policy may use beyond its own. Lists of names serve suggestions only.
pub trait Names {
    /// The zone of this name.
    fn zone(&self, name: &str) -> Option<ZoneId>;

    /// Every zone.
    fn zone_names(&self) -> Vec<&str>;

    /// The VRF of this name.
    fn vrf(&self, name: &str) -> Option<VrfId>;

    /// Every VRF.
    fn vrf_names(&self) -> Vec<&str>;

    /// Whether some node that uses the policy has an interface of this name. True if that is not known, as
    /// for a node whose interfaces come from a dump.
    fn has_interface(&self, policy: &str, name: &str) -> bool;

    /// The interfaces of the nodes that use the policy.
    fn interface_names(&self, policy: &str) -> Vec<&str>;

    /// The addresses that nodes with a label own, and interfaces with it; `None` if nothing has the label.
    fn labelled(&self, key: &str, value: &str) -> Option<Vec<AddressRange>>;

    /// Whether what has a label may own more addresses than [`Names::labelled`] tells, because they come from the
    /// nodes' own files.
    fn label_is_open(&self, key: &str, value: &str) -> bool;

    /// Every label of a node or an interface, as `key=value`.
    fn label_names(&self) -> Vec<String>;

    /// Adds something that is not known to the network, and numbers it.
    fn unknown(&mut self, unknown: Unknown) -> UnknownId;
}
