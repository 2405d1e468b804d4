//! `status`: shows the status of the running helper.

use super::helper::Helper;
use super::{complain, print};
use crate::cli::Status;
use crate::exit::Exit;
use crate::status::Document;
use crate::status::plugin;
use crate::status::table::Table;
use crate::status::view::View;
use crate::sys::local_time::Zone;
use crate::sys::terminal::{Size, has_colors};
use crate::text::{self, foreign};

mod watch;

/// Shows the status once, or repeatedly.
///
/// # Errors
/// If no helper answers; with `--watch` the screen shows that, and the command asks again.
pub(crate) fn run(options: &Status) -> anyhow::Result<Exit> {
    if options.watch {
        return watch::run(options);
    }
    let helper = Helper::find(&options.helper);
    if options.plugin {
        return Ok(alert(&helper).unwrap_or_else(|error| {
            complain(&error);
            Exit::Unknown
        }));
    }
    let document = match helper.status() {
        Ok(document) => document,
        Err(error) => {
            helper.print_file_error();
            if !options.exit_code {
                return Err(error);
            }
            complain(&error);
            return Ok(Exit::Unknown);
        }
    };
    helper.print_file_error_unless_known(&document);
    show(&document, options.json)?;
    let ahead = helper.trouble_ahead(&document).map(|ahead| ahead.to_string());
    Ok(if options.exit_code { plugin::line(&document, ahead.as_deref()).0 } else { Exit::Success })
}

/// The document of the helper that runs now.
fn look(options: &Status) -> anyhow::Result<Document> {
    Helper::find(&options.helper).status()
}

/// One line for monitoring. Without a helper the status is unknown.
fn alert(helper: &Helper) -> anyhow::Result<Exit> {
    let (exit, line) = match helper.status() {
        Ok(document) => {
            let ahead = helper.trouble_ahead(&document).map(|ahead| ahead.to_string());
            plugin::line(&document, ahead.as_deref())
        }
        Err(error) => {
            let why = foreign(&format!("{error:#}")).replace('|', "/");
            (Exit::Unknown, format!("DNSHERALD {} - {why}", Exit::Unknown.plugin_word()))
        }
    };
    print(&(line + "\n"))?;
    Ok(exit)
}

fn show(document: &Document, json: bool) -> anyhow::Result<()> {
    if json {
        print(&text::json(serde_json::to_string(document)? + "\n"))?;
    } else {
        text::print_painted(&painted(document, Size::from_stdout().columns).to_string())?;
    }
    Ok(())
}

/// For people, in lines of `columns` characters, with the times of this host's zone, in color where the terminal has colors.
fn painted(document: &Document, columns: usize) -> Table<'_> {
    Table { document, view: View::new(document, columns, Zone::from_this_host()).colored(has_colors()) }
}
