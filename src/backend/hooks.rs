//! The systemd drop-in that drains before a server's unit stops, for any reason, and undrains after it has started.
//!
//! A drop-in can only add commands after those of the unit. So this module reads the unit's own `ExecStop=` commands,
//! clears the list, and writes them again after ours, in the same order.

use std::time::Duration;

use self::install::MARK;
use crate::text::period::Period;

pub(crate) mod install;

/// The time for the steps of a drain other than the wait for a quiet server: ExaBGP, and the helper.
const ELSE: Duration = Duration::from_secs(40);

/// Between the longest time of a drain and the time limit of systemd.
const MARGIN: Duration = Duration::from_secs(5);

/// The longest time of a drain that waits so long for a quiet server.
pub(crate) fn longest_drain(wait: Duration) -> Duration {
    wait + ELSE
}

/// Whether a line comes from an earlier drop-in of ours.
const OURS: &str = " backend stopping ";

/// The time limit of each command that stops a unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StopTime {
    Within(Duration),
    Infinite,
}

impl StopTime {
    /// The default of systemd.
    pub(crate) const DEFAULT: Self = Self::Within(Duration::from_secs(90));

    /// The value as systemd writes it: `1min 30s`, `infinity`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text {
            "infinity" => Some(Self::Infinite),
            time => time.parse().ok().map(|Period(time)| Self::Within(time)),
        }
    }

    /// The value as systemd reads it, at least as long as this drain.
    pub(crate) fn at_least(self, drain: Duration) -> String {
        match self {
            Self::Within(time) => time.max(drain + MARGIN).as_secs_f64().ceil().to_string(),
            Self::Infinite => "infinity".to_owned(),
        }
    }
}

/// A word of a command line as systemd reads it (systemd.service(5)).
fn word(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    if text.contains(|c: char| c.is_whitespace() || "\"';".contains(c)) {
        format!("\"{escaped}\"")
    } else {
        escaped
    }
}

/// The stop commands of a unit and its drop-ins in the output of `systemctl cat`, without ours.
pub(crate) fn stop_commands(unit_text: &str) -> Vec<String> {
    let mut commands = vec![];
    let mut in_service = false;
    for line in whole_lines(unit_text) {
        if line.starts_with('[') {
            in_service = line == "[Service]";
        }
        let (key, value) = line.split_once('=').unwrap_or_default();
        if !in_service || key.trim_end() != "ExecStop" {
            continue;
        }
        match value.trim() {
            "" => commands.clear(),
            command if command.contains(OURS) => {}
            command => commands.push(command.to_owned()),
        }
    }
    commands
}

/// Lines as systemd reads them (systemd.syntax(7)): skips comments, also between the parts of a line that ends with a
/// backslash.
fn whole_lines(text: &str) -> Vec<String> {
    let mut lines = vec![];
    let mut begun: Option<String> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.starts_with(['#', ';'])) {
        let line = begun.take().map_or_else(|| line.to_owned(), |begun| begun + line);
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        if backslashes % 2 == 1 {
            begun = Some(format!("{} ", line[..line.len() - 1].trim_end()));
        } else {
            lines.push(line);
        }
    }
    lines.extend(begun);
    lines
}

