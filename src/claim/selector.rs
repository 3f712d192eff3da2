//! Selectors: one expression language for claims and the command line.
//!
//! `not` binds tighter than `and`, `and` tighter than `or`. Names are looked up while reading, so every
//! expression speaks of things that the network has.

mod read;

pub use read::parse;

use crate::model::{NodeId, SiteId, VlanId, VrfId, ZoneId};
use crate::source::Span;
use ipnet::IpNet;

/// A selector with the text that it was read from.
#[derive(Debug, Clone)]
pub struct Selector {
    /// What it selects.
    pub expr: Expr,
    /// The text, as written.
    pub text: String,
    /// Where it is written.
    pub span: Span,
}

impl Selector {
    /// Whether it asks where on earth something is: by country or by site.
    pub fn asks_where(&self) -> bool {
        let mut open = vec![&self.expr];
        while let Some(expr) = open.pop() {
            match expr {
                Expr::Jurisdiction(_) | Expr::Site(_) => return true,
                Expr::And(parts) | Expr::Or(parts) => open.extend(parts),
                Expr::Not(inner) => open.push(inner),
                Expr::Any
                | Expr::Internet
                | Expr::Zone(_)
                | Expr::Node(_)
                | Expr::Role(_)
                | Expr::Vlan(_)
                | Expr::Vrf(_)
                | Expr::Label(..)
                | Expr::Plane(_)
                | Expr::Ip(_) => {}
            }
        }
        false
    }
}

/// The expression of a selector. Names are already resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// Every place.
    Any,
    /// The built-in place outside every jurisdiction.
    Internet,
    /// Places in a country (`CN`) or a part of one (`US-CA`); a country includes its parts.
    Jurisdiction(String),
    /// Places at a site.
    Site(SiteId),
    /// Places of a zone.
    Zone(ZoneId),
    /// One node.
    Node(NodeId),
    /// Nodes of a role, by its word.
    Role(String),
    /// Places of a VLAN.
    Vlan(VlanId),
    /// Places of a VRF.
    Vrf(VrfId),
    /// Nodes with a label, and places of interfaces or zones with it.
    Label(String, String),
    /// Places of the zones of a plane.
    Plane(String),
    /// Places that own, or can own, an address of the prefix.
    Ip(IpNet),
    /// Places that all of these select.
    And(Vec<Expr>),
    /// Places that any of these selects.
    Or(Vec<Expr>),
    /// Places that this does not select.
    Not(Box<Expr>),
}
