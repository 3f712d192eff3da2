//! When a claim says nothing: SEMANTICS.md section 6, "Vacuous".

use super::judge::Judge;
use super::lower::{Absence, places};
use super::{Note, Open};
use crate::engine::{Place, Places};
use crate::model::{Network, Reading};

/// What is empty about an absence.
pub(super) struct Emptiness {
    /// Why it says nothing, if it does.
    pub(super) reasons: Vec<Open>,
    /// Source groups that have no way out at all, though others have.
    pub(super) notes: Vec<Note>,
}

/// Looks for what would make an absence hold for no good reason.
pub(super) fn look(judge: &Judge<'_>, absence: &Absence<'_>) -> Emptiness {
    let network = judge.network;
    let from = places(network, &absence.from.expr, Reading::May);
    let to = absence.to.places(network, Reading::May);
    let mut reasons = Vec::new();
    if from.is_empty() {
        reasons.push(nothing(format!("`{}` selects nothing", absence.from.text), Some(absence.from.span)));
    }
    if to.is_empty() {
        reasons.push(nothing(format!("`{}` selects nothing", absence.to.words()), None));
    }
    if let Some(except) = absence.except.iter().find(|except| {
        let free_from = places(network, &except.from.expr, Reading::Must);
        let free_to = places(network, &except.to.expr, Reading::Must);
        except.services.is_empty() && covers(&free_from, &from) && covers(&free_to, &to)
    }) {
        reasons.push(Open {
            what: "an `except` frees everything that the claim forbids".to_owned(),
            span: Some(except.span),
            settle: "narrow the `except` to the flow that is wanted".to_owned(),
        });
    }
    let mut notes = Vec::new();
    if reasons.is_empty() {
        let groups: Vec<Place> = from.iter().filter(|place| matches!(place, Place::Segment(_))).collect();
        let groups = if groups.is_empty() { from.iter().collect() } else { groups };
        let (out, held): (Vec<Place>, Vec<Place>) =
            groups.into_iter().partition(|place| judge.structure.can_leave(*place));
        if out.is_empty() {
            reasons.push(Open {
                what: format!(
                    "nothing in `{}` could leave its own segment, whatever filters and routes do",
                    absence.from.text
                ),
                span: Some(absence.from.span),
                settle: "describe the links of these nodes".to_owned(),
            });
        } else {
            notes.extend(held.into_iter().map(|place| held_by_absence(network, place)));
        }
    }
    Emptiness { reasons, notes }
}

fn nothing(what: String, span: Option<crate::source::Span>) -> Open {
    Open { what, span, settle: "check the selector with `isoaudit list`".to_owned() }
}

fn covers(outer: &Places, inner: &Places) -> bool {
    inner.iter().all(|place| outer.contains(place))
}

fn held_by_absence(network: &Network, place: Place) -> Note {
    let (name, span) = match place {
        Place::Node(id) => (network.node(id).name.clone(), network.node(id).span),
        Place::Segment(id) => (network.segment(id).name.clone(), network.segment(id).span),
    };
    Note {
        text: format!("{name} is held by absence of links: nothing connects it to another segment"),
        span: Some(span),
    }
}