/// The drop-in for a unit with these stop commands. `program` is dnsherald with its options, `drains` the longest time
/// that its commands take, `stop` the time limit of each command of the unit.
pub(crate) fn drop_in(
    unit: &str,
    program: &[String],
    own: &[String],
    drains: Duration,
    stop: StopTime,
) -> String {
    let program = program.iter().map(|text| word(text)).collect::<Vec<_>>().join(" ");
    let escaped = word(unit);
    let own: String = own.iter().map(|command| format!("ExecStop={command}\n")).collect();
    format!(
        "# Drains the services that {unit} answers for before it stops, however it is stopped.\n\
         {MARK}{unit}`; belongs in\n\
         # /etc/systemd/system/{unit}.d/dnsherald.conf, followed by `systemctl daemon-reload`.\n\
         [Service]\n\
         # The empty line clears the commands of the unit, so that ours runs first; the commands of the unit follow.\n\
         # `-`: a failure does not keep the unit from stopping. `+`: runs as root, which may use the helper's socket.\n\
         # It takes {drains} at most, and ends at once if no helper runs or the server has exited.\n\
         ExecStop=\n\
         ExecStop=-+{program} backend stopping {escaped}\n\
         {own}\
         # Ends the drain once all checks have new verdicts, and none takes the service down.\n\
         ExecStartPost=-+{program} backend started {escaped}\n\
         # Applies to each command: at least as long as the drain takes.\n\
         TimeoutStopSec={stop}\n",
        drains = Period(drains),
        stop = stop.at_least(drains),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: &str = "# /lib/systemd/system/named.service\n[Unit]\nDescription=BIND\n\n[Service]\nType=notify\n\
                         ExecStart=/usr/sbin/named -f $OPTIONS\nExecStop=/usr/sbin/rndc \\\n  stop\n\n\
                         # /etc/systemd/system/named.service.d/dnsherald.conf\n[Service]\nExecStop=\n\
                         ExecStop=-+/usr/bin/dnsherald backend stopping named.service\nExecStop=/usr/sbin/rndc stop\n\
                         ExecStop=-/bin/true\n[Install]\nExecStop=/no/such\n";

    #[test]
    fn the_units_own_commands_are_kept_in_their_order() {
        assert_eq!(stop_commands(NAMED), ["/usr/sbin/rndc stop", "-/bin/true"]);
        let before = NAMED.split_once("# /etc").unwrap().0;
        assert_eq!(stop_commands(before).len(), 1);
        assert_eq!(stop_commands("[Service]\nType=notify\n"), [""; 0]);
    }

    #[test]
    fn a_unit_is_read_as_systemd_reads_it() {
        let commands = |lines: &str| stop_commands(&format!("[Service]\n{lines}"));
        assert_eq!(commands("ExecStop = /bin/a\nExecStop\t=\t/bin/b\n"), ["/bin/a", "/bin/b"]);
        assert_eq!(commands("# moved \\\nExecStop=/bin/a\n"), ["/bin/a"], "no comment goes on");
        assert_eq!(commands("ExecStop=/bin/a \\\n# why\n; why\n  -x\n"), ["/bin/a -x"]);
        assert_eq!(commands("ExecStop=/bin/a c:\\\\\nExecStop=/bin/b\n"), ["/bin/a c:\\\\", "/bin/b"]);
        let kept = "-+!/bin/sh -c \"kill $MAINPID; echo %i ; 'x y'\" ; @/bin/b b %% $$";
        assert_eq!(commands(&format!("ExecStop={kept}\n")), [kept]);
    }

    #[test]
    fn ours_goes_first_and_has_the_time_it_needs() {
        let own = ["/usr/sbin/rndc stop".to_owned()];
        let program = ["/usr/bin/dnsherald".to_owned()];
        let longest = Duration::from_secs(120);
        let text = drop_in("named.service", &program, &own, longest, StopTime::DEFAULT);
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            lines,
            [
                "[Service]",
                "ExecStop=",
                "ExecStop=-+/usr/bin/dnsherald backend stopping named.service",
                "ExecStop=/usr/sbin/rndc stop",
                "ExecStartPost=-+/usr/bin/dnsherald backend started named.service",
                "TimeoutStopSec=125",
            ]
        );
        assert_eq!(stop_commands(&text), own, "made twice it is the same");
    }

    #[test]
    fn the_stop_timeout_of_the_unit_is_not_shortened() {
        let stop = |stop| {
            let text = drop_in("a.service", &["dnsherald".to_owned()], &[], Duration::from_secs(50), stop);
            text.lines().last().unwrap().to_owned()
        };
        assert_eq!(stop(StopTime::Infinite), "TimeoutStopSec=infinity");
        assert_eq!(stop(StopTime::Within(Duration::from_millis(600_500))), "TimeoutStopSec=601");
        assert_eq!(stop(StopTime::Within(Duration::from_secs(10))), "TimeoutStopSec=55");
    }

    #[test]
    fn systemd_reads_every_word_as_it_was_meant() {
        let program = ["/opt/dns herald/100%", "-c", "/etc/$x\"y.toml"].map(ToOwned::to_owned);
        let text = drop_in("kresd@my\\x2dnet.service", &program, &[], Duration::ZERO, StopTime::DEFAULT);
        let stop = "ExecStop=-+\"/opt/dns herald/100%%\" -c \"/etc/$$x\\\"y.toml\" backend stopping \
                    kresd@my\\\\x2dnet.service";
        assert!(text.lines().any(|line| line == stop), "{text}");
    }
}
