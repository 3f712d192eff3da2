//! The engine: can anything that these places send arrive at those? It knows nothing of claims, texts or formats.
//!
//! A network is compiled once ([`Compiled`]); each [`Query`] is then one least fixpoint over it, pure and sequential,
//! on a private layer of sets. Connections need two: first everything that anybody sends, which says what is open
//! where; then what descends from the footholds, which alone counts (SEMANTICS.md section 5.2).

mod alike;
mod arrivals;
mod channel;
mod compiled;
mod device;
mod endings;
mod facts;
mod history;
mod inject;
mod look;
mod marks;
mod originate;
mod outside;
mod pair;
mod parallel;
mod passage;
mod pieces;
mod query;
mod reply;
mod routes;
mod rules;
mod run;
mod solve;
mod sources;
mod status;
mod structure;
mod translate;
mod view;
mod witness;

pub use arrivals::arrivals;
pub use channel::translated_ends;
pub use compiled::Compiled;
pub use endings::{EndedBy, Ending};
pub use inject::own_sources;
pub use pair::{Pair, RoundTrip, round_trip};
pub use parallel::map as parallel_map;
pub use query::{
    Answer, Cut, FreeFlow, Journey, JourneyHop, Limits, Origin, Place, Places, Query, RuleRef, Stop, Witness,
};
pub use routes::route_sets;
pub use rules::rule_size;
pub use solve::{Reached, explore, is_surely_empty, solve, solve_coarsely};
pub use structure::Structure;
