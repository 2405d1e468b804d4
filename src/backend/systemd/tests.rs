use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::*;

#[test]
fn a_unit_is_read_in_any_order() {
    let text = "MainPID=812\nSubState=running\nNRestarts=2\nControlGroup=/system.slice/unbound.service\n\
                LoadState=loaded\nActiveState=active\nResult=success\nCanReload=yes\n\
                InvocationID=5bb0e52e60dc4dd4a8c0e9d0a54b1a4f\nStateChangeTimestamp=Mon 2026-11-23 17:39:12 UTC\n";
    let unit = Unit::parse(text);
    assert_eq!(unit.words(), "active (running)");
    assert_eq!((unit.main_pid, unit.n_restarts, unit.can_reload), (Some(812), 2, true));
    assert_eq!(unit.control_group, "/system.slice/unbound.service");
    assert_eq!(unit.since, "Mon 2026-11-23 17:39:12 UTC");
    assert!(unit.is_active() && !unit.is_down());
}

#[test]
fn a_unit_may_be_missing_masked_or_failed() {
    let words = |text| Unit::parse(text).words();
    assert_eq!(words("LoadState=not-found\nActiveState=inactive\nMainPID=0"), "not found");
    assert_eq!(words("LoadState=masked\nActiveState=inactive"), "masked");
    assert_eq!(
        words("LoadState=loaded\nActiveState=failed\nResult=start-limit-hit"),
        "failed (start-limit-hit)"
    );
    assert_eq!(Unit::parse("MainPID=0").main_pid, None);
    assert_eq!(Unit::parse("garbage\n=\nMainPID=x\n"), Unit::default());
}

#[test]
fn every_complaint_has_its_remedy() {
    let complaint = |err: &str, code: i32| {
        let end = End::Exited(ExitStatus::from_raw(code << 8));
        let ended = Ended { end, out: String::new(), err: err.to_owned(), took: Duration::ZERO };
        refused("unbound.service", "restarted", &ended)
    };
    let denied = complaint("Failed to restart unbound.service: Interactive authentication required.\n", 1);
    assert_eq!(denied.why, "unit unbound.service cannot be restarted: not permitted");
    assert!(denied.untouched, "what is not permitted does no harm");
    let remedy = denied.remedy.unwrap();
    assert!(remedy.contains("action.lookup(\"unit\") == \"unbound.service\""), "{remedy}");
    assert!(remedy.contains("[\"reset-failed\", \"restart\"].indexOf"), "{remedy}");

    let masked = complaint("Failed to restart unbound.service: Unit unbound.service is masked.\n", 1);
    assert!(masked.why.ends_with("it is masked") && masked.remedy.unwrap().contains("unmask"));
    let missing = complaint("Failed to restart unbound.service: Unit unbound.service not found.\n", 5);
    assert!(missing.why.ends_with("there is no such unit") && missing.remedy.unwrap().contains("`unit`"));
    let failed =
        complaint("Job for unbound.service failed because the control process exited with error code.", 1);
    assert!(failed.why.contains("exited with status 1: Job for"), "{failed}");
    assert!(!failed.untouched, "it was stopped, and perhaps never came up");
    assert!(failed.remedy.unwrap().contains("journalctl -u unbound.service"));
}
