//! Reports a bad command line, or prints the requested help.

use std::env::args_os;
use std::io::{self, IsTerminal};

use log::LevelFilter;

use super::run::pause_before_exit;
use crate::exit::Exit;
use crate::logging::form::LogFormat;
use crate::logging::{self, Way, aside};
use crate::sys::signals::ignore_strays;
use crate::text;

/// Prints the error or the help. Monitoring reads exit status 2 as critical, so bad usage of `check` exits with 3.
#[must_use]
pub fn report(error: &clap::Error) -> Exit {
    let command = args_os().nth(1);
    let is = |name: &str| command.as_ref().is_some_and(|command| command == name);
    // Under ExaBGP the error goes to the log, and the exit is delayed as for any other error of `run`.
    if is("run") && error.use_stderr() && !io::stdout().is_terminal() {
        logging::start(LevelFilter::Info, Way::Aside, LogFormat::Auto);
        ignore_strays();
        log::error!("{}", error.to_string().trim_end());
        pause_before_exit();
        aside::flush();
        return Exit::Usage;
    }
    text::usage(error);
    match error.use_stderr() {
        false => Exit::Success,
        true if is("check") => Exit::Unknown,
        true => Exit::Usage,
    }
}
