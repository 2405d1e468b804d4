//! `healthcheck`: replaces `exabgp healthcheck`, with its options, commands and hooks.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
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
use crate::daemon::deadman::PAUSE_BEFORE_EXIT;
use crate::daemon::hooks::{Hook, Hooks};
use crate::daemon::{Daemon, LoopIo, Observer, Supervisor};
use crate::engine::Engine;
use crate::engine::action::Action;
use crate::engine::event::Event;
use crate::engine::memory::Memory;
use crate::engine::moment::Moment;
use crate::engine::service::ServiceState;
use crate::exit::Exit;
use crate::healthcheck::advertising::Advertised;
use crate::healthcheck::identity;
use crate::healthcheck::options::{Addresses, Options};
use crate::healthcheck::print::Printed;
use crate::healthcheck::setup::worker::AddressWorker;
use crate::healthcheck::{self, Refusal, setup};
use crate::logging::syslog::{self, Syslog};
use crate::logging::{self, Way, aside};
use crate::outcome::Outcome;
use crate::program::adopt_orphans;
use crate::sys::resources::{raise_descriptor_limit, runtime_with_workers};
use crate::sys::signals::STOPS;
use crate::text;

/// How long the loop waits for addresses that are about to be announced; less than the limit of the dead-man.
const ADD_LIMIT: Duration = Duration::from_secs(2);

/// How long the exit waits for the removal of addresses: a stopped process must exit within half a second.
const REMOVE_LIMIT: Duration = Duration::from_millis(300);

/// Parses the arguments of `healthcheck` and runs until ExaBGP exits or a signal arrives.
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
    let exit = run_options(&options).unwrap_or_else(|error| {
        log::error!("{error:#}");
        if options.wait {
            pause_before_exit();
        }
        Exit::Failure
    });
    aside::flush();
    exit
}

/// Prints the refusal. Delays an error exit, because ExaBGP stops restarting a helper that dies six times within 64
/// seconds.
fn refuse(refusal: &Refusal) -> Exit {
    refusal.print();
    let exit = refusal.exit();
    if refusal.wait && exit != Exit::Success {
        pause_before_exit();
    }
    exit
}

/// Writes the process ID. Overwrites an existing file, because two helpers overlap when ExaBGP reloads.
fn write_process_id(options: &Options) -> Result<(), Refusal> {
    let Some(file) = options.pid_file.as_ref().filter(|_| !options.print_config) else { return Ok(()) };
    write_for_root(file, &format!("{}\n", process::id())).map_err(|error| {
        Refusal::new(format!("--pid: cannot write the process id to {}: {error}", file.display()), options)
    })
}

