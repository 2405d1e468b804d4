//! The configuration that `backend restart` saves for a rollback: one that the server has started with.

use nix::unistd::geteuid;

use super::*;

impl Site {
    /// Whether this is the content of the saved main file.
    pub(super) fn has_saved(&self, text: &str) -> bool {
        let place = if geteuid().is_root() { "state-rollback" } else { "state/rollback" };
        let saved = fs::read_to_string(self.pop.file(place).join("srv/snapshot.json")).unwrap();
        saved.contains(&serde_json::to_string(text.as_bytes()).unwrap())
    }

    #[track_caller]
    fn runs_well(&mut self, options: &[&str]) {
        let output = self.run(options);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        self.helper.says(WITHDRAW);
        self.helper.says(ANNOUNCE);
    }
}

/// The server may use no part of it that needs a restart, such as an address.
#[test]
fn a_reload_and_a_command_that_leave_the_server_save_nothing() {
    let mut site = Site::with_a_snapshot();
    assert!(site.has_saved("good"));
    fs::write(site.pop.file("etc/srv.conf"), "edited").unwrap();
    let text = fs::read_to_string(site.pop.configuration_file()).unwrap();
    site.pop.is_configured(&text.replace("reload = [\"false\"]", "reload = [\"true\"]"));
    site.runs_well(&["--reload"]);
    assert!(site.has_saved("good"));
    site.runs_well(&["--command", "true"]);
    assert!(site.has_saved("good"));
}

#[test]
fn a_command_that_replaces_the_server_saves_what_it_has_configured() {
    let mut site = Site::with_a_snapshot();
    let folder = site.pop.file("");
    let upgrade = format!("cd {}\n{FUNCTIONS}echo upgraded > etc/srv.conf; stops; starts", folder.display());
    site.runs_well(&["--command", &upgrade]);
    assert!(site.has_saved("upgraded\n"));
}

/// The server may have read the file before the edit.
#[test]
fn an_edit_during_a_restart_is_not_saved() {
    let mut site = Site::new("stops; starts; echo edited > etc/srv.conf");
    site.runs_well(&[]);
    assert!(site.has_saved("good"));
}
