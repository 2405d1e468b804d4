//! The origin of a drain or hold: the command names the holder, the kernel reports the user ID.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use dnsherald::control::client::Client;
use dnsherald::control::{Request, control_socket};
use dnsherald::engine::drain::{Lasts, Order};
use nix::unistd::{geteuid, getuid};

use crate::support::helper::{ANNOUNCE, Pop, WITHDRAW, ideal};
use crate::support::{binary, lacks};

#[test]
fn a_drain_shows_the_user_id_in_log_status_and_state() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let uid = getuid().as_raw();
    pop.told(&["drain", "--as", "alice", "--reason", "new disk"]);
    helper.logs(&format!("resolver: drained by alice (uid {uid}) until `undrain`: new disk"));
    helper.says(WITHDRAW);
    assert_eq!(pop.status().services[0].drains[0].uid, Some(uid));
    let table = pop.told(&["status"]);
    assert!(table.contains(&format!("by alice (uid {uid}) since")), "{table}");
    pop.remembers(&format!("\"uid\": {uid}"));
    helper.dies_suddenly();
    let mut successor = pop.helper(ideal("5.0.15"));
    successor.opens();
    successor.says(WITHDRAW);
    let json: serde_json::Value = serde_json::from_str(&pop.told(&["status", "--json"])).unwrap();
    assert_eq!(json["services"][0]["drains"][0]["uid"], uid);
    pop.told(&["undrain", "--as", "alice"]);
    successor.logs(&format!("uid {uid} asks: undrain all services as alice"));
    successor.says(ANNOUNCE);
    for command in ["undrain", "unhold", "undampen"] {
        pop.told(&[command, "--quiet-if-none"]);
        successor.logs(&format!("uid {uid} asked: {command} all services: there was nothing to do"));
    }
}

#[test]
fn the_log_shows_a_refused_request() {
    let pop = Pop::new();
    let helper = pop.settled();
    let uid = getuid().as_raw();
    for command in ["drain", "undrain"] {
        let output = pop.command(&[command, "mail", "--as", "alice"]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        helper.logs(&format!(
            "uid {uid} asked: {command} mail as alice: refused: no service `mail`, expected one of resolver"
        ));
    }
}

#[test]
fn a_hold_shows_the_user_id() {
    let pop = Pop::new();
    let helper = pop.settled();
    let uid = getuid().as_raw();
    pop.told(&["hold", "resolver", "--as", "alice", "--for", "1h", "--reason", "check is wrong"]);
    helper.logs(&format!("held announced against its checks by alice (uid {uid}) for 1h (until "));
    assert_eq!(pop.status().services[0].holds[0].uid, Some(uid));
}

#[test]
fn a_request_cannot_claim_another_user_id() {
    let pop = Pop::new();
    let helper = pop.settled();
    let order = Order {
        holder: "alice".parse().unwrap(),
        reason: "new disk".to_owned().into(),
        lasts: Lasts::UntilLifted,
        uid: Some(4_000_000),
    };
    Client::new(&pop.file("control")).ask(&Request::Drain { service: None, order }).unwrap();
    helper.logs(&format!("drained by alice (uid {})", getuid().as_raw()));
    assert!(!helper.log().contains("4000000"));
}

#[test]
fn the_user_id_is_that_of_the_process_that_asks() {
    const USER: u32 = 64_731;
    if !geteuid().is_root() {
        return lacks("root, who asks as another user");
    }
    let pop = Pop::new();
    let helper = pop.settled();
    fs::set_permissions(control_socket(&pop.file("control")), fs::Permissions::from_mode(0o666)).unwrap();
    let drained = Command::new("setpriv")
        .args(["--reuid", &USER.to_string(), "--clear-groups"])
        .arg(binary())
        .args(["drain", "--as", "root", "--control"])
        .arg(pop.file("control"))
        .output()
        .unwrap();
    assert!(drained.status.success(), "{drained:?}");
    helper.logs(&format!("drained by root (uid {USER})"));
}
