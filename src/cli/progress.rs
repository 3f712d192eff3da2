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
        if let Some(text) = self.due(&mut state) {
            self.console.complain(&text);
        }
    }

    /// What is to be drawn now, if it is time and somebody watches.
    fn due(&self, state: &mut State) -> Option<String> {
        let due = state.drawn.map_or(state.begun.elapsed() > PATIENCE, |drawn| drawn.elapsed() > INTERVAL);
        (self.shown && due).then(|| {
            state.drawn = Some(Instant::now());
            format!("{ERASE}{}", line(state))
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is drawn after a while of work, and at once behind that.
    fn drawn(err_is_terminal: bool, forbidden: bool) -> [Option<String>; 3] {
        let console = Console { err_is_terminal, ..Console::default() };
        let progress = Progress::new(&console, forbidden);
        let long_ago = Instant::now().checked_sub(PATIENCE * 2);
        let mut state = State {
            input: "net/topology.yaml".to_owned(),
            claims: 3,
            judged: 1,
            begun: Instant::now(),
            drawn: None,
        };
        let early = progress.due(&mut state);
        state.begun = long_ago.unwrap_or(state.begun);
        [early, progress.due(&mut state), progress.due(&mut state)]
    }

    #[test]
    fn progress_is_shown_on_a_terminal_only_and_only_of_long_work() {
        let line = format!("{ERASE}net/topology.yaml: 1 of 3 claims judged");
        assert_eq!(drawn(true, false), [None, Some(line), None]);
        assert_eq!(drawn(false, false), [None, None, None], "a pipe gets nothing");
        assert_eq!(drawn(true, true), [None, None, None], "--no-progress");
    }
}
