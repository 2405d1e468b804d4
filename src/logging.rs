//! The log: one line per event on standard error, or one entry of the journal.
//!
//! Under systemd standard error is that of ExaBGP and leads to the journal: there `run` sends [entries with
//! fields](journal), and other lines carry their priority and no time. Elsewhere they carry the time, as text or as
//! [JSON](form). `RUST_LOG` selects the levels; the default is `info` and above.
//!
//! Log lines contain foreign text: control characters are escaped. A reader of the log that stops reading must not block
//! the probes: `run` logs [through a thread](aside).

use std::io::Write;

use env_logger::Target;
use log::LevelFilter;

use self::entry::Urgency;
use self::fields::Fields;
use self::form::{Form, LogFormat};
use self::journal::Journal;
use self::syslog::Syslog;

pub(crate) mod aside;
pub(crate) mod entry;
pub(crate) mod facility;
pub(crate) mod fields;
pub(crate) mod form;
mod journal;
pub(crate) mod syslog;

/// How lines reach standard error.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// The logging thread writes them itself and waits if standard error blocks.
    Directly,
    /// A separate thread writes them; lines are lost if it cannot keep up.
    Aside,
}

/// Starts logging to standard error, or to the journal if standard error leads there and `format` leaves it open.
/// Called once.
pub(crate) fn start(default: LevelFilter, way: Way, format: LogFormat) {
    let form = Form::new(format);
    // Without a socket the entries take the way of standard error.
    let journal =
        if way == Way::Aside && form == Form::Journal { Journal::open(journal::SOCKET).ok() } else { None };
    install(default, way, form, move |urgency, message, fields| {
        !journal.as_ref().is_some_and(|journal| journal.send(urgency, message, fields))
    });
}

/// Starts logging to standard error if `console` says so, and to syslog if there is one. Called once.
pub(crate) fn start_with(default: LevelFilter, way: Way, console: bool, syslog: Option<Syslog>) {
    install(default, way, Form::new(LogFormat::Auto), move |urgency, message, _| {
        if let Some(syslog) = &syslog {
            syslog.send(urgency, message);
        }
        console
    });
}

/// Installs the one logger. `outlet` gets each message first, and says whether it goes to standard error as well.
fn install(
    default: LevelFilter,
    way: Way,
    form: Form,
    outlet: impl Fn(Urgency, &str, &Fields) -> bool + Send + Sync + 'static,
) {
    let mut builder = env_logger::Builder::new();
    builder.filter_level(default).parse_default_env();
    builder.format(move |line, record| {
        let message = record.args().to_string();
        let (urgency, fields) = (Urgency::from_record(record), Fields::from_record(record));
        if outlet(urgency, &message, &fields) {
            line.write_all(form.entry(urgency, &message, &fields).as_bytes())?;
        }
        Ok(())
    });
    // Without that thread the log is written directly: a late line is better than none.
    if way == Way::Aside
        && let Ok(writer) = aside::start(form)
    {
        builder.target(Target::Pipe(Box::new(writer)));
    }
    builder.init();
}
