//! The smallest privilege that gives a user other than root access, as text to paste.
//!
//! `sudo` is no remedy: Debian's exabgp.service bounds the capabilities, so `sudo` cannot become root. polkit works, since
//! the request goes to systemd over D-Bus.

use nix::unistd::geteuid;

use super::Facts;
use crate::sys::credentials::user_name;

/// The name of this process's user, for messages.
pub(super) fn user() -> String {
    user_name(geteuid())
}

/// The remedy that lets this user use the control channel.
pub(super) fn control_channel(facts: &Facts) -> String {
    let Some(group) = group(facts, &format!("use {}", facts.access.what)) else { return String::new() };
    match facts.unit.filter(|_| facts.access.for_owner) {
        None => group,
        Some(unit) => format!(
            "{group}.\n\
             The server lets in its own user, and no other member of the group, unless there is, in\n\
             /etc/systemd/system/{unit}.d/control.conf:\n\
             \x20 [Service]\n\
             \x20 UMask=0007\n\
             then systemctl daemon-reload, and dnsherald backend restart"
        ),
    }
}

/// The remedy that lets this user read the configuration.
pub(super) fn configuration(facts: &Facts) -> String {
    let user = user();
    let root = "or run this as root";
    match group(facts, "read the configuration") {
        Some(group) => format!("{group}\n{root}"),
        None => format!("let `{user}` read it, {root}"),
    }
}

/// Membership of the server's group, for a service and for a person.
fn group(facts: &Facts, what: &str) -> Option<String> {
    let (group, user) = (facts.access.group?, user());
    Some(format!(
        "let `{user}` {what},\n\
         which is for the group `{group}`. Where exabgp.service starts dnsherald, in\n\
         /etc/systemd/system/exabgp.service.d/dnsherald-{group}.conf:\n\
         \x20 [Service]\n\
         \x20 SupplementaryGroups={group}\n\
         then systemctl daemon-reload, and restart ExaBGP, which drops its sessions.\n\
         Elsewhere: usermod -a -G {group} {user}, and log in again"
    ))
}

/// Whether this user is root.
pub(crate) fn is_root() -> bool {
    geteuid().is_root()
}

/// The polkit rule that permits these verbs on the unit to this user.
pub(crate) fn polkit(unit: &str, verbs: &[&str]) -> String {
    let user = user();
    let verbs: Vec<_> = verbs.iter().map(|verb| format!("\"{verb}\"")).collect();
    format!(
        "let `{user}` do so through polkit (package polkitd), in\n\
         /etc/polkit-1/rules.d/50-dnsherald.rules:\n\
         \x20 polkit.addRule(function(action, subject) {{\n\
         \x20     if (action.id == \"org.freedesktop.systemd1.manage-units\" &&\n\
         \x20         subject.user == \"{user}\" &&\n\
         \x20         action.lookup(\"unit\") == \"{unit}\" &&\n\
         \x20         [{}].indexOf(action.lookup(\"verb\")) >= 0)\n\
         \x20         return polkit.Result.YES;\n\
         \x20     return polkit.Result.NOT_HANDLED;\n\
         \x20 }});",
        verbs.join(", ")
    )
}
