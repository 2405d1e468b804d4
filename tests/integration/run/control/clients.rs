//! The sockets: their modes, their clients, and helpers that share them.

use super::*;

#[test]
fn modes_do_not_depend_on_the_umask() {
    let pop = Pop::new();
    let (parent, directory) = (pop.file("run"), pop.file("run/control"));
    pop.is_configured(
        &pop.configuration().replace(&format!("{:?}", pop.file("control")), &format!("{directory:?}")),
    );
    let mut helper = pop.helper_after("umask 0137", ideal("5.0.15"));
    helper.opens();
    let (status, control) = (status_socket(&directory), control_socket(&directory));
    assert!(eventually(|| control.exists()), "log:\n{}", helper.log());
    let modes = [&parent, &directory, &status, &control].map(|path| mode(path));
    assert_eq!(modes, ["755", "755", "666", "660"]);
}

#[test]
fn warns_about_a_world_writable_directory() {
    let pop = Pop::new();
    fs::create_dir(pop.file("control")).unwrap();
    for directory in [pop.file(""), pop.file("control")] {
        fs::set_permissions(directory, fs::Permissions::from_mode(0o777)).unwrap();
    }
    // Root does not use it at all.
    let other = if geteuid().is_root() { "set -- setpriv --reuid 64731 --clear-groups \"$@\"" } else { ":" };
    let mut helper = pop.helper_after(other, ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.logs("every user may write to the directory");
}

/// A client that sends nothing, incomplete lines or garbage delays only itself.
#[test]
fn slow_clients_floods_and_garbage_delay_no_request() {
    let pop = Pop::new();
    let mut helper = pop.settled();
    let directory = pop.file("control");
    let sockets = [status_socket(&directory), control_socket(&directory)];
    let open = |number| (0..number).map(|nth| UnixStream::connect(&sockets[nth % 2]).unwrap());
    let silent: Vec<_> = open(20).collect();
    let garbage: Vec<_> = open(40)
        .map(|mut client| {
            let _ = client.write_all(&[0xff; 10_000]);
            let _ = client.write_all(b"{\"drain\": {\n");
            client
        })
        .collect();
    pop.server.becomes(Fault::Refuse);
    helper.says(WITHDRAW);
    drop(silent);
    drop(garbage);
    let mut client = UnixStream::connect(&sockets[1]).unwrap();
    client.write_all(b"{\"drain\": 7}\n").unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("{\"refused\":\"not a request: "), "{answer}");
    pop.server.becomes(Fault::None);
    helper.says(ANNOUNCE);
    assert_eq!(pop.status().services[0].drains, []);
}

/// Like a hanging script of another user.
#[test]
fn idle_connections_of_another_user_delay_no_request() {
    if !geteuid().is_root() {
        return crate::support::lacks("root");
    }
    let pop = Pop::with(Plan { prefixes: 3000, ..Plan::default() });
    let mut helper = pop.settled();
    let status = pop.told(&["status", "--json"]);
    assert!(status.len() > 300_000, "{} octets fit into a buffer", status.len());
    let directory = pop.file("control");
    // The path to the sockets and the control socket, as a member of the group.
    for folder in directory.ancestors().take_while(|folder| folder.parent().is_some()) {
        let mode = fs::metadata(folder).unwrap().permissions().mode();
        fs::set_permissions(folder, fs::Permissions::from_mode(mode | 0o055)).unwrap();
    }
    fs::set_permissions(control_socket(&directory), fs::Permissions::from_mode(0o666)).unwrap();
    // It reopens each dropped connection at once, so that it always has as many as possible.
    let script = "
import os, select, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
poll = select.poll(); held = {}
def take(path):
    s = socket.socket(socket.AF_UNIX); s.connect(path); held[s.fileno()] = (s, path); poll.register(s, select.POLLHUP)
for path in sys.argv[1:]:
    for _ in range(20): take(path)
print('held', flush=True)
while True:
    for number, _ in poll.poll():
        s, path = held.pop(number); poll.unregister(number); s.close(); take(path)
";
    let mut other = Command::new("python3")
        .args(["-c", script])
        .args([status_socket(&directory), control_socket(&directory)])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut held = [0; 5];
    other.stdout.take().unwrap().read_exact(&mut held).unwrap();
    let drained = pop.command(&["drain"]);
    let status = pop.command(&["status"]);
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(drained.status.success(), "{drained:?}");
    assert!(status.status.success(), "{status:?}");
    helper.comes_to_say(WITHDRAW);
}

/// On a reload ExaBGP starts the successor before the predecessor has ended.
#[test]
fn the_newest_helper_owns_the_sockets() {
    let pop = Pop::new();
    let mut first = pop.settled();
    let predecessor = pop.status().pid;
    let _second = pop.helper(ideal("5.0.15"));
    pop.comes_to_be(|status| status.pid != predecessor);
    // The other helper learns of requests to the newest from the state, and neither reverts them.
    pop.told(&["drain", "--reason", "new disk", "--wait"]);
    first.says(WITHDRAW);
    first.is_sent("TERM");
    first.exits_well();
    let status = pop.status();
    assert_ne!(status.pid, predecessor);
    assert_eq!(status.services[0].state, ServiceState::Drained);
    pop.remembers("new disk");
}

/// Two ExaBGPs with one file. A helper that ends soon is the one before a reload of ExaBGP.
#[test]
fn another_helper_that_stays_is_named() {
    let pop = Pop::new();
    let first = pop.settled();
    let predecessor = pop.status().pid;
    let second = pop.helper(ideal("5.0.15"));
    let directory = pop.file("control").display().to_string();
    second.logs(&format!("takes over the sockets in {directory} from the helper (process {predecessor})"));
    pop.comes_to_be(|status| status.pid != predecessor);
    let file = pop.configuration_file().display().to_string();
    second
        .logs(&format!("another helper (process {predecessor} with {file}) still runs 10s after the start"));
    second.logs(&format!("this one (process {}): this one has the control sockets", pop.status().pid));
    first.logs(&format!("another helper (process {}) has taken over {directory}/", pop.status().pid));
    assert!(!first.log().contains("takes over"), "{}", first.log());
    assert!(!second.log().contains("has taken over"), "{}", second.log());
}

/// One that was started by hand beside the helper, and ended: killed, or as asked.
#[test]
fn a_helper_takes_its_sockets_back() {
    let pop = Pop::new();
    let first = pop.settled();
    let pid = pop.status().pid;
    for is_killed in [true, false] {
        let mut second = pop.helper(ideal("5.0.15"));
        pop.comes_to_be(|status| status.pid != pid);
        if is_killed {
            second.dies_suddenly();
        } else {
            second.is_sent("TERM");
            second.exits_well();
        }
        assert!(eventually(|| pop.command(&["status"]).status.success()), "{}", first.log());
        assert_eq!(pop.status().pid, pid);
        assert!(pop.command(&["drain", "--wait"]).status.success(), "requests reach it as well");
        assert!(pop.command(&["undrain"]).status.success());
    }
    let told = format!("takes the sockets in {} back", pop.file("control").display());
    assert_eq!(first.log().matches(&told).count(), 2, "{}", first.log());
}

#[test]
fn runs_without_a_control_directory() {
    let pop = Pop::new();
    pop.is_configured(
        &pop.configuration().replace(&format!("{:?}", pop.file("control")), "\"/dev/null/control\""),
    );
    let mut helper = pop.helper(ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.logs("cannot use the directory /dev/null/control: /dev/null: not a directory");
}
