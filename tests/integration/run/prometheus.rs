//! The dashboard and the alert rules, beside a real Prometheus that scrapes helpers.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use dnsherald::responder::Fault;
use serde_json::Value;

use crate::support::helper::{ANNOUNCE, DEADLINE, Pop, eventually, ideal};
use crate::support::lacks;
use crate::support::namespace::in_namespace;

/// Where Prometheus listens.
const PROMETHEUS: &str = "127.0.0.1:9090";

fn example(name: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/monitoring").join(name).display().to_string()
}

/// A Prometheus that scrapes these targets every second and evaluates the shipped alerts.
struct Prometheus(Child);

impl Prometheus {
    fn start(pop: &Pop, targets: &[&str]) -> Option<Self> {
        let file = pop.file("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{:?}]\n\
             scrape_configs: [{{job_name: dnsherald, static_configs: [{{targets: {targets:?}}}]}}]\n",
            example("alerts.yml")
        );
        fs::write(&file, text).unwrap();
        let mut command = Command::new("prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", pop.file("prometheus").display()));
        command.arg(format!("--web.listen-address={PROMETHEUS}"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok().map(Self)
    }

    /// The data of an answer of the interface; null without one.
    fn get(path: &str) -> Value {
        let answer = || -> Option<Value> {
            let mut stream = TcpStream::connect(PROMETHEUS).ok()?;
            stream.set_read_timeout(Some(DEADLINE)).ok()?;
            write!(stream, "GET {path} HTTP/1.0\r\n\r\n").ok()?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).ok()?;
            let answer: Value = serde_json::from_str(answer.split_once("\r\n\r\n")?.1).ok()?;
            Some(answer["data"].clone())
        };
        answer().unwrap_or_default()
    }

    /// Whether the expression has a sample that is a number.
    fn has_data(expression: &str) -> bool {
        let encoded: String = expression.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let data = Self::get(&format!("/api/v1/query?query={encoded}"));
        let samples = data["result"].as_array().cloned().unwrap_or_default();
        samples.iter().any(|sample| sample["value"][1].as_str().is_some_and(|value| value != "NaN"))
    }

    /// The alert rules: name, expression, state.
    fn rules() -> Vec<[String; 3]> {
        let data = Self::get("/api/v1/rules");
        let rules = data["groups"][0]["rules"].as_array().cloned().unwrap_or_default();
        let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        rules.iter().map(|rule| ["name", "query", "state"].map(|key| text(rule, key))).collect()
    }

    /// Waits until this alert is pending or firing.
    #[track_caller]
    fn alerts(name: &str) {
        let is_active =
            |rule: &[String; 3]| rule[0] == name && ["pending", "firing"].contains(&rule[2].as_str());
        assert!(eventually(|| Self::rules().iter().any(is_active)), "{name}: {:?}", Self::rules());
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The names of metrics in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("dnsherald_"))
}

#[test]
fn each_panel_and_each_alert_has_data() {
    let name = "run::prometheus::each_panel_and_each_alert_has_data";
    in_namespace(name, "ip addr add 192.0.2.53/32 dev lo", || {
        // One PoP is up, knows its session and its sockets, and is then drained. The other is down.
        let [up, down] = [Pop::new(), Pop::new()];
        let _reader = super::sockets::Reader::start("192.0.2.53:53");
        let backend = "[backend.srv]\nkind = \"generic\"\nrestart = [\"/bin/true\"]\n";
        let watched = up.configuration().replace("address = false\n", "backend = \"srv\"\n");
        up.is_configured(&format!("{watched}\n{backend}\n[metrics]\nlisten = \"127.0.0.1:9353\"\n"));
        down.is_configured(&format!("{}\n[metrics]\nlisten = \"127.0.0.1:9354\"\n", down.configuration()));
        down.server.becomes(Fault::Refuse);
        let Some(_prometheus) = Prometheus::start(&up, &["127.0.0.1:9353", "127.0.0.1:9354"]) else {
            return lacks("prometheus");
        };
        let mut helper = up.helper(ideal("5.0.15"));
        helper.opens();
        helper.comes_to_say(ANNOUNCE);
        helper.receives("neighbor 10.0.0.1 up");
        let failing = down.helper(ideal("5.0.15"));
        failing.logs("-> down");
        up.told(&["drain", "resolver", "--reason", "new disk", "--wait"]);

        let dashboard = fs::read_to_string(example("dashboard.json")).unwrap();
        let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
        let panels = dashboard["panels"].as_array().unwrap();
        assert!(panels.len() > 10);
        for panel in panels {
            let expression = panel["targets"][0]["expr"].as_str().unwrap();
            assert!(eventually(|| Prometheus::has_data(expression)), "{}: {expression}", panel["title"]);
        }
        let rules = Prometheus::rules();
        assert!(rules.len() > 5, "{rules:?}");
        // Most alerts compare, so the sides of the comparison are what must have data.
        for [alert, expression, _] in &rules {
            for metric in names(expression) {
                assert!(eventually(|| Prometheus::has_data(metric)), "{alert}: {metric}");
            }
        }
        Prometheus::alerts("DnsheraldPopDown");
        failing.dies_suddenly();
        Prometheus::alerts("DnsheraldNoHelper");
    });
}
