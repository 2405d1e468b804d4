//! What the package ships: manual pages that name everything, a configuration to start from, units that systemd accepts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use dnsherald::cli::Cli;
use dnsherald::config::Config;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// A head for every table that a configuration may have. The tables are as many as in `src/config/file.rs`.
const TABLES: [&str; 14] = [
    "",
    "[node]\n",
    "[exabgp]\n",
    "[control]\n",
    "[defaults]\n",
    "[backend.unbound]\n",
    "[backend.unbound.heal]\n",
    "[[service]]\n",
    "[service.up]\n",
    "[service.dampening]\n",
    "[[service.check]]\n",
    "[service.check.process]\n",
    "[service.check.dns]\n",
    "[service.check.dns.expect]\n",
];

/// Every key of a table: what serde says it expected in place of another.
fn keys(table: &str) -> BTreeSet<String> {
    const SERVICE: &str = "[[service]]\nname = \"s\"\nprefixes = [\"192.0.2.1/32\"]\n";
    const CHECK: &str = "[[service.check]]\nname = \"c\"\n";
    let before = match table {
        table if table.starts_with("[service.check") => format!("{SERVICE}{CHECK}"),
        table if table.starts_with("[service.") || table.starts_with("[[service.") => SERVICE.to_owned(),
        _ => String::new(),
    };
    let text = format!("{before}{table}no-such-key = 1\n");
    let error = Config::parse(Path::new("f"), &text, "host").unwrap_err().to_string();
    let (_, expected) = error.split_once("unknown field `no-such-key`, expected ").expect(&error);
    let expected = expected.lines().next().unwrap();
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// The words that a page of mdoc sets in the face of commands or options.
fn marked(page: &str) -> BTreeSet<String> {
    let words = page.lines().filter(|line| line.starts_with('.')).flat_map(str::split_whitespace);
    words.map(|word| word.trim_matches([',', '.', '(', ')']).to_owned()).collect()
}

#[test]
fn the_tables_are_all_there_are() {
    let tables = read("src/config/file.rs").matches("deny_unknown_fields").count();
    assert_eq!(
        tables,
        TABLES.len(),
        "another table: name it here, in the manual page and in the shipped file"
    );
}

#[test]
fn every_key_stands_in_its_manual_page() {
    let words = marked(&read("packaging/man/dnsherald.toml.5"));
    for table in TABLES {
        for key in keys(table) {
            let is_table = TABLES[1..].iter().any(|table| table.contains(&key));
            assert!(is_table || words.contains(&key), "{key} of {table} is missing in dnsherald.toml(5)");
        }
    }
}

#[test]
fn every_command_and_option_stands_in_its_manual_page() {
    let page = read("packaging/man/dnsherald.8");
    let words = marked(&page);
    let mut missing = vec![];
    let mut see = |name: &str, command: &clap::Command| {
        if !page.contains(&format!(".It Ic {name}")) && command.get_subcommands().count() == 0 {
            missing.push(name.to_owned());
        }
        for option in command.get_arguments().filter_map(clap::Arg::get_long) {
            // As mdoc writes `--watch`: `Fl -watch`.
            if !words.contains(&format!("-{option}")) {
                missing.push(format!("{name} --{option}"));
            }
        }
    };
    for command in Cli::command().get_subcommands() {
        see(command.get_name(), command);
        for below in command.get_subcommands() {
            see(&format!("{} {}", command.get_name(), below.get_name()), below);
        }
    }
    assert_eq!(missing, [""; 0]);
}

#[test]
fn the_manual_pages_are_well_formed() {
    for page in ["packaging/man/dnsherald.8", "packaging/man/dnsherald.toml.5"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
        let checks: [(&str, &[&str]); 2] =
            [("mandoc", &["-Tlint", "-Wwarning"]), ("groff", &["-mandoc", "-z", "-ww", "-Tutf8"])];
        for (program, options) in checks {
            let Ok(output) = Command::new(program).args(options).arg(&path).output() else { continue };
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(output.status.success() && said.trim().is_empty(), "{program}: {said}");
        }
    }
}

/// A key, or the head of a table, that is commented out: the `#` stands right before it.
fn setting(line: &str) -> Option<&str> {
    line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c == '[' || c.is_ascii_lowercase()))
}

/// The shipped configuration, with the lines of these numbers in force.
fn with(lines: &[&str], chosen: &[usize]) -> Option<String> {
    let line = |(number, line): (usize, &&str)| match setting(line) {
        Some(setting) if chosen.contains(&number) => format!("{setting}\n"),
        _ => format!("{line}\n"),
    };
    let text: String = lines.iter().enumerate().map(line).collect();
    Config::parse(Path::new("dnsherald.toml"), &text, "host").err().map(|error| error.to_string())
}

#[test]
fn the_shipped_configuration_is_valid_and_announces_nothing() {
    let text = read("packaging/dnsherald.toml");
    let config = Config::parse(Path::new("dnsherald.toml"), &text, "host").unwrap_or_else(|e| panic!("{e}"));
    let installed = Path::new("/etc/dnsherald/dnsherald.toml");
    assert!(config.services.iter().all(|service| service.disable_file.as_deref() == Some(installed)));
}

