//! The two streams: what may be shown on them, and what becomes of a reader who goes away.

use super::args::{ColourChoice, Global};
use super::exit::Exit;
use super::failure::Failure;
use isoaudit::report::{Detail, Look, safe, text};
use std::env;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};

/// How to write to the two streams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Console {
    /// What standard output can show.
    pub(crate) out: Look,
    /// What standard error can show.
    pub(crate) err: Look,
    /// Whether somebody watches standard error, on a terminal that can erase a line.
    pub(crate) err_is_terminal: bool,
}

impl Default for Console {
    /// Before the arguments are known.
    fn default() -> Console {
        Console::new(&Global::default())
    }
}

impl Console {
    /// What the arguments, the environment and the streams allow.
    pub(crate) fn new(global: &Global) -> Console {
        let environment = Environment::read();
        let (out, err) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        let look = |is_terminal| Look {
            colour: colour(global.color, &environment, is_terminal),
            unicode: !global.ascii && unicode(&environment),
            detail: Detail::Normal,
        };
        let is_dumb = environment.is_dumb();
        Console { out: look(out), err: look(err), err_is_terminal: err && !is_dumb }
    }

    /// Writes to standard output. A reader who has seen enough, such as `head`, is no failure.
    pub(crate) fn print(&self, bytes: impl AsRef<[u8]>) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        match out.write_all(bytes.as_ref()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::Write { path: None, error })
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Writes to standard error. There is nowhere left to complain if that fails.
    pub(crate) fn complain(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = err.write_all(text.as_bytes()).and_then(|()| err.flush());
    }

    /// Help and version go to standard output and are fine; everything else that clap says is wrong usage.
    pub(crate) fn usage(&self, error: &clap::Error) -> Exit {
        // clap writes to the stream that fits. A reader who went away is no failure here either.
        let _ = error.print();
        if error.use_stderr() { Exit::Refused } else { Exit::Fine }
    }

    /// Says why nothing was done.
    pub(crate) fn fail(&self, failure: Failure) -> Exit {
        match failure {
            Failure::Usage(error) => return self.usage(&error),
            Failure::Input { diagnostics, sources } => {
                self.complain(&text::errors(&diagnostics, &sources, &self.err));
            }
            Failure::Write { path, error } => {
                let target = path.map_or_else(|| "standard output".to_owned(), |p| p.display().to_string());
                self.complain(&format!("error: cannot write {}: {error}\n", safe::safe(&target)));
            }
        }
        Exit::Refused
    }
}

/// The variables that settle colours and characters, each as it was found.
#[derive(Debug, Default)]
struct Environment {
    no_color: Option<OsString>,
    force_color: Option<OsString>,
    clicolor_force: Option<OsString>,
    clicolor: Option<OsString>,
    term: Option<OsString>,
    locale: Option<OsString>,
}

impl Environment {
    fn read() -> Environment {
        let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty());
        Environment {
            no_color: set("NO_COLOR"),
            force_color: set("FORCE_COLOR"),
            clicolor_force: set("CLICOLOR_FORCE"),
            clicolor: set("CLICOLOR"),
            term: set("TERM"),
            // POSIX: the first of these that is set counts.
            locale: set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG")),
        }
    }

    /// Whether the terminal understands no escape sequences.
    fn is_dumb(&self) -> bool {
        self.term.as_ref().is_some_and(|term| term == "dumb")
    }
}

/// The flag wins, then `NO_COLOR`, then the two that force colours, then the terminal.
fn colour(choice: ColourChoice, environment: &Environment, is_terminal: bool) -> bool {
    let on = |value: &Option<OsString>| value.as_ref().is_some_and(|value| value != "0");
    match choice {
        ColourChoice::Always => true,
        ColourChoice::Never => false,
        ColourChoice::Auto if environment.no_color.is_some() => false,
        ColourChoice::Auto if on(&environment.force_color) || on(&environment.clicolor_force) => true,
        ColourChoice::Auto => {
            let off = environment.clicolor.as_ref().is_some_and(|value| value == "0");
            is_terminal && !environment.is_dumb() && !off
        }
    }
}

/// Characters beyond ASCII, unless the locale says that they cannot be shown. Without a locale, as in most
/// containers and CI runners, UTF-8 is what the reader has.
fn unicode(environment: &Environment) -> bool {
    environment.locale.as_ref().is_none_or(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(value: &str) -> Option<OsString> {
        Some(OsString::from(value))
    }

    #[test]
    fn the_flag_wins_then_no_color_then_force() {
        let none = Environment::default;
        let auto =
            |environment: Environment, is_terminal| colour(ColourChoice::Auto, &environment, is_terminal);
        assert!(auto(none(), true));
        assert!(!auto(none(), false));
        assert!(!auto(Environment { no_color: set("1"), ..none() }, true));
        assert!(!auto(Environment { no_color: set("1"), force_color: set("1"), ..none() }, true));
        assert!(auto(Environment { force_color: set("1"), ..none() }, false));
        assert!(!auto(Environment { force_color: set("0"), ..none() }, false));
        assert!(auto(Environment { clicolor_force: set("1"), ..none() }, false));
        assert!(!auto(Environment { clicolor: set("0"), ..none() }, true));
        assert!(!auto(Environment { term: set("dumb"), ..none() }, true));
        assert!(colour(ColourChoice::Always, &Environment { no_color: set("1"), ..none() }, false));
        assert!(!colour(ColourChoice::Never, &Environment { force_color: set("1"), ..none() }, true));
    }

    #[test]
    fn the_locale_says_whether_more_than_ascii_can_be_shown() {
        for (locale, shown) in [("en_GB.UTF-8", true), ("C.utf8", true), ("C", false), ("de_DE@euro", false)]
        {
            assert_eq!(unicode(&Environment { locale: set(locale), ..Environment::default() }), shown);
        }
        assert!(unicode(&Environment::default()));
    }
}
