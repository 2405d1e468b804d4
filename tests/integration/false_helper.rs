//! Sockets of a false helper: the owner of their directory can replace them, and commands of root connect to them.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use dnsherald::control::{control_socket, status_socket};
use serde_json::{Value, json};

use crate::support::binary;
use crate::support::helper::Server;

/// Terminal escapes, text that reverses the direction, and a line break.
const EVIL: &str = "\x1b]0;pwned\x07\x1b[31mEVIL\u{9b}2J\u{202e}\u{200b}\nforged";

/// A folder with a configuration, and the sockets in it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("dnsherald-false-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("control")).unwrap();
        let text = format!(
            "[node]\nmanagement = [\"127.0.0.1\"]\n[control]\ndirectory = {:?}\n[[service]]\nname = \"a\"\n\
             prefixes = [\"192.0.2.53/32\"]\naddress = false\n[[service.check]]\nname = \"c\"\ndns = {{ query = \". NS\" }}\n",
            folder.join("control")
        );
        fs::write(folder.join("dnsherald.toml"), text).unwrap();
        Self(folder)
    }

    fn control(&self) -> PathBuf {
        self.0.join("control")
    }

    /// Adds the backend `g` of the service, with this restart.
    fn has_a_backend(&self, restart: &str) {
        let file = self.0.join("dnsherald.toml");
        let text = fs::read_to_string(&file).unwrap();
        let text = text.replace("name = \"a\"", "name = \"a\"\nbackend = \"g\"");
        let backend = "[backend.g]\nkind = \"generic\"\nunit = \"g.service\"\nsettle = \"0s\"";
        fs::write(&file, format!("{text}\n{backend}\nrestart = {restart}\n")).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command.args(words).arg("-c").arg(self.0.join("dnsherald.toml"));
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Accepts every connection to a socket, each on its own thread.
fn serve(socket: &Path, attend: impl Fn(UnixStream) + Clone + Send + 'static) {
    let _ = fs::remove_file(socket);
    let listener = UnixListener::bind(socket).unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            let attend = attend.clone();
            thread::spawn(move || attend(client.unwrap()));
        }
    });
}

/// Answers each request with this line.
fn replies(place: &Place, reply: &Value) {
    let reply = format!("{reply}\n");
    serve(&control_socket(&place.control()), move |mut client| {
        let _ = BufReader::new(&client).read_line(&mut String::new());
        let _ = client.write_all(reply.as_bytes());
    });
}

