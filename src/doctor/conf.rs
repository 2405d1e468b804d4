//! Checks of the configuration of dnsherald, of ExaBGP itself, and of the process that it starts.

use super::facts::{Facts, Known, known};
use super::finding::{Examined, Id};
use crate::exabgp::Dialect;
use crate::text::foreign;

pub(super) fn configuration(facts: &Facts) -> Known<Examined> {
    let mut examined = Examined::default();
    let path = facts.config_path.display();
    let denied = facts.access.as_ref().ok().filter(|access| !access.may_read_config);
    match &facts.config {
        Err(why) if facts.config_is_faulty => examined.find(
            Id::Configuration,
            why.clone(),
            format!(
                "`dnsherald check-config {path}` shows every error with its place; name another file with -c"
            ),
        ),
        Err(why) => examined.skip(why.clone()),
        Ok(_) if let Some(access) = denied => examined.find(
            Id::Configuration,
            format!("{path}: user `{}`, which runs the helper, cannot read it", access.user),
            "let that user read the file and enter the directories above it: `chmod a+r`, or `chgrp` and `chmod g+r`",
        ),
        Ok(config) if config.is_idle() => examined.find(
            Id::NothingEnabled,
            format!("{path}: no service is enabled, so that nothing is probed or announced"),
            "set `enabled = true` in the service, then `dnsherald reload`",
        ),
        Ok(_) => {}
    }
    Ok(examined)
}

pub(super) fn version(facts: &Facts) -> Known<Examined> {
    let mut examined = Examined::default();
    let version = foreign(known(&facts.version)?);
    let is_of = |prefixes: &[&str]| prefixes.iter().any(|prefix| version.starts_with(prefix));
    let fault = if is_of(&["3."]) {
        Some("acknowledges no command, so that a refused route is not detected")
    } else if is_of(&["4.0.", "4.1."]) {
        Some("acknowledges routes that it refuses")
    } else if version == "5.0.0" {
        Some("does not start from a source checkout")
    } else {
        None
    };
    if let Some(fault) = fault {
        examined.find(
            Id::ExaBgpVersion,
            format!("ExaBGP {version} {fault}"),
            "install ExaBGP 4.2.21 or later, but not 5.0.0",
        );
    }
    let Some(running) = facts.dialect() else {
        examined.skip(format!("the dialect of ExaBGP {version} is not known"));
        return Ok(examined);
    };
    // ExaBGP 6 can be told to understand the commands of 4.
    let is_changed = facts.settings.as_ref().is_ok_and(|settings| settings.has_api_version);
    let pinned = facts.config.as_ref().ok().and_then(|config| config.exabgp.dialect);
    let understands = match pinned {
        None => true,
        // Every ExaBGP but 6 understands it.
        Some(Dialect::Plain) => running != Dialect::Peer,
        Some(pinned) => pinned == running,
    };
    if let (Some(pinned), false, false) = (pinned, understands, is_changed) {
        examined.find(
            Id::Dialect,
            format!(
                "{} pins the commands of `api = {}` (`{}`), which ExaBGP {version} refuses; it wants `{}`",
                facts.settings_place(),
                pinned.api(),
                pinned.form(),
                running.form()
            ),
            "remove `api` from [exabgp]: dnsherald detects the version",
        );
    }
    Ok(examined)
}

pub(super) fn acks(facts: &Facts) -> Known<Examined> {
    let mut examined = Examined::default();
    if known(&facts.settings)?.ack == Some(false) {
        examined.find(
            Id::AcksOff,
            "ExaBGP answers no command (`ack` is off), so that a refused route is not detected",
            "set `ack = true` under [exabgp.api] in exabgp.env, remove exabgp_api_ack from the environment of ExaBGP, and \
             restart it",
        );
    }
    Ok(examined)
}

pub(super) fn process(facts: &Facts) -> Known<Examined> {
    let mut examined = Examined::default();
    for file in known(&facts.confs)? {
        match &file.conf {
            Err(why) => examined.skip(why.clone()),
            Ok(conf) => {
                for what in &conf.not_understood {
                    examined.skip(format!("{}: {what} is not understood", file.path.display()));
                }
            }
        }
    }
    let helpers = facts.helpers();
    let files: Vec<_> = facts.readable().map(|(path, _)| path.display().to_string()).collect();
    // A script may start dnsherald.
    for (path, conf) in facts.readable().filter(|_| helpers.is_empty()) {
        for process in &conf.processes {
            let (path, name) = (path.display(), foreign(&process.name));
            let program = process.run.first().map_or_else(String::new, |program| foreign(program));
            examined.skip(format!("{path}: process `{name}` runs {program}, which may start dnsherald"));
        }
    }
    if !helpers.iter().any(|helper| facts.runs(helper.process)) && examined.unknown.is_empty() {
        let with = facts.config_path.display();
        examined.find(
            Id::ProcessMissing,
            format!("no process in {} runs dnsherald with {with}", files.join(", ")),
            format!("process dnsherald {{ run /usr/bin/dnsherald run -c {with}; encoder text; }}"),
        );
    }
    for helper in helpers.iter().filter(|helper| !helper.process.has_encoder) {
        match facts.major() {
            Some(4 | 5) => examined.find(
                Id::EncoderMissing,
                format!("{helper} has no `encoder`, and ExaBGP refuses the file"),
                "add `encoder text;` to the process",
            ),
            Some(_) => {}
            None => examined.skip("the version of ExaBGP is not known, and only 4 and 5 need an `encoder`"),
        }
    }
    Ok(examined)
}

pub(super) fn respawn(facts: &Facts) -> Known<Examined> {
    const WHY: &str = "ExaBGP keeps announcing the routes of a helper that ended, and starts no other";
    let unknown = facts.any_helper().err().into_iter().collect();
    let mut examined = Examined { unknown, ..Examined::default() };
    match &facts.settings {
        Ok(settings) if settings.respawn == Some(false) => examined.find(
            Id::RespawnOff,
            format!("`respawn` is off under [exabgp.api]: {WHY}"),
            "set `respawn = true` under [exabgp.api] in exabgp.env, and restart ExaBGP",
        ),
        Ok(_) => {}
        Err(why) => examined.skip(why.clone()),
    }
    for helper in facts.helpers() {
        match helper.process.respawn.or(true) {
            Some(true) => {}
            Some(false) => examined.find(
                Id::RespawnOff,
                format!("{helper} has `respawn` off: {WHY}"),
                "remove `respawn` from the process, and restart ExaBGP",
            ),
            None => examined.skip(format!("{helper} has a `respawn` that is not understood")),
        }
    }
    Ok(examined)
}
