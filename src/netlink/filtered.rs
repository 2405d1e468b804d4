//! Runs a test without `sock_diag`: the test binary runs again behind a filter on system calls, with that test only.

use std::env;
use std::process::Command;

use super::namespace::{INSIDE, again, skip};

/// Refuses netlink sockets of `sock_diag` with EPERM, as a filter of a unit or a container does, and becomes another program.
/// Arguments: the number of `socket`, the program and its arguments.
const FILTER: &str = "
import ctypes, os, struct, sys
step = lambda code, yes, no, value: struct.pack('HBBI', code, yes, no, value)
load, equal, result = 0x20, 0x15, 0x06
steps = [
    step(load, 0, 0, 0), step(equal, 0, 5, int(sys.argv[1])),
    step(load, 0, 0, 16), step(equal, 0, 3, 16),
    step(load, 0, 0, 32), step(equal, 0, 1, 4),
    step(result, 0, 0, 0x00050001), step(result, 0, 0, 0x7fff0000),
]
filter = ctypes.create_string_buffer(b''.join(steps))
program = ctypes.create_string_buffer(struct.pack('HP', len(steps), ctypes.addressof(filter)))
libc = ctypes.CDLL(None, use_errno=True)
for words in ((38, 1, 0, 0, 0), (22, 2, ctypes.byref(program), 0, 0)):
    if libc.prctl(*words) != 0:
        sys.exit(f'prctl: {os.strerror(ctypes.get_errno())}')
os.execv(sys.argv[2], sys.argv[2:])
";

/// Runs `body` where a filter on system calls refuses `sock_diag`. `name` is the path of the test. Without Python the test is
/// skipped, which fails the full run.
pub(crate) fn without_sock_diag(name: &str, body: impl FnOnce()) {
    if env::var_os(INSIDE).is_some() {
        return body();
    }
    if Command::new("python3").args(["-c", ""]).status().is_err() {
        return skip(name, "this host has no python3");
    }
    let number = nix::libc::SYS_socket.to_string();
    let mut command = Command::new("python3");
    command.args(["-c", FILTER, &number]).arg(env::current_exe().unwrap());
    again(name, command.args(["--exact", name, "--nocapture"]));
}
