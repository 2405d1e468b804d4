//! Units, as `systemctl show` prints them.

use std::collections::BTreeMap;

use crate::doctor::facts::{Known, UnitFact};
use crate::systemd::{LIMIT, is_booted, properties};

const PROPERTIES: &str = "Id,LoadState,DropInPaths,ExecStop,ExecStartPost,NotifyAccess,Environment,User,\
                          SupplementaryGroups,NeedDaemonReload,TimeoutStopUSec";

/// A unit of this name. One that does not exist is no error, but has a state of its own.
pub(super) async fn show(name: &str) -> Known<UnitFact> {
    if !is_booted() {
        return Err(format!("{name}: systemd does not run this host"));
    }
    match properties(name, PROPERTIES, LIMIT).await {
        Ok(text) => Ok(read(name, &text)),
        Err(ended) => Err(format!("systemd does not answer for {name}: {ended}")),
    }
}

/// Reads lines of `Key=value`. A list of commands has a line for each.
fn read(name: &str, text: &str) -> UnitFact {
    let mut values = BTreeMap::<_, String>::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
        let joined = values.entry(key).or_default();
        joined.push_str(value);
        joined.push('\n');
    }
    let mut value = |key| values.remove(key).unwrap_or_default().trim().to_owned();
    let id = value("Id");
    UnitFact {
        name: if id.is_empty() { name.to_owned() } else { id },
        load_state: value("LoadState"),
        drop_ins: value("DropInPaths"),
        exec_stop: value("ExecStop"),
        exec_start_post: value("ExecStartPost"),
        notify_access: value("NotifyAccess"),
        stop_timeout: value("TimeoutStopUSec"),
        environment: value("Environment"),
        user: value("User"),
        groups: value("SupplementaryGroups"),
        is_stale: value("NeedDaemonReload") == "yes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_commands_have_a_line_each() {
        let unit = read(
            "bind9.service",
            "Id=named.service\nLoadState=loaded\nExecStop={ path=/usr/bin/dnsherald ; argv[]=/usr/bin/dnsherald backend \
             stopping named.service }\nExecStop={ path=/usr/sbin/rndc }\nNeedDaemonReload=yes\nUser=\n",
        );
        assert_eq!((unit.name.as_str(), unit.load_state.as_str()), ("named.service", "loaded"));
        assert!(unit.exec_stop.contains("backend stopping") && unit.exec_stop.contains("rndc"));
        assert!(unit.is_stale && unit.user.is_empty());
        assert_eq!(read("x.service", "garbage").name, "x.service");
    }
}
