//! What is done to the server, and how it is looked at before and after.

use std::time::Instant;

use super::before::{Before, Compared, listening};
use super::command::Heed;
use super::drained::{COUNT, PAUSE};
use super::patience::Patience;
use super::{Deed, Journal, Kept, Transaction};
use crate::backend::answers::identity;
use crate::backend::served::{self, Served};
use crate::backend::{Checked, Trouble};
use crate::period::Shown;
use crate::process::Missing;
use crate::process::handle::ProcessHandle;

impl Transaction<'_> {
    pub(super) async fn check(&self) -> Result<String, Trouble> {
        if self.config.services_of(self.backend).next().is_none() {
            return Err(Trouble::with(
                format!("no service has the backend {}, so that nothing would be drained", self.backend.name),
                format!("write `backend = \"{}\"` into its [[service]]", self.backend.name),
            ));
        }
        self.helper.look().await.map_err(|error| {
            Trouble::with(format!("{error:#}"), "without a helper nothing is announced: use systemctl")
        })?;
        if self.deed == Deed::Restart || self.rollback {
            self.backend.can_restart()?;
        }
        if self.rollback {
            Kept::of(self.config, self.backend).is_ready()?;
        }
        Ok(match self.backend.check().await? {
            Checked::Valid => "in order".to_owned(),
            Checked::Unchecked => "nothing can check it".to_owned(),
        })
    }

    pub(super) async fn act(&self, journal: &mut Journal<'_>, heed: &Heed) -> Result<String, Trouble> {
        match &self.deed {
            Deed::Restart => self.backend.restart().await.map(|()| "restarted".to_owned()),
            Deed::Reload => self.backend.reload().await.map(|done| done.join("; ")),
            Deed::Command(program, limit) => self.run_command(program, *limit, journal, heed).await,
        }
    }

    pub(super) async fn process_is_there(
        &self,
        before: &Before,
        patience: Patience,
    ) -> Result<String, Trouble> {
        loop {
            let found = self.backend.process().await;
            let why = match &found {
                Some(Ok(process)) => match before.stands_beside(process, self.deed == Deed::Restart) {
                    None => return Ok(process.to_string()),
                    Some(why) => why,
                },
                Some(Err(Missing::Surely(why))) => why.clone(),
                // What cannot be known is not waited for: the checks decide. That the earlier one is there is known.
                Some(Err(Missing::Perhaps(_))) | None => {
                    let is_left =
                        |earlier: &&ProcessHandle| self.deed == Deed::Restart && !earlier.has_exited();
                    match (before.processes.iter().find(is_left), found) {
                        (Some(earlier), _) => format!("{earlier}, from before the restart, has not ended"),
                        (None, Some(Err(missing))) => return Ok(format!("not known: {}", missing.why())),
                        (None, _) => return Ok("not known: neither unit nor pid-file is".to_owned()),
                    }
                }
            };
            if patience.is_at_its_end() {
                return Err(Trouble::new(format!(
                    "no process that has taken the place of the earlier one within {}: {why}",
                    Shown(patience.limit)
                )));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) async fn listens(&self, before: &Before, patience: Patience) -> Result<String, Trouble> {
        loop {
            let found = Compared::new(&before.listeners, &listening(self.config, self.backend));
            let process = match found.more.is_empty() {
                true => None,
                false => self.backend.process().await.and_then(Result::ok),
            };
            let why = match found.judged(process.as_ref()) {
                Ok(said) => return Ok(said),
                Err(why) => why,
            };
            if patience.is_at_its_end() {
                return Err(Trouble::new(format!("not as before within {}: {why}", Shown(patience.limit))));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    pub(super) async fn zones_are_served(
        &self,
        before: &Before,
        patience: Patience,
    ) -> Result<String, Trouble> {
        let targets = self.config.targets_of(self.backend);
        loop {
            let now = before.zones.again(&targets, self.backend.timeout).await;
            let Some((earlier, zone)) = now.worse_than(&before.zones).first().copied() else {
                return Ok(self.changes(before, &now).await);
            };
            if patience.is_at_its_end() {
                return Err(Trouble::new(served::compared(earlier, zone)));
            }
            tokio::time::sleep(COUNT).await;
        }
    }

    /// What a person would like to know of the server that is there now.
    async fn changes(&self, before: &Before, zones: &Served) -> String {
        let (version, identity) = tokio::join!(self.backend.version(), self.identity_after(before));
        let mut found = vec![compared(&before.zones, zones)];
        for (what, then, now) in
            [("version", &before.version, version.ok()), ("identity", &before.identity, identity)]
        {
            match (then, now) {
                (Some(then), Some(now)) if *then != now => found.push(format!("{what} {then}, now {now}")),
                (None, Some(now)) => found.push(format!("{what} {now}")),
                (Some(then), None) => found.push(format!("{what} {then}, now none")),
                _ => {}
            }
        }
        found.join("; ")
    }

    /// Who it says it is. Waited for where it said so before, but not for ever: it may have been told to hide that.
    async fn identity_after(&self, before: &Before) -> Option<String> {
        let targets = self.config.targets_of(self.backend);
        let began = Instant::now();
        loop {
            let now = identity(&targets, self.backend.timeout).await;
            let is_missed = now.is_none() && before.identity.is_some();
            if !is_missed || began.elapsed() >= self.backend.timeout {
                return now;
            }
            tokio::time::sleep(COUNT).await;
        }
    }
}

/// What it means that no zone is worse than before: nothing, where none was served then.
fn compared(before: &Served, now: &Served) -> String {
    let compared = before.all().filter(|zone| zone.serial.is_some()).count();
    match (compared, now.all().count().saturating_sub(compared)) {
        (0, 0) => "none to look at".to_owned(),
        (0, all) => format!("{all} not compared: none was served before"),
        (all, 0) => format!("{all} served, none older"),
        (some, rest) => format!("{some} served, none older; {rest} not compared: not served before"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::answers::Zone;

    #[test]
    fn only_what_was_served_is_said_to_be_compared() {
        let zone = |serial| Zone {
            zone: "example.org.".to_owned(),
            server: "127.0.0.1:53".parse().unwrap(),
            is_service: false,
            serial,
            trouble: None,
            cause: None,
        };
        let (there, missing) = (zone(Some(1)), zone(None));
        let served = |zones: &[Zone]| Served { configured: zones.to_vec(), listed: vec![] };
        let found = |before: &[Zone], now: &[Zone]| compared(&served(before), &served(now));
        assert_eq!(found(&[], &[]), "none to look at");
        let two = [there.clone(), there.clone()];
        assert_eq!(found(&[], &two), "2 not compared: none was served before");
        assert_eq!(
            found(&[missing.clone(), missing.clone()], &two),
            "2 not compared: none was served before"
        );
        assert_eq!(found(&two, &two), "2 served, none older");
        assert_eq!(found(&[there, missing], &two), "1 served, none older; 1 not compared: not served before");
    }
}
