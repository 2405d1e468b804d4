use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::*;

#[test]
fn every_complaint_has_its_remedy() {
    let complaint = |err: &str, code: i32| {
        let end = End::Exited(ExitStatus::from_raw(code << 8));
        let ended = Ended { end, out: String::new(), err: err.to_owned() };
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
