//! `status`: what the running helper knows.

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::Duration;

use super::complain;
use super::helper::Helper;
use crate::cli::Status;
use crate::control::client::Client;
use crate::exit::Exit;
use crate::status::Document;
use crate::status::plugin::{self, Alert};
use crate::status::table::Table;
use crate::text::{self, foreign};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// From the top of an empty screen.
const AFRESH: &str = "\x1b[H\x1b[2J";

/// Shows the status once, or again and again.
///
/// # Errors
/// When there is no helper to ask; while watching, that is said and waited for.
pub fn run(options: &Status) -> anyhow::Result<Exit> {
    let helper = Helper::find(&options.helper);
    if options.plugin {
        return Ok(alert(&helper).unwrap_or_else(|error| {
            complain(&error);
            Exit::Unknown
        }));
    }
    if !options.watch {
        let document = helper.client().and_then(Client::status).inspect_err(|_| helper.complain())?;
        helper.complain_beside(&document);
        show(&document, options.json)?;
        return Ok(Exit::Success);
    }
    let afresh = io::stdout().is_terminal() && !options.json;
    loop {
        // Whichever runs by now.
        let status = Helper::find(&options.helper).client().and_then(Client::status);
        if afresh {
            text::move_cursor(AFRESH)?;
        }
        match status {
            Ok(document) => show(&document, options.json)?,
            Err(error) => complain(&error),
        }
        thread::sleep(PAUSE);
    }
}

/// One line for monitoring. Without a helper to ask, nothing is known.
fn alert(helper: &Helper) -> anyhow::Result<Exit> {
    let mut out = text::stdout();
    let document = match helper.client().and_then(Client::status) {
        Ok(document) => document,
        Err(error) => {
            let why = foreign(&format!("{error:#}")).replace('|', "/");
            writeln!(out, "DNSHERALD UNKNOWN - {why}")?;
            return Ok(Exit::Unknown);
        }
    };
    let (alert, line) = plugin::line(&document);
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(match alert {
        Alert::Ok => Exit::Success,
        Alert::Warning => Exit::Warning,
        Alert::Critical => Exit::Critical,
    })
}

fn show(document: &Document, json: bool) -> anyhow::Result<()> {
    let mut out = text::stdout();
    if json {
        writeln!(out, "{}", text::json(serde_json::to_string(document)?))?;
    } else {
        write!(out, "{}", Table(document))?;
    }
    Ok(out.flush()?)
}
