//! Where base chains hang, as places of the walk (`enum nf_inet_hooks`, `enum nf_ip_hook_priorities`).
//!
//! | hook | place |
//! | --- | --- |
//! | prerouting, before -100 | before translation and routing |
//! | prerouting, behind -100 | in front of local delivery and of forwarding: there the destination is translated |
//! | output, before -100 | before the translation of what the device sends itself |
//! | input, forward, output | the place of that name |
//! | postrouting | behind forwarding and output |
//!
//! The kernel translates destinations at -100 and sources at 100, whatever the priority of a chain of type `nat` is: it
//! only orders such chains among themselves (`nf_nat_core.c`). The tracker looks at -200, and puts fragments together
//! at -400.

use super::table::Base;
use crate::input::dump::iptables::{Rank, Spot, Turn};
use crate::model::Stage;

/// Where the kernel puts fragments together.
const DEFRAGMENTS: i64 = -400;
/// Where the tracker looks.
pub(super) const TRACKS: i64 = -200;
/// Where destinations are translated.
pub(super) const DESTINATIONS: i64 = -100;
/// Where sources are.
const SOURCES: i64 = 100;

/// What the rules of a base chain, and of what it calls, see of a packet beside what the model shows at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct View {
    /// Whether the interface it came in by is what the model shows; behind routing, old kernels show none.
    pub(super) incoming: bool,
    /// Whether there is an interface it goes out by.
    pub(super) outgoing: bool,
    /// Whether the tracker has seen it.
    pub(super) state: bool,
    /// Whether its source is the one that the model shows.
    pub(super) source: bool,
    /// Whether its destination is.
    pub(super) destination: bool,
    /// Whether fragments have been put together, on a device that does so.
    pub(super) whole: bool,
    /// Whether rules may translate.
    pub(super) translates: bool,
}

/// Where a base chain binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// At these stages, at this time.
    Filters(&'static [Stage], Rank),
    /// It translates.
    Translates(Spot, Rank),
    /// The model has no such place.
    Nowhere,
}

/// The place of a base chain, and what it sees there.
pub(super) fn place(base: &Base, device_translates: bool) -> (Place, View) {
    let priority = base.priority;
    let early = matches!(base.hook.as_str(), "prerouting" | "output");
    let mut view = View {
        incoming: base.hook != "postrouting",
        outgoing: base.hook != "prerouting",
        state: !early || priority > TRACKS,
        source: true,
        destination: true,
        whole: !early || priority > DEFRAGMENTS,
        translates: base.kind == "nat",
    };
    let (stages, spot, turn): (&[Stage], _, _) = match base.hook.as_str() {
        "prerouting" if priority > DESTINATIONS => {
            (&[Stage::Input, Stage::Forward], Spot::Prerouting, Turn::Early)
        }
        "prerouting" => (&[Stage::Prerouting], Spot::Prerouting, Turn::Early),
        "input" => (&[Stage::Input], Spot::Input, Turn::Own),
        "forward" => (&[Stage::Forward], Spot::Postrouting, Turn::Own),
        "output" if priority < DESTINATIONS => (&[Stage::EarlyOutput], Spot::Output, Turn::Own),
        "output" => (&[Stage::Output], Spot::Output, Turn::Own),
        "postrouting" => (&[Stage::Forward, Stage::LateOutput], Spot::Postrouting, Turn::Late),
        _ => return (Place::Nowhere, view),
    };
    let rank = Rank(turn, priority);
    match base.kind.as_str() {
        "nat" if base.hook != "forward" => (Place::Translates(spot, Rank(Turn::Own, priority)), view),
        "filter" | "route" => {
            // At the very place of the translation nobody knows which comes first. Sources are translated behind all
            // filters.
            let translates_here = matches!(base.hook.as_str(), "prerouting" | "output");
            view.destination = !device_translates || !translates_here || priority != DESTINATIONS;
            view.source = !device_translates
                || match base.hook.as_str() {
                    "input" | "postrouting" => priority < SOURCES,
                    _ => true,
                };
            (Place::Filters(stages, rank), view)
        }
        _ => (Place::Nowhere, view),
    }
}
