//! `healthcheck`: in place of `exabgp healthcheck`, with its options, its lines and its hooks.

use std::ffi::OsString;
use std::fs;
use std::io::{self, IsTerminal, Write};
use std::process;
use std::time::Duration;

use anyhow::Context;
use log::LevelFilter;

use super::run::pause_before_exit;
use super::{host_name, runtime};
use crate::daemon::hooks::{Hook, Hooks};
use crate::daemon::last_words::PAUSE_BEFORE_EXIT;
use crate::daemon::{Daemon, Observer, Surroundings};
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::engine::service::State;
use crate::exit::Exit;
use crate::healthcheck::advertising::Advertised;
use crate::healthcheck::identity;
use crate::healthcheck::options::{Addresses, Options};
use crate::healthcheck::print::Printed;
use crate::healthcheck::syslog::{self, Syslog};
use crate::healthcheck::{self, Refusal, setup};
use crate::logging::{self, Way, aside};
use crate::probe::command::adopt_orphans;

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
    fs::write(file, format!("{}\n", process::id())).map_err(|error| {
        Refusal::of(format!("--pid: cannot write the process id to {}: {error}", file.display()), options)
    })
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
        write!(io::stdout(), "{}", Printed { options, advertised: &advertised })?;
        return Ok(Exit::Success);
    }
    for prefix in &advertised.repeated {
        log::warn!(
            "{prefix} is named more than once: it is announced once, with the metric of the last; expected once"
        );
    }
    let somebody = identity::look_up(&options.identity).map_err(anyhow::Error::msg)?;
    let added = if options.setup.at_start { addresses.add_missing() } else { Ok(()) };
    let ready = added.and_then(|()| somebody.map_or(Ok(()), |somebody| somebody.take_over()));
    if let Err(error) = ready {
        addresses.remove_added();
        anyhow::bail!(error);
    }
    let runtime = runtime().context("cannot start the event loop")?;
    let exit = runtime.block_on(serve(options, &advertised, addresses));
    // What hangs elsewhere must not hold up the end.
    runtime.shutdown_background();
    exit
}

/// What was given, or else what stands on the loopback interface.
fn advertised(options: &Options) -> anyhow::Result<(Advertised, setup::Addresses)> {
    match &options.addresses {
        Addresses::Given(given) => {
            Ok((given.advertised.clone(), setup::Addresses::given(given, &options.setup)))
        }
        Addresses::OfInterface(label) => {
            let found = setup::found(label.as_ref()).context("cannot read the addresses of this host")?;
            anyhow::ensure!(
                !found.is_empty(),
                "no address to advertise: none was given with --ip, and none but those of loopback is on lo"
            );
            let advertised = options.advertising.over(&found).map_err(anyhow::Error::msg)?;
            Ok((advertised, setup::Addresses::of_interface(&found, &options.setup)))
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
    let mut attendant = Attendant { options, addresses, hooks: Hooks::start() };
    let daemon = Daemon::new(&config, &mut surroundings, None, Memory::default(), Duration::ZERO);
    daemon.run(&mut attendant).await;
    if options.interval.is_none() {
        attendant.hooks.finish().await;
    } else if attendant.sets_up() {
        attendant.addresses.remove_added();
    }
    Ok(Exit::Success)
}

/// Does what goes along with a change of state.
struct Attendant<'a> {
    options: &'a Options,
    addresses: setup::Addresses,
    hooks: Hooks,
}

impl Attendant<'_> {
    const fn sets_up(&self) -> bool {
        self.options.setup.at_start || self.options.setup.dynamic
    }

    fn add_missing(&mut self) {
        if let Err(error) = self.addresses.add_missing() {
            log::error!("{error}");
        }
    }
}

impl Observer for Attendant<'_> {
    /// A predecessor that ends late takes away what it added: at each announcement we look again.
    fn after(&mut self, _at: Moment, actions: &[Action], engine: &Engine) {
        let announces = |action: &Action| matches!(action, Action::Print(line) if line.contains("announce "));
        let is_up = engine.services().iter().all(|service| service.state() == State::Up);
        if self.sets_up() && is_up && actions.iter().any(announces) {
            self.add_missing();
        }
    }

    /// The addresses are there before anything is announced; hooks of the very state run before those for any.
    fn enter(&mut self, service: &str, state: &str, reason: &str) {
        let options = &self.options.hooks;
        if state == "UP" && self.options.setup.dynamic {
            self.add_missing();
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
        if self.options.setup.dynamic && matches!(state, State::Down | State::Drained) {
            self.addresses.remove_added();
        }
    }
}
