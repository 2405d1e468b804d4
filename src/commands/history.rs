//! `history`: the last transitions, drains, holds, reloads, starts and session changes.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Context;

use super::complain;
use super::helper::Helper;
use crate::cli::{HistoryOptions, Point};
use crate::config::salvage::Salvage;
use crate::control::Request;
use crate::control::client::{AskError, Client};
use crate::daemon::store::Store;
use crate::exit::Exit;
use crate::history::file::{beside, read};
use crate::history::{Entry, Log};
use crate::sys::files::create;
use crate::sys::local_time::Zone;
use crate::text::{self, foreign, joined, ordered, sentence};

/// Prints the history that the helper keeps; without a helper, that of the file.
///
/// # Errors
/// Returns an error if neither can be read.
pub(crate) fn run(options: &HistoryOptions) -> anyhow::Result<Exit> {
    let (since, until) = (options.since.map(|since| since.time), options.until.map(Point::end));
    if let (Some(from), Some(to)) = (since, until)
        && from >= to
    {
        let [from, to] = [from, to].map(|time| Zone::from_this_host().at(time));
        anyhow::bail!(
            "no time is since {from} and until {to}, expected an earlier --since or a later --until"
        );
    }
    let helper = Helper::find(&options.helper);
    helper.print_file_error();
    let client = helper.client()?;
    if let Some(file) = &options.dump {
        return dump(client, file);
    }
    let log = match client.ask(&Request::History) {
        Ok(lines) => Log::parse(&lines.join("\n")),
        Err(AskError::Absent(_)) if !client.is_there() => {
            let file = file(options, &helper);
            let what = if file.exists() { "this is the history in" } else { "there is no history yet in" };
            complain(&anyhow::anyhow!("note: no helper runs; {what} {}", file.display()));
            read(&file).with_context(|| format!("cannot read the history in {}", file.display()))?
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(name) = &options.service {
        refuse_unless_known(name, &helper, client, &log)?;
    }
    for remark in log.remarks(SystemTime::now()) {
        complain(&anyhow::anyhow!("note: history: {remark}"));
    }
    let mut out = text::stdout();
    let zone = Zone::from_this_host();
    for entry in log.select(options.service.as_deref(), since, until) {
        if options.json {
            write!(out, "{}", entry.line())?;
        } else {
            writeln!(out, "{}", shown(entry, &zone))?;
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// Refuses a name that is neither a service of the running helper or of the file, nor one that the history tells of: that
/// may be one of an earlier configuration.
fn refuse_unless_known(name: &str, helper: &Helper, client: &Client, log: &Log) -> anyhow::Result<()> {
    let running = client.status().map(|document| document.services).unwrap_or_default();
    let of_file = helper.file.iter().flat_map(|config| &config.services);
    let told = log.entries.iter().filter_map(|entry| entry.service.as_deref());
    let services = running.iter().map(|service| service.name.as_str());
    let known: BTreeSet<_> =
        ordered(services.chain(of_file.map(|service| service.name.as_str())).chain(told));
    if known.is_empty() || known.contains(name) {
        return Ok(());
    }
    anyhow::bail!(
        "no service `{}`, expected one of {}",
        foreign(name),
        joined(known.into_iter().map(foreign), ", ")
    )
}

/// Writes what the flight recorder holds to a new file. The trace contains the configuration, so only the owner may read it.
fn dump(client: &Client, path: &Path) -> anyhow::Result<Exit> {
    let trace = client.ask(&Request::Dump)?.concat();
    let cannot = || format!("cannot write the trace to {}, expected a new file", path.display());
    let mut file = create(path, 0o600).with_context(cannot)?;
    file.write_all(trace.as_bytes()).with_context(cannot)?;
    let shown = foreign(&path.display().to_string());
    writeln!(text::stdout(), "wrote {} lines to {shown}", trace.lines().count())?;
    Ok(Exit::Success)
}

/// The file of a helper that runs with this configuration and without `--state`.
fn file(options: &HistoryOptions, helper: &Helper) -> PathBuf {
    let path = &options.helper.configuration.config;
    let state = match &helper.file {
        Ok(config) => config.state.clone(),
        Err(_) => Salvage::from_file(path).state,
    };
    beside(Store::new(&state, path).file())
}

fn shown(entry: &Entry, zone: &Zone) -> String {
    let text = sentence(&entry.text);
    format!("{} {:<10} {text}", zone.at(entry.at.system()), entry.kind)
}