#[track_caller]
fn is_harmless(what: &str, output: &Output) {
    for bytes in [&output.stdout, &output.stderr] {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let obeyed = text.chars().find(|c| *c != '\n' && dnsherald::text::is_doubtful(*c));
        assert_eq!(obeyed, None, "{what}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("forged")), "{what}: {text}");
    }
}

/// The document of a helper with one service.
fn honest() -> Value {
    json!({
        "format": "dnsherald status 1", "version": "0", "node": "n", "pid": 7, "configuration": "/c", "trouble": "t",
        "running-seconds": 1.0, "left-behind": ["p"],
        "exabgp": {"version": "5", "dialect": "neighbor", "answers": true, "latency-seconds": null, "refused": 0,
                   "unanswered": 0},
        "services": [{
            "name": "a", "state": "up", "for-seconds": 1.0, "reason": "r", "backend": "b",
            "prefixes": [{"prefix": "192.0.2.53/32", "desired": "d", "acknowledged": "k"}],
            "checks": [{"name": "c", "state": "s", "streak": 1, "rise": 1, "fall": 1, "severity": null,
                        "last": {"ago-seconds": 1.0, "passed": false, "cause": "timeout", "detail": "d"}}],
            "dampening": {"penalty": 0, "suppressed": false, "reuse-in-seconds": null},
            "disabled": false,
            "drains": [{"holder": "h", "reason": "w", "for-seconds": 1.0, "expires-in-seconds": null,
                        "returning": false}],
        }],
    })
}

/// The document of a helper, with every text replaced by the hostile one, one at a time and all together.
fn documents() -> Vec<Value> {
    let (honest, mut places) = (honest(), vec![]);
    texts(&honest, &mut String::new(), &mut places);
    assert!(places.len() > 15, "{places:?}");
    let hostile = |place: &String| {
        let mut document = honest.clone();
        *document.pointer_mut(place).unwrap() = EVIL.into();
        document
    };
    places.iter().map(hostile).collect()
}

/// The paths of all texts in a document.
fn texts(value: &Value, place: &mut String, into: &mut Vec<String>) {
    let mut inside = |key: String, value: &Value| {
        let length = place.len();
        place.push('/');
        place.push_str(&key);
        texts(value, place, into);
        place.truncate(length);
    };
    match value {
        Value::String(_) => into.push(place.clone()),
        Value::Array(values) => {
            (0..).zip(values).for_each(|(nth, value): (u32, _)| inside(nth.to_string(), value));
        }
        Value::Object(values) => values.iter().for_each(|(key, value)| inside(key.clone(), value)),
        _ => {}
    }
}

#[test]
fn escapes_answers_of_a_helper() {
    let place = Place::new("escapes");
    for document in documents() {
        let text = document.to_string();
        serve(&status_socket(&place.control()), move |mut client| drop(client.write_all(text.as_bytes())));
        is_harmless(&format!("status of {document}"), &place.command(&["status"]).output().unwrap());
        let json = place.command(&["status", "--json"]).output().unwrap();
        is_harmless("status --json", &json);
        if json.status.success() {
            let shown: Value = serde_json::from_slice(&json.stdout).unwrap();
            assert!(
                shown.to_string().contains("forged"),
                "a program reads what the helper has said: {shown}"
            );
        }
    }
    for reply in [
        json!({"done": [EVIL]}),
        json!({"unsaved": [EVIL]}),
        json!({"refused": EVIL.replace('\n', " ")}),
        json!({EVIL: 1}),
    ] {
        replies(&place, &reply);
        for words in [&["drain"][..], &["undrain"], &["reload"], &["drain", "--wait"]] {
            is_harmless(&format!("{words:?} and {reply}"), &place.command(words).output().unwrap());
        }
    }
}

#[test]
fn escapes_errors_of_a_configuration() {
    let place = Place::new("citation");
    let file = place.0.join("\x1b[31m\u{202e}.toml");
    fs::write(&file, "[node]\nname = \"\x7f\x1b[2J\u{202e}\" 7\n\"\u{9b}\u{2066}\" = 1\n").unwrap();
    for words in
        [&["check-config"][..], &["check", "-c"], &["backend", "status", "-c"], &["healthcheck", "--config"]]
    {
        let output = Command::new(binary()).args(words).arg(&file).output().unwrap();
        assert!(!output.status.success());
        is_harmless(&format!("{words:?}"), &output);
    }
    let output = Command::new(binary()).args(["drain", "--\x1b[31m\u{202e}"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    is_harmless("a wrong option", &output);
}

/// One deadline limits a request, however slowly the answer arrives.
#[test]
fn a_slow_answer_ends_at_the_deadline() {
    let place = Place::new("drips");
    place.has_a_backend("[\"true\"]");
    serve(&status_socket(&place.control()), |mut client| {
        while client.write_all(b" ").is_ok() {
            thread::sleep(Duration::from_secs(1));
        }
    });
    replies(&place, &json!({"done": ["a"]}));
    let began = Instant::now();
    let begin = |words: &[&str]| {
        let mut command = place.command(words);
        command.env("MAINPID", "1").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let commands = [
        &["status"][..],
        &["drain", "--wait"],
        &["backend", "restart", "g"],
        &["backend", "stopping", "g.service"],
    ];
    let begun: Vec<_> = commands.iter().map(|words| (words, begin(words))).collect();
    let expected = format!("the helper (pid {}) behind ", std::process::id());
    for (words, child) in begun {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(said.contains(&expected) && said.contains("does not respond"), "{words:?}: {said}");
        // This helper may announce: a restart outside of dnsherald would drain nothing.
        assert!(!said.contains("use systemctl"), "{words:?}: {said}");
    }
    assert!(began.elapsed() < Duration::from_secs(40), "{:?}", began.elapsed());
}

#[test]
fn a_restart_without_a_helper_names_the_other_way() {
    let place = Place::new("absent");
    place.has_a_backend("[\"true\"]");
    let output = place.command(&["backend", "restart", "g"]).env("MAINPID", "1").output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no helper is running") && said.contains("use systemctl"), "{said}");
}

/// A restart that touched nothing ends its own drain, never one that an earlier restart may have left.
#[test]
fn a_refused_restart_keeps_the_drain_of_an_earlier_one() {
    let kept = [0, 1, 2, 3].map(|fail| (fail, true, false));
    // How many connections fail, as while the helper is replaced; whether a drain is there; whether it ends.
    for (fail, earlier, ends) in [(0, false, true)].into_iter().chain(kept) {
        let place = Place::new("keeps");
        place.has_a_backend("[\"/no/such/program\"]");
        let requests: Arc<Mutex<Vec<String>>> = Arc::default();
        let (received, connections) = (Arc::clone(&requests), Arc::new(AtomicUsize::new(0)));
        serve(&status_socket(&place.control()), move |mut client| {
            if connections.fetch_add(1, Ordering::Relaxed) < fail {
                return;
            }
            let is_drained = earlier || received.lock().unwrap().iter().any(|line| line.contains("drain"));
            let drain = json!({"holder": "backend/g", "reason": "r", "for-seconds": 1.0, "expires-in-seconds": null,
                               "returning": false});
            let mut document = honest();
            let service = &mut document["services"][0];
            service["drains"] = if is_drained { json!([drain]) } else { json!([]) };
            service["state"] = "drained".into();
            service["prefixes"][0]["desired"] = "withdraw".into();
            service["prefixes"][0]["acknowledged"] = "withdraw".into();
            let _ = client.write_all(document.to_string().as_bytes());
        });
        let received = Arc::clone(&requests);
        serve(&control_socket(&place.control()), move |mut client| {
            let mut line = String::new();
            BufReader::new(&client).read_line(&mut line).unwrap();
            received.lock().unwrap().push(line);
            let _ = client.write_all(b"{\"done\":[\"a\"]}\n");
        });
        let output = place.command(&["backend", "restart", "g"]).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(output.status.code() == Some(1) && said.contains("not touched"), "{said}");
        let requests = requests.lock().unwrap();
        let undrains = requests.iter().filter(|line| line.contains("undrain")).count();
        assert_eq!(undrains, usize::from(ends), "{fail}: {requests:?}\n{said}");
    }
}

/// The helper would take the questions of a reload for those of clients: evidence that only its own probes fail.
#[test]
fn a_reload_tells_the_helper_what_it_asks() {
    let (place, server) = (Place::new("asked"), Server::start());
    place.has_a_backend("[\"true\"]\nreload = [\"true\"]");
    let file = place.0.join("dnsherald.toml");
    let text = fs::read_to_string(&file).unwrap();
    let check = format!("server = \"{}\", transport = [\"udp\", \"tcp\"]", server.address());
    fs::write(&file, text.replace("query = \". NS\"", &format!("query = \"localhost. A\", {check}")))
        .unwrap();
    let told: Arc<Mutex<[i64; 3]>> = Arc::default();
    let counted = Arc::clone(&told);
    serve(&control_socket(&place.control()), move |mut client| {
        let mut line = String::new();
        BufReader::new(&client).read_line(&mut line).unwrap();
        let request: Value = serde_json::from_str(&line).unwrap();
        let asked = &request["request"]["asked"];
        for (count, name) in counted.lock().unwrap().iter_mut().zip(["datagrams", "connections", "questions"])
        {
            // What is announced first may be corrected downward.
            *count += asked[name].as_i64().unwrap_or_default();
        }
        let _ = client.write_all(b"{\"done\":[]}\n");
    });
    let output = place.command(&["backend", "reload", "g"]).output().unwrap();
    let [datagrams, connections, questions] = *told.lock().unwrap();
    // Each question and each answer is a datagram.
    let udp = server.queries() as i64;
    assert!(udp > 0 && connections > 0, "{output:?}");
    assert_eq!(datagrams, 2 * udp, "{output:?}");
    assert!(questions >= udp + connections, "{questions}");
}

/// An endless answer does not fill the memory.
#[test]
fn limits_the_size_of_an_answer() {
    let place = Place::new("floods");
    let flood = |mut client: UnixStream| while client.write_all(&[b' '; 65536]).is_ok() {};
    serve(&status_socket(&place.control()), flood);
    serve(&control_socket(&place.control()), flood);
    for words in [["status"], ["drain"]] {
        let output = place.command(&words).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains("sent more than"), "{words:?}: {said}");
    }
}
