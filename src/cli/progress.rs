//! How far a run has come, on the last line of a terminal. Never in a report.

use super::console::Console;
use super::pipeline::Watch;
use isoaudit::verdict::Judgement;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The line is written anew at most this often.
const INTERVAL: Duration = Duration::from_millis(100);

/// Runs shorter than this say nothing.
const PATIENCE: Duration = Duration::from_millis(400);

/// Carriage return, and erase to the end of the line (ECMA-48 `EL`).
const ERASE: &str = "\r\u{1b}[K";

/// A line on standard error that says how far a run has come, or nothing where nobody watches.
pub(crate) struct Progress<'a> {
    console: &'a Console,
    shown: bool,
    state: Mutex<State>,
}

struct State {
    input: String,
    claims: usize,
    judged: usize,
    begun: Instant,
    drawn: Option<Instant>,
}

impl<'a> Progress<'a> {
    /// Shows progress if standard error is a terminal and nobody forbids it.
    pub(crate) fn new(console: &'a Console, forbidden: bool) -> Progress<'a> {
        let state = State { input: String::new(), claims: 0, judged: 0, begun: Instant::now(), drawn: None };
        Progress { console, shown: console.err_is_terminal && !forbidden, state: Mutex::new(state) }
    }

    /// Another input begins.
    pub(crate) fn begin(&self, input: &str) {
        let input =
            isoaudit::report::safe::elide_left(&isoaudit::report::safe::safe(input), 40, "...").into_owned();
        self.update(|state| {
            *state = State { input, claims: 0, judged: 0, begun: state.begun, drawn: state.drawn }
        });
    }

    /// How long it has been going on.
    pub(crate) fn elapsed(&self) -> Duration {
        self.state.lock().map_or(Duration::ZERO, |state| state.begun.elapsed())
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        if self.state.lock().is_ok_and(|state| state.drawn.is_some()) {
            self.console.complain(ERASE);
        }
    }

    /// Changes what is known, and draws it if it is time.
    fn update(&self, change: impl FnOnce(&mut State)) {
        // A worker that panicked has poisoned the lock; then progress is not what matters.
        let Ok(mut state) = self.state.lock() else { return };
        change(&mut state);
        let due = state.drawn.map_or(state.begun.elapsed() > PATIENCE, |drawn| drawn.elapsed() > INTERVAL);
        if self.shown && due {
            state.drawn = Some(Instant::now());
            self.console.complain(&format!("{ERASE}{}", line(&state)));
        }
    }
}

fn line(state: &State) -> String {
    match state.claims {
        0 => format!("{}: reading", state.input),
        claims => format!("{}: {} of {claims} claims judged", state.input, state.judged),
    }
}

impl Watch for Progress<'_> {
    fn read(&self, claims: usize) {
        self.update(|state| state.claims = claims);
    }

    fn judged(&self, _: &Judgement) {
        self.update(|state| state.judged += 1);
    }
}