#[test]
fn the_shipped_configuration_names_every_key() {
    let text = read("packaging/dnsherald.toml");
    for table in TABLES {
        for key in keys(table) {
            let is_table = TABLES[1..].iter().any(|table| table.contains(&key));
            let named = [format!("#{key} = "), format!("\n{key} = "), format!(" {key} = ")];
            let named = named.iter().any(|form| text.contains(form));
            assert!(is_table || named, "{key} of {table} is missing in packaging/dnsherald.toml");
        }
    }
}

#[test]
fn every_line_of_the_shipped_configuration_can_be_put_in_force() {
    let text = read("packaging/dnsherald.toml");
    let lines: Vec<_> = text.lines().collect();
    // Tables that are commented out as a whole end with an empty line.
    let mut blocks: Vec<Vec<usize>> = vec![];
    let mut single = vec![];
    let mut inside = false;
    for (number, line) in lines.iter().enumerate() {
        match setting(line) {
            Some(head) if head.starts_with('[') && !inside => {
                inside = true;
                blocks.push(vec![number]);
            }
            Some(_) if inside => blocks.last_mut().unwrap().push(number),
            Some(_) => single.push(number),
            None => inside = inside && !line.is_empty(),
        }
    }
    assert!(blocks.len() > 4 && single.len() > 30, "{} tables, {} lines", blocks.len(), single.len());
    for block in &blocks {
        // A check that degrades needs a line elsewhere that says what that means.
        let refused = with(&lines, block);
        let helped = single.iter().any(|line| with(&lines, &[&block[..], &[*line]].concat()).is_none());
        assert!(refused.is_none() || helped, "{}", refused.unwrap_or_default());
    }
    for number in single {
        // Some need the line beside them, or one of the tables.
        let beside = [number - 1, number + 1].map(|other| vec![number, other]).into_iter();
        let tables = blocks.iter().map(|block| [&[number][..], block].concat());
        let alone = with(&lines, &[number]);
        let together = beside.chain(tables).any(|chosen| with(&lines, &chosen).is_none());
        assert!(alone.is_none() || together, "{}\n{}", lines[number], alone.unwrap_or_default());
    }
}

#[test]
fn the_shipped_line_of_healthcheck_is_understood() {
    let text = read("exabgp-configs/healthcheck/exabgp.conf");
    let (_, line) = text.split_once("run /usr/bin/dnsherald ").unwrap();
    let (line, _) = line.split_once(';').unwrap();
    // ExaBGP takes what stands in quotes as one word.
    let quoted = line.split('"').enumerate().flat_map(|(number, text)| match number % 2 {
        0 => text.split_whitespace().collect(),
        _ => vec![text],
    });
    let words: Vec<_> = quoted.chain(["--print-config"]).collect();
    let output = crate::cli::dnsherald(&words);
    assert!(output.status.success(), "{}", crate::cli::stderr(&output));
    assert!(crate::cli::stdout(&output).contains("prefixes = [\"192.0.2.53/32\"]"));
}

/// A folder of units that is gone when the test is.
struct Units(PathBuf);

impl Units {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("dnsherald-units-{name}-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    /// A unit as somebody else's package has it, and the drop-ins that we ship for it.
    fn with(&self, unit: &str, text: &str, drop_ins: &Path) {
        fs::write(self.0.join(unit), text).unwrap();
        let folder = self.0.join(format!("{unit}.d"));
        fs::create_dir(&folder).unwrap();
        for entry in fs::read_dir(drop_ins).unwrap() {
            let file = entry.unwrap();
            let text = fs::read_to_string(file.path()).unwrap().replace("/usr/bin/dnsherald", "/bin/true");
            fs::write(folder.join(file.file_name()), text).unwrap();
        }
    }

    /// Nothing to complain about, where systemd is here to say so.
    fn verify(&self, unit: &str) {
        let verify =
            Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(self.0.join(unit)).output();
        let Ok(output) = verify else { return };
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.trim().is_empty(), "{unit}: {said}");
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn systemd_accepts_the_units() {
    let systemd = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    let units = Units::new("exabgp");
    // What Debian's unit says that ours builds upon.
    let exabgp = "[Service]\nRuntimeDirectory=exabgp\nRuntimeDirectoryMode=0750\nExecStart=/bin/true\nRestart=always\n";
    units.with("exabgp.service", exabgp, &systemd.join("exabgp.service.d"));
    fs::copy(systemd.join("dnsherald-drain.service"), units.0.join("dnsherald-drain.service")).unwrap();
    units.verify("exabgp.service");
    units.verify("dnsherald-drain.service");
}

#[test]
fn systemd_accepts_the_drop_ins_of_the_servers() {
    let units = Units::new("backends");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/backends");
    for entry in fs::read_dir(folder).unwrap() {
        let drop_ins = entry.unwrap().path();
        let unit = drop_ins.file_name().unwrap().to_str().unwrap().trim_end_matches(".d").to_owned();
        units.with(&unit, "[Service]\nType=notify\nExecStart=/bin/true\n", &drop_ins);
        units.verify(&unit);
    }
}
