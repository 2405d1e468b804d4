//! Reloads of the configuration.

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use super::*;
use crate::support::namespace::in_namespace;

#[test]
fn a_reload_applies_the_difference() {
    let pop = Pop::with(Plan { prefixes: 2, ..Plan::default() });
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says_all((0..2).map(announce));
    pop.comes_to_be(|status| status.services[0].settled());
    let before = pop.configuration();
    let address = pop.server.address();
    let other = format!(
        "\n[[service]]\nname = \"other\"\nprefixes = [\"198.18.9.9/32\"]\naddress = false\nup = {{ med = 100 }}\n\
         [[service.check]]\nname = \"answers\"\ndns = {{ query = \"localhost. A\", server = \"{address}\" }}\n"
    );
    pop.is_configured(&format!("{before}{other}"));
    assert_eq!(pop.told(&["reload"]), "reloaded: 1 service unchanged, new: other\n");
    assert_eq!(pop.told(&["reload"]), "reloaded: nothing changed\n");
    helper.logs("configuration reloaded: 1 service unchanged, new: other");
    helper.says("neighbor * announce route 198.18.9.9/32 next-hop 127.0.0.1 med 100");
    pop.is_configured(&format!("{}{other}", before.replace("med = 100", "med = 200")));
    let changed = "changed: resolver (what its states advertise)";
    let said = pop.told(&["reload"]);
    assert!(said.starts_with(&format!("reloaded: 1 service unchanged, {changed}\n")), "{said}");
    helper.logs(&format!("configuration reloaded: 1 service unchanged, {changed}"));
    helper.says_all((0..2).map(|nth| announce(nth).replace("med 100", "med 200")));
    pop.is_configured(&before.replace(", \"198.18.0.1/32\"", "").replace("\"test\"", "\"renamed\""));
    let said = pop.told(&["reload"]);
    let gone = "198.18.9.9/32 is no longer configured: withdrawing it";
    assert!(said.contains(", gone: other\n") && said.contains(gone), "{said}");
    assert_eq!(pop.status().node, "renamed");
    let mut said = [helper.next(), helper.next(), helper.next()];
    said.sort();
    assert_eq!(said, [announce(0), withdraw(1), WITHDRAW.replace("192.0.2.53", "198.18.9.9")]);
    let withdrawn = "198.18.9.9/32: WITHDRAWN (acknowledged): no longer configured";
    helper.logs(withdrawn);
    assert!(eventually(|| pop.told(&["history"]).contains(&format!("route      {withdrawn}"))));
    assert!(pop.status().stale_routes.is_empty() || eventually(|| pop.status().stale_routes.is_empty()));
}

#[test]
fn a_reload_prints_a_long_line_whole() {
    let pop = Pop::new();
    let helper = pop.settled();
    let (before, address) = (pop.configuration(), pop.server.address());
    let names: Vec<_> = (1..=10).map(|nth| format!("resolvers-of-the-customer-network-{nth}")).collect();
    let services = names.iter().zip(1..).map(|(name, nth)| {
        format!(
            "\n[[service]]\nname = \"{name}\"\nprefixes = [\"198.18.9.{nth}/32\"]\naddress = false\nup = {{ med = 100 }}\n\
             [[service.check]]\nname = \"answers\"\ndns = {{ query = \"localhost. A\", server = \"{address}\" }}\n"
        )
    });
    pop.is_configured(&(before + &services.collect::<String>()));
    let change = format!("1 service unchanged, new: {}", names.join(", "));
    assert_eq!(pop.told(&["reload"]), format!("reloaded: {change}\n"));
    helper.logs(&format!("configuration reloaded: {change}"));
}

/// Each reload precedes the timeout of the running round, which must still count.
#[test]
fn repeated_reloads_do_not_hide_a_hang() {
    let pop =
        Pop::with(Plan { check: "interval = \"500ms\"\ntimeout = \"500ms\"\nfall = 2", ..Plan::default() });
    let helper = pop.settled();
    pop.server.becomes(Fault::Silent);
    let withdrawn = eventually(|| {
        pop.told(&["reload"]);
        helper.said().last().is_some_and(|line| line == WITHDRAW)
    });
    assert!(withdrawn, "log:\n{}", helper.log());
}

#[test]
fn a_corrected_file_takes_effect_at_once() {
    let pop = Pop::new();
    let whole = pop.configuration();
    pop.is_configured(&whole.replace("rise = 2", "rise = 0"));
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(WITHDRAW);
    let table = pop.told(&["status"]);
    assert!(table.contains("CONFIGURATION ERROR") && table.contains("dnsherald.toml:16:8: "), "{table}");
    let output = pop.command(&["drain"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("no valid configuration"));
    pop.is_configured(&whole);
    pop.told(&["reload"]);
    helper.comes_to_say(ANNOUNCE);
    pop.comes_to_be(|status| status.trouble.is_none());
}

/// Reading a pipe without a writer blocks, like a hanging disk.
#[test]
fn a_reload_of_a_pipe_changes_nothing() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    fs::remove_file(pop.configuration_file()).unwrap();
    assert!(Command::new("mkfifo").arg(pop.configuration_file()).status().unwrap().success());
    let client = Client::new(&pop.file("control"));
    for _ in 0..3 {
        let refused = client.ask(&Request::Reload).unwrap_err().to_string();
        assert!(
            refused.starts_with("nothing is changed: ") && refused.ends_with(" not a regular file"),
            "{refused}"
        );
    }
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
}

/// The answer to a question, with one address.
fn answered(question: &[u8]) -> Vec<u8> {
    let name = question[12..].iter().position(|octet| *octet == 0).unwrap();
    let mut answer = question[..12 + name + 5].to_vec();
    // An answer, recursion available, one question, one record; its name is that of the question.
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    answer
}

/// The service does not wait for the limit of 2 s.
#[test]
fn a_reload_while_a_service_warms_up_does_not_delay_its_return() {
    let name = "run::control::reloads::a_reload_while_a_service_warms_up_does_not_delay_its_return";
    in_namespace(name, "true", || {
        let server = UdpSocket::bind("127.0.0.1:53").unwrap();
        let pop = Pop::with(Plan { service: "warm-up = \"localhost. A\"", ..Plan::default() });
        let _helper = pop.helper(ideal("5.0.15"));
        pop.comes_to_be(|status| status.services[0].state == ServiceState::Up);
        let mut octets = [0; 512];
        let returns_soon = || {
            pop.told(&["drain", "--wait"]);
            server.set_nonblocking(true).unwrap();
            while server.recv(&mut octets).is_ok() {}
            server.set_nonblocking(false).unwrap();
            pop.told(&["undrain"]);
            let (length, asker) = server.recv_from(&mut octets).unwrap();
            let asked = Instant::now();
            assert_eq!(pop.told(&["reload"]), "reloaded: nothing changed\n");
            server.send_to(&answered(&octets[..length]), asker).unwrap();
            pop.comes_to_be(|status| status.services[0].state == ServiceState::Up);
            asked.elapsed() < Duration::from_millis(1500)
        };
        assert!(eventually(returns_soon));
    });
}
