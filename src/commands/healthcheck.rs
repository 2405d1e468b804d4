//! `healthcheck`: in place of `exabgp healthcheck`, with its options, its lines and its hooks.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use log::LevelFilter;
use nix::libc::{ELOOP, O_NOFOLLOW, O_NONBLOCK};
use signal_hook::flag;

use super::host_name;
use super::run::pause_before_exit;
use crate::backend::privilege::is_root;
use crate::daemon::hooks::{Hook, Hooks};
use crate::daemon::last_words::PAUSE_BEFORE_EXIT;
use crate::daemon::{Daemon, Observer, Surroundings};
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::Event;
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::engine::service::State;
use crate::exit::Exit;
use crate::healthcheck::advertising::Advertised;
use crate::healthcheck::identity;
use crate::healthcheck::options::{Addresses, Options};
use crate::healthcheck::print::Printed;
use crate::healthcheck::setup::worker::AddressWorker;
use crate::healthcheck::syslog::{self, Syslog};
use crate::healthcheck::{self, Refusal, setup};
use crate::logging::{self, Way, aside};
use crate::outcome::Outcome;
use crate::program::adopt_orphans;
use crate::sys::resources::{raise_descriptor_limit, runtime_with_workers};
use crate::sys::signals::STOPS;
use crate::text;

/// How long the loop may stand still until addresses are there that are about to be announced: less than the dead-man
/// waits.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the end waits for addresses to be removed: whoever is told to stop is to be gone within half a second.
const LAST_PATIENCE: Duration = Duration::from_millis(300);

/// Understands the words behind `healthcheck` and does what they say, until ExaBGP is gone or a signal says so.
#[must_use]
pub fn run(words: impl Iterator<Item = OsString>) -> Exit {
    let options = match healthcheck::parse(words) {
        Ok(options) => options,
        Err(refusal) => return refuse(&refusal),
    };
    if let Err(refusal) = write_process_id(&options) {
        return refuse(&refusal);
    }
    start_logging(&options);
    let exit = obey(&options).unwrap_or_else(|error| {
        log::error!("{error:#}");
        if options.wait {
            pause_before_exit();
        }
        Exit::Failure
    });
    aside::flush();
    exit
}

/// ExaBGP gives up on a helper that dies six times within 64 seconds, so that even an error is not in a hurry.
fn refuse(refusal: &Refusal) -> Exit {
    refusal.print();
    let exit = refusal.exit();
    if refusal.wait && exit != Exit::Success {
        pause_before_exit();
    }
    exit
}

/// Whoever was there before is overwritten: where ExaBGP is reloaded, two helpers overlap.
fn write_process_id(options: &Options) -> Result<(), Refusal> {
    let Some(file) = options.pid_file.as_ref().filter(|_| !options.print_config) else { return Ok(()) };
    write_for_root(file, &format!("{}\n", process::id())).map_err(|error| {
        Refusal::new(format!("--pid: cannot write the process id to {}: {error}", file.display()), options)
    })
}

