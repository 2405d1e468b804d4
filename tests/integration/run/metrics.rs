//! Metrics of a helper that runs.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use dnsherald::responder::Fault;

use crate::support::helper::{DEADLINE, Pop, WITHDRAW, eventually, mode};

#[track_caller]
fn has_lines<'a>(text: &str, lines: impl IntoIterator<Item = &'a str>) {
    for line in lines {
        assert!(text.lines().any(|written| written == line), "`{line}` is missing from\n{text}");
    }
}

const ANNOUNCED: [&str; 3] = [
    "dnsherald_up 1.0",
    "dnsherald_service_state{service=\"resolver\",state=\"up\"} 1.0",
    "dnsherald_prefix_acknowledged_announced{service=\"resolver\",prefix=\"192.0.2.53/32\"} 1.0",
];

const DOWN: &str = "dnsherald_service_state{service=\"resolver\",state=\"down\"} 1.0";

impl Pop {
    /// The configuration with this table `[metrics]`.
    fn publishes(&self, table: &str) {
        self.is_configured(&format!("{}\n[metrics]\n{table}\n", self.configuration()));
    }
}

#[test]
fn the_command_prints_what_the_helper_has_counted() {
    let pop = Pop::new();
    let _helper = pop.settled();
    let text = pop.told(&["metrics"]);
    has_lines(&text, ANNOUNCED);
    has_lines(
        &text,
        [
            "dnsherald_configuration_valid 1.0",
            "dnsherald_transitions_total{service=\"resolver\",state=\"up\"} 1",
        ],
    );
    let passed = "dnsherald_probes_total{service=\"resolver\",check=\"answers\",result=\"pass\"} ";
    assert!(text.contains(passed) && text.contains("dnsherald_probe_duration_seconds_bucket"), "{text}");
}

#[test]
fn the_file_follows_changes_and_a_reload_moves_it() {
    let pop = Pop::new();
    let [folder, first, second] =
        ["textfiles", "textfiles/a.prom", "textfiles/b.prom"].map(|name| pop.file(name));
    pop.publishes(&format!("textfile = {first:?}"));
    let mut helper = pop.announced();
    // The directory is missing: the helper announces all the same, and says so once.
    helper.logs("cannot write metrics to");
    fs::create_dir(&folder).unwrap();
    let written = |file: &std::path::Path, line: &str| {
        let text = || fs::read_to_string(file).unwrap_or_default();
        assert!(
            eventually(|| text().lines().any(|written| written == line)),
            "`{line}` is not in {}",
            text()
        );
    };
    pop.server.becomes(Fault::Closed);
    helper.says(WITHDRAW);
    written(&first, DOWN);
    assert_eq!(mode(&first), "644");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left");

    pop.publishes(&format!("textfile = {second:?}"));
    pop.told(&["reload"]);
    written(&second, DOWN);
    assert!(eventually(|| !first.exists()), "the former file would look like a helper that hangs");
    assert_eq!(helper.log().matches("cannot write metrics to").count(), 1);
}

/// The answer to a request.
fn ask(port: u16, request: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The metrics, once they are served.
#[track_caller]
fn scrape(port: u16) -> String {
    let mut answer = String::new();
    let served = eventually(|| {
        answer = ask(port, "GET /metrics HTTP/1.1\r\nHost: pop\r\n\r\n").unwrap_or_default();
        answer.starts_with("HTTP/1.1 200 OK")
    });
    assert!(served, "nothing is served: {answer}");
    answer
}

#[test]
fn http_serves_what_a_scraper_needs_and_nothing_else() {
    let pop = Pop::new();
    let occupant = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = occupant.local_addr().unwrap().port();
    pop.publishes(&format!("listen = \"127.0.0.1:{port}\""));
    // The port is in use: the helper announces all the same, and serves once it is free.
    let mut helper = pop.settled();
    helper.logs(&format!("cannot serve metrics at 127.0.0.1:{port}"));
    drop(occupant);
    has_lines(&scrape(port), ANNOUNCED);
    assert!(ask(port, "GET /drain HTTP/1.1\r\n\r\n").unwrap().starts_with("HTTP/1.1 404"));
    assert!(ask(port, "POST /metrics HTTP/1.1\r\n\r\n").unwrap().starts_with("HTTP/1.1 405"));

    // Half-open and flooding clients delay no withdraw.
    let connect = |_| TcpStream::connect(("127.0.0.1", port));
    let crowd: Vec<_> = (0..200).filter_map(|nth| connect(nth).ok()).collect();
    pop.server.becomes(Fault::Closed);
    helper.says(WITHDRAW);
    assert!(helper.open_files() < 100, "{} open files", helper.open_files());
    drop(crowd);
    let shows_down = || scrape(port).lines().any(|line| line == DOWN);
    assert!(eventually(shows_down));

    pop.is_configured(&pop.configuration());
    pop.told(&["reload"]);
    assert!(eventually(|| TcpStream::connect(("127.0.0.1", port)).is_err()), "the port is closed");
    assert_eq!(helper.log().matches("cannot serve metrics").count(), 1);
}

/// A reload to a port that another program has: the reload succeeds, routes move, and the port is served once it is free.
#[test]
fn a_port_that_is_in_use_at_a_reload_costs_nothing_else() {
    let pop = Pop::new();
    let occupants = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [first, second] = [0, 1].map(|nth: usize| occupants[nth].local_addr().unwrap().port());
    let [free, occupant] = occupants;
    drop(free);
    pop.publishes(&format!("listen = \"127.0.0.1:{first}\""));
    let mut helper = pop.settled();
    has_lines(&scrape(first), ANNOUNCED);
    pop.publishes(&format!("listen = \"127.0.0.1:{second}\""));
    pop.told(&["reload"]);
    helper.logs(&format!("cannot serve metrics at 127.0.0.1:{second}"));
    assert!(eventually(|| TcpStream::connect(("127.0.0.1", first)).is_err()), "the former port is closed");
    has_lines(&pop.told(&["metrics"]), ANNOUNCED);
    pop.server.becomes(Fault::Closed);
    helper.says(WITHDRAW);
    drop(occupant);
    assert!(eventually(|| scrape(second).lines().any(|line| line == DOWN)));
    // Back to the former port, and to the one of just now at once.
    for port in [first, second, first] {
        pop.publishes(&format!("listen = \"127.0.0.1:{port}\""));
        pop.told(&["reload"]);
    }
    assert!(eventually(|| scrape(first).lines().any(|line| line == DOWN)));
    assert_eq!(helper.log().matches("cannot serve metrics").count(), 1, "{}", helper.log());
}

#[test]
fn check_config_names_both_outlets() {
    let pop = Pop::new();
    pop.publishes("textfile = \"/run/a.prom\"\nlisten = \"127.0.0.1:9353\"");
    let text = pop.told(&["check-config"]);
    assert!(text.contains("metrics: written to /run/a.prom every 15s"), "{text}");
    assert!(text.contains("metrics: served at http://127.0.0.1:9353/metrics"), "{text}");
}
