//! What the helper's user may use: its file, its own directories, and the control channels of the servers.

use std::path::{Path, PathBuf};

use nix::unistd::User;

use super::NO_CONFIGURATION;
use crate::backend::{Backend, Kind};
use crate::config::Config;
use crate::doctor::facts::{Access, Denied, Known};
use crate::sys::credentials::{Credentials, ENTER, READ, WRITE};

/// The user of the helper.
#[derive(Debug)]
pub(super) struct HelperUser {
    pub(super) user: User,
    /// Further groups of the unit, separated by blanks.
    pub(super) groups: String,
    /// The groups of the running ExaBGP: others count from its next start.
    pub(super) running: Option<Vec<u32>>,
}

/// Looks at everything that the user of the helper needs, with this configuration of this file.
pub(super) fn look(config: Result<&Config, &String>, file: &Path, user: Known<HelperUser>) -> Known<Access> {
    let config = config.map_err(|_| NO_CONFIGURATION.to_owned())?;
    let HelperUser { user, groups, running } = user?;
    // From the next start of ExaBGP on, and now.
    let next = Credentials::from_user(&user, &groups);
    let who = running.map_or_else(|| next.clone(), |gids| Credentials { gids, ..next.clone() });
    // `dnsherald healthcheck` has no file.
    let may_read_config = config.origin.is_none() || who.may(file, READ)?;
    let mut access = Access { user: user.name, may_read_config, denied: vec![] };
    // `dnsherald healthcheck` has neither sockets nor state.
    let directories = config.origin.as_ref().map(|_| [&config.control, &config.state]);
    for path in directories.into_iter().flatten() {
        // The helper makes a directory that is missing.
        let place = if path.exists() { path.as_path() } else { path.parent().unwrap_or(path) };
        if !who.may(place, WRITE | ENTER)? {
            let is_granted = next.may(place, WRITE | ENTER)?;
            access.denied.push(Denied { path: path.clone(), backend: None, group: None, is_granted });
        }
    }
    for backend in &config.backends {
        for (path, need) in channel(backend) {
            if !path.exists() {
                continue;
            }
            if !who.may(&path, need)? {
                let group = backend.facts().access.group.map(str::to_owned);
                let is_granted = next.may(&path, need)?;
                access.denied.push(Denied { path, backend: Some(backend.name.clone()), group, is_granted });
            }
            // The socket is used if there is one, and the keys otherwise.
            break;
        }
    }
    Ok(access)
}

/// The sockets and keys of the control channel, as Debian has them, the preferred one first.
fn channel(backend: &Backend) -> Vec<(PathBuf, u32)> {
    let of = |files: &[(&str, u32)]| files.iter().map(|(path, need)| (PathBuf::from(path), *need)).collect();
    match backend.kind {
        Kind::Unbound => of(&[("/run/unbound.ctl", WRITE), ("/etc/unbound/unbound_control.key", READ)]),
        Kind::Bind => of(&[("/etc/bind/rndc.key", READ)]),
        Kind::Nsd => of(&[("/run/nsd/nsd.ctl", WRITE), ("/etc/nsd/nsd_control.key", READ)]),
        Kind::Knot => of(&[("/run/knot/knot.sock", WRITE)]),
        Kind::KnotResolver => of(&[("/run/knot-resolver/control/1", WRITE)]),
        Kind::PowerDns => of(&[("/run/pdns/pdns.controlsocket", WRITE)]),
        Kind::PowerDnsRecursor => of(&[("/run/pdns-recursor/pdns_recursor.controlsocket", WRITE)]),
        // Its key is in the configuration.
        Kind::Dnsdist => backend.config_file.iter().map(|path| (path.clone(), READ)).collect(),
        Kind::Dnsmasq | Kind::Generic => vec![],
    }
}