/// Root writes to a plain file that has no other name, and to none that a link leads to: the directory may be that of
/// ExaBGP's user.
fn write_for_root(path: &Path, text: &str) -> io::Result<()> {
    if !is_root() {
        return fs::write(path, text);
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    let mut file = options.open(path).map_err(|error| match error.raw_os_error() {
        Some(ELOOP) => io::Error::other("it is a link, which root does not follow, expected a file"),
        _ => error,
    })?;
    let found = file.metadata()?;
    if found.is_file() {
        if found.nlink() != 1 {
            return Err(io::Error::other("it has several names (hard links), expected a file with one"));
        }
        file.set_len(0)?;
    }
    file.write_all(text.as_bytes())
}

fn start_logging(options: &Options) {
    let level = match (options.log.console || options.log.syslog.is_some(), options.log.debug) {
        (false, _) => LevelFilter::Off,
        (true, false) => LevelFilter::Info,
        (true, true) => LevelFilter::Debug,
    };
    let ident = || syslog::ident(options.name.as_deref());
    let syslog = options.log.syslog.and_then(|facility| Syslog::open(facility, ident()).ok());
    logging::start_with(level, Way::Aside, options.log.console, syslog);
}

fn obey(options: &Options) -> anyhow::Result<Exit> {
    let (advertised, mut addresses) = advertised(options)?;
    if options.print_config {
        write!(text::stdout(), "{}", Printed { options, advertised: &advertised })?;
        return Ok(Exit::Success);
    }
    for prefix in &advertised.repeated {
        log::warn!(
            "{prefix} is named more than once: it is announced once, with the metric of the last; expected once"
        );
    }
    let identity = identity::look_up(&options.identity).map_err(anyhow::Error::msg)?;
    let added = if options.setup.at_start { addresses.add_missing() } else { Ok(()) };
    let ready = added.and_then(|()| identity.map_or(Ok(()), |identity| identity.assume()));
    if let Err(error) = ready {
        addresses.remove_added();
        anyhow::bail!(error);
    }
    raise_descriptor_limit();
    let runtime = runtime_with_workers().context("cannot start the event loop")?;
    let exit = runtime.block_on(serve(options, &advertised, addresses));
    // What hangs elsewhere must not hold up the end.
    runtime.shutdown_background();
    exit
}

/// What was given, or else what stands on the loopback interface.
fn advertised(options: &Options) -> anyhow::Result<(Advertised, setup::Addresses)> {
    match &options.addresses {
        Addresses::Given(given) => {
            Ok((given.advertised.clone(), setup::Addresses::from_given(given, &options.setup)))
        }
        Addresses::OfInterface(label) => {
            let found = setup::found(label.as_ref()).context("cannot read the addresses of this host")?;
            if found.is_empty() {
                let wanted = match label {
                    None => "none but those of loopback is on lo".to_owned(),
                    Some(label) if label.exact => format!("none on lo has the label lo:{}", label.text),
                    Some(label) => format!("none on lo has a label that starts with lo:{}", label.text),
                };
                anyhow::bail!("no address to advertise: none was given with --ip, and {wanted}");
            }
            let advertised = options.advertising.advertise(&found).map_err(anyhow::Error::msg)?;
            Ok((advertised, setup::Addresses::from_interface(&found, &options.setup)))
        }
    }
}

async fn serve(
    options: &Options,
    advertised: &Advertised,
    addresses: setup::Addresses,
) -> anyhow::Result<Exit> {
    if let Err(error) = adopt_orphans() {
        log::warn!("cannot adopt what checks leave behind: {error}");
    }
    let pause = if io::stdout().is_terminal() || !options.wait { Duration::ZERO } else { PAUSE_BEFORE_EXIT };
    let mut surroundings = Surroundings::of_this_process(pause)?;
    let config = options.configuration(advertised, &host_name());
    let stops = Arc::new(AtomicBool::new(false));
    for signal in STOPS {
        flag::register(signal, Arc::clone(&stops)).context("cannot catch signals")?;
    }
    let sets_up = options.setup.at_start || options.setup.dynamic;
    let addresses = sets_up.then(|| AddressWorker::start(addresses)).transpose();
    let addresses = addresses.context("cannot start a thread for addresses")?;
    let mut attendant = Attendant { options, addresses, hooks: Hooks::start(), stops };
    let daemon = Daemon::new(&config, &mut surroundings, None, Memory::default(), Duration::ZERO);
    daemon.run(&mut attendant).await;
    if options.interval.is_none() {
        tokio::select! {
            () = attendant.hooks.finish() => {}
            () = surroundings.signals.terminate() => log::warn!("told to stop before the last hook was done"),
        }
    } else if let Some(addresses) = attendant.addresses
        && !addresses.remove_within(LAST_PATIENCE)
    {
        log::warn!("told to stop, and `ip` takes long: addresses that were added may be left");
    }
    Ok(Exit::Success)
}

/// Does what goes along with a change of state.
struct Attendant<'a> {
    options: &'a Options,
    /// `None` where none are set up.
    addresses: Option<AddressWorker>,
    hooks: Hooks,
    /// Set by SIGTERM and its like.
    stops: Arc<AtomicBool>,
}

impl Attendant<'_> {
    /// Those that come and go with the state.
    fn dynamic(&self) -> Option<&AddressWorker> {
        self.addresses.as_ref().filter(|_| self.options.setup.dynamic)
    }
}

impl Observer for Attendant<'_> {
    fn before(&mut self, _at: Moment, event: &Event) {
        match event {
            Event::Heard(line) => log::debug!("exabgp says: {line}"),
            Event::Outcome(_, Outcome::Pass { latency }) => {
                log::debug!("the check has passed within {} ms", latency.as_millis());
            }
            Event::Outcome(_, Outcome::Fail(failure)) => log::debug!("the check has failed: {failure}"),
            _ => {}
        }
    }

    /// A predecessor that ends late takes away what it added: with each check, and at each announcement, we look again.
    fn after(&mut self, _at: Moment, actions: &[Action], engine: &Engine) {
        for action in actions {
            if let Action::Print(line) = action {
                log::debug!("told exabgp: {line}");
            }
        }
        let looks = |action: &Action| match action {
            Action::Probe(_) => true,
            Action::Print(line) => line.contains("announce "),
            _ => false,
        };
        let is_up = engine.services().iter().all(|service| service.state() == State::Up);
        if let Some(addresses) = &self.addresses
            && is_up
            && actions.iter().any(looks)
        {
            addresses.add();
        }
    }

    /// The addresses are there before anything is announced, unless that takes too long; hooks of the very state run
    /// before those for any.
    fn enter(&mut self, service: &str, state: &str, reason: &str) {
        let options = &self.options.hooks;
        if state == "UP"
            && let Some(addresses) = self.dynamic()
            && !addresses.add_within(PATIENCE, &self.stops)
        {
            log::warn!("`ip` takes long to add addresses: announcing them meanwhile");
        }
        let own: &[String] = match state {
            "UP" => &options.up,
            "DOWN" => &options.down,
            "DISABLED" => &options.disabled,
            _ => &[],
        };
        for text in own.iter().chain(&options.any) {
            self.hooks.run(Hook {
                text: text.clone(),
                state: state.to_owned(),
                service: service.to_owned(),
                reason: reason.to_owned(),
            });
        }
    }

    /// Not before ExaBGP has acknowledged it are the addresses taken away from under the traffic.
    fn settled(&mut self, _service: &str, state: State) {
        if let Some(addresses) = self.dynamic()
            && matches!(state, State::Down | State::Drained)
        {
            addresses.remove();
        }
    }
}