/// Writes a file. For root, refuses a path that is itself a symlink, and a regular file with several names: the directory
/// may belong to ExaBGP's user. A device, or a pipe with a reader, is written as it is.
fn write_for_root(path: &Path, text: &str) -> io::Result<()> {
    if !is_root() {
        return fs::write(path, text);
    }
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    let mut file = options.open(path).map_err(|error| match error.raw_os_error() {
        Some(ELOOP) => io::Error::other("it is a symlink, expected a regular file"),
        _ => error,
    })?;
    let found = file.metadata()?;
    if found.is_file() {
        if found.nlink() != 1 {
            return Err(io::Error::other("it has several hard links, expected a file with one name"));
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
    let syslog = options.log.syslog.and_then(|facility| Syslog::open(syslog::SOCKET, facility, ident()).ok());
    logging::start_with(level, Way::Aside, options.log.console, syslog);
}

fn run_options(options: &Options) -> anyhow::Result<Exit> {
    let (advertised, mut addresses) = advertised(options)?;
    if options.print_config {
        write!(text::stdout(), "{}", Printed { options, advertised: &advertised })?;
        return Ok(Exit::Success);
    }
    for prefix in &advertised.repeated {
        log::warn!(
            "{prefix} occurs more than once: it is announced once, with the metric of the last; expected each prefix once"
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
    // A task that hangs must not delay the exit.
    runtime.shutdown_background();
    exit
}

/// The addresses of `--ip`, else those of the loopback interface.
fn advertised(options: &Options) -> anyhow::Result<(Advertised, setup::Addresses)> {
    match &options.addresses {
        Addresses::Given(given) => {
            Ok((given.advertised.clone(), setup::Addresses::from_given(given, &options.setup)))
        }
        Addresses::OfInterface(label) => {
            let found = setup::found(label.as_ref()).context("cannot read the addresses of this host")?;
            if found.is_empty() {
                let wanted = match label {
                    None => "lo has only loopback addresses".to_owned(),
                    Some(label) if label.exact => format!("no address of lo has the label lo:{}", label.text),
                    Some(label) => format!("no address of lo has a label that starts with lo:{}", label.text),
                };
                anyhow::bail!(
                    "no address to advertise: --ip is not given, and {wanted}; expected --ip, or addresses on lo"
                );
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
        log::warn!("cannot adopt orphaned processes of checks: {error}");
    }
    let pause = if io::stdout().is_terminal() || !options.wait { Duration::ZERO } else { PAUSE_BEFORE_EXIT };
    let mut io = LoopIo::from_process(pause)?;
    let mut config = options.configuration(advertised, &host_name());
    if is_file_or_device(&io::stdin()) {
        log::warn!(
            "standard input is a file or a device such as /dev/null, not a pipe from ExaBGP: expecting no replies, as with \
             --no-ack; to have refused commands reported, let ExaBGP start this program itself"
        );
        io.ignore_input();
        config.compat.await_replies = false;
    }
    let stops = Arc::new(AtomicBool::new(false));
    for signal in STOPS {
        flag::register(signal, Arc::clone(&stops)).context("cannot catch signals")?;
    }
    let sets_up = options.setup.at_start || options.setup.dynamic;
    let addresses = sets_up.then(|| AddressWorker::start(addresses)).transpose();
    let addresses = addresses.context("cannot start a thread for addresses")?;
    let mut observer =
        HealthcheckObserver { options, addresses, hooks: Hooks::start(), stops, is_interrupted: false };
    let daemon = Daemon::new(&config, &mut io, None, Memory::default(), Duration::ZERO);
    daemon.run(&mut observer).await;
    // With `--interval 0` a decision that was sent keeps its addresses, and its hooks run to their end.
    if options.interval.is_none() && !observer.is_interrupted {
        tokio::select! {
            () = observer.hooks.finish() => {}
            () = io.signals.received() => log::warn!("stopped by a signal before the last hook finished"),
        }
    } else if let Some(addresses) = observer.addresses
        && !addresses.remove_within(REMOVE_LIMIT)
    {
        log::warn!("exiting while `ip` is slow: added addresses may remain");
    }
    Ok(Exit::Success)
}

/// Sets up addresses and runs hooks when the state changes.
struct HealthcheckObserver<'a> {
    options: &'a Options,
    /// `None` if no addresses are set up.
    addresses: Option<AddressWorker>,
    hooks: Hooks,
    /// Set by a signal that stops the helper.
    stops: Arc<AtomicBool>,
    /// A signal or the end of ExaBGP ended the loop.
    is_interrupted: bool,
}

/// Whether this is a regular file or a device without a terminal. Its end says nothing about ExaBGP, which gives pipes.
fn is_file_or_device(stream: &(impl AsFd + IsTerminal)) -> bool {
    let file = stream.as_fd().try_clone_to_owned().map(File::from);
    let kind = file.and_then(|file| file.metadata()).map(|metadata| metadata.file_type());
    !stream.is_terminal() && kind.is_ok_and(|kind| kind.is_file() || kind.is_char_device())
}

impl HealthcheckObserver<'_> {
    /// The addresses that follow the state.
    fn dynamic(&self) -> Option<&AddressWorker> {
        self.addresses.as_ref().filter(|_| self.options.setup.dynamic)
    }
}

impl Supervisor for HealthcheckObserver<'_> {}

impl Observer for HealthcheckObserver<'_> {
    fn before_event(&mut self, _at: Moment, event: &Event) {
        match event {
            Event::Received(line) => log::debug!("received from ExaBGP: {line}"),
            Event::Outcome(_, Outcome::Pass { latency, .. }) => {
                log::debug!("the check passed within {} ms", latency.as_millis());
            }
            Event::Outcome(_, Outcome::Fail(failure)) => log::debug!("the check failed: {failure}"),
            Event::Terminate | Event::ParentGone => self.is_interrupted = true,
            _ => {}
        }
    }

    /// Adds missing addresses with each check and announcement, because a previous process that ends late removes its
    /// own.
    fn after_actions(&mut self, _at: Moment, actions: &[Action], engine: &Engine) {
        for action in actions {
            if let Action::Print(line) = action {
                log::debug!("sent to ExaBGP: {line}");
            }
        }
        let looks = |action: &Action| match action {
            Action::Probe(_) => true,
            Action::Print(line) => line.contains("announce "),
            _ => false,
        };
        let is_up = engine.services().iter().all(|service| service.state() == ServiceState::Up);
        if let Some(addresses) = &self.addresses
            && is_up
            && actions.iter().any(looks)
        {
            addresses.add();
        }
    }

    /// Adds addresses before they are announced, unless that takes too long. Hooks of the state run before those of any
    /// state.
    fn on_state(&mut self, service: &str, state: &str, reason: &str) {
        let options = &self.options.hooks;
        if state == "UP"
            && let Some(addresses) = self.dynamic()
            && !addresses.add_within(ADD_LIMIT, &self.stops)
        {
            log::warn!("`ip` takes long to add addresses: announcing them before they are present");
        }
        let own: &[String] = match state {
            "UP" => &options.up_execute,
            "DOWN" => &options.down_execute,
            "DISABLED" => &options.disabled_execute,
            _ => &[],
        };
        for text in own.iter().chain(&options.execute) {
            self.hooks.run(Hook {
                text: text.clone(),
                state: state.to_owned(),
                service: service.to_owned(),
                reason: reason.to_owned(),
            });
        }
    }

    /// Removes addresses only after ExaBGP has got the withdraw, so that no traffic is lost.
    fn on_settled(&mut self, _service: &str, state: ServiceState) {
        if let Some(addresses) = self.dynamic()
            && matches!(state, ServiceState::Down | ServiceState::Drained)
        {
            addresses.remove();
        }
    }
}
