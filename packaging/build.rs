//! Lays out the release binary for Linux. It drops the unwind tables, a seventh of the size, which `panic = "abort"` does
//! not need, and places the code that a healthy helper does not run behind the code that it runs, so that the kernel does
//! not load it into memory.
//!
//! The kernel maps 64 KiB around each page that a process touches. Functions in the order of the compiler make nearly the
//! whole program resident; sorted, a third stays on disk. The order changes nothing else.

use std::path::Path;
use std::process::Command;
use std::{env, fs};

/// Modules of dnsherald for other commands, rare checks and rare events.
const RARE_MODULES: [&str; 49] = [
    "backend::answers",
    "backend::bind",
    "backend::served",
    "backend::server::actions",
    "backend::server::questions",
    "commands::backend",
    "commands::completions",
    "commands::demo",
    "commands::doctor",
    "commands::drain",
    "commands::explain",
    "commands::healthcheck",
    "commands::helper",
    "commands::history",
    "commands::hold",
    "commands::identify",
    "commands::metrics",
    "commands::simulate",
    "commands::status",
    "config::file",
    "config::misplaced",
    "config::paste",
    "config::questions",
    "config::reference",
    "config::salvage",
    "control::client",
    "daemon::document",
    "daemon::requests",
    "doctor",
    "exabgp_conf",
    "healthcheck",
    "metrics",
    "picture",
    "probe::command",
    "probe::counters",
    "probe::dns::expect::data",
    "probe::dns::tls::certificate",
    "probe::freshness",
    "probe::identity",
    "probe::lookup",
    "program::child",
    "program::run",
    "responder",
    "restart",
    "simulate",
    "status",
    "sys::local_time",
    "timeline",
    "trace::read",
];

/// Crates for TLS, certificates, completions, metrics, time zones and the backtrace of a panic.
const RARE_CRATES: [&str; 19] = [
    "addr2line",
    "asn1_rs",
    "clap_complete",
    "data_encoding",
    "der_parser",
    "gimli",
    "idna",
    "miniz_oxide",
    "nom",
    "prometheus_client",
    "regex_lite",
    "ring",
    "rustc_demangle",
    "rustls",
    "tokio_rustls",
    "toml_datetime",
    "tz",
    "webpki",
    "x509_parser",
];

/// Other functions, as the compiler mangles their names: debug output, parsers of tables that few files have, sorting of
/// long lists, error paths.
const RARE_NAMES: [&str; 33] = [
    "unlikely.*",
    "_ZN*fmt..Debug*",
    "_ZN*serde_json..de..*",
    "_ZN10serde_core2de*",
    "_ZN*deserialize..__Visitor*",
    "_ZN12clap_builder5error*",
    "_ZN12clap_builder6output13help_template*",
    "_ZN*$LT$F$u20$as$u20$clap_builder..builder..value_parser*",
    "_ZN*core..pin..Pin*",
    "_ZN*futures_util..future..*",
    "_ZN4core5slice4sort6stable*",
    "_ZN4core5slice4sort8unstable*",
    "_ZN4core5slice4sort6shared5pivot*",
    "_ZN*describe..Description*",
    "_ZN9dnsherald6engine1_*",
    "_ZN9dnsherald*Deserialize$u20$for$u20$dnsherald..engine*",
    "_ZN4core5slice4sort6shared9smallsort12sort4*",
    "_ZN4core5slice4sort6shared9smallsort19*",
    "_ZN5alloc11collections5btree4node29*",
    "_ZN3std12backtrace_rs*",
    "_R*backtrace_rs*",
    "_R*gimli*",
    "_R*addr2line*",
    "_R*miniz_oxide*",
    "_R*rustc_demangle*",
    "_R*3std3sys7process*",
    "_ZN13hickory_proto2rr5rdata*from_tokens*",
    "_ZN13hickory_proto2rr5rdata4svcb*",
    "_ZN*hickory_proto..rr..rdata..svcb*",
    "_ZN13hickory_proto9serialize3txt*",
    "_ZN*tokio..future..maybe_done*",
    "_ZN9dnsherald6config3dns4kind*",
    "_ZN9dnsherald7outcome1_*Deserialize*",
];

/// Functions that a helper runs although a rule above matches them.
const FREQUENT_NAMES: [&str; 24] = [
    "_ZN9dnsherald6config4file*for$u20$dnsherald..config..file..Control$GT$*",
    "_ZN9dnsherald6config4file*for$u20$dnsherald..config..file..Node$GT$*",
    "_ZN9dnsherald6config4file*for$u20$dnsherald..config..file..Service$GT$*",
    "_ZN*$LT$dnsherald..config..file.._..*__FieldVisitor*",
    "_ZN9dnsherald6daemon8document7Subject*",
    "_ZN9dnsherald6engine6memory1_*",
    "_ZN9dnsherald6status4time*",
    "_ZN*futures_util..future..future..Map*",
    "_R*4core3fmt*",
    "_R*5alloc3vec*",
    "_R*5alloc7raw_vec*",
    "_R*4core5slice*",
    "unlikely._R*",
    "unlikely._ZN10serde_json*",
    "unlikely._ZN6rustix*",
    "unlikely._ZN9getrandom*",
    "unlikely._ZN5alloc*",
    "unlikely._ZN9hashbrown*",
    "_ZN4core3ptr*drop_in_place*",
    "_ZN6rustls6crypto*",
    "_ZN6rustls4msgs5enums*",
    "_ZN*rustls..crypto..ring*",
    "_ZN9dnsherald7metrics5tally*",
    "_ZN*dnsherald..metrics..tally*",
];

fn main() {
    println!("cargo::rerun-if-changed=packaging/build.rs");
    let is = |variable: &str, value: &str| env::var(variable).is_ok_and(|found| found == value);
    let variable = |name: &str| env::var(name).unwrap_or_default();
    for module in RARE_MODULES {
        let path = format!("{}/src/{}", variable("CARGO_MANIFEST_DIR"), module.replace("::", "/"));
        if !Path::new(&path).is_dir() && !Path::new(&format!("{path}.rs")).is_file() {
            println!("cargo::error=packaging/build.rs: no module {module}: name its new place, or remove it");
        }
    }
    // A linker of another system has no such scripts.
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") {
        let file = format!("{}/layout.ld", variable("OUT_DIR"));
        if let Err(error) = fs::write(&file, script()) {
            println!("cargo::error=cannot write {file}: {error}");
        }
        println!("cargo::rustc-link-arg-bins=-Wl,-T,{file}");
        if is("CARGO_CFG_TARGET_ENV", "gnu")
            && is("HOST", &variable("TARGET"))
            && loader_reads_packed_relocations()
        {
            println!("cargo::rustc-link-arg-bins=-Wl,-z,pack-relative-relocs");
        }
    }
}

/// Whether the C library here, and so that of the package, reads relocations in the packed form (`DT_RELR`), as glibc does
/// since 2.36. They take 200 KB otherwise, on disk and in memory.
fn loader_reads_packed_relocations() -> bool {
    let asked = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let answer = asked.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    // "glibc 2.36"
    let version = answer.trim().strip_prefix("glibc ").and_then(|version| version.split_once('.'));
    let version = version.and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    version.is_some_and(|version: (u32, u32)| version >= (2, 36))
}

/// The linker script, which GNU ld and LLD understand. The first pattern that matches takes a section, so the frequent
/// functions come first.
fn script() -> String {
    let frequent: String = FREQUENT_NAMES.iter().map(|name| section(name)).collect();
    let modules: String =
        RARE_MODULES.iter().map(|module| sections_of(&format!("dnsherald::{module}"), "")).collect();
    let crates: String = RARE_CRATES.iter().map(|name| sections_of(name, "$LT$")).collect();
    let names: String = RARE_NAMES.iter().map(|name| section(name)).collect();
    let cryptography = "*libring-*.rlib:*(.text .text.*)\n";
    let tables = "*(.eh_frame) *(.gcc_except_table .gcc_except_table.*)";
    format!(
        "SECTIONS {{\n.text.frequent : {{\n{frequent}}}\n.text.rare : {{\n{modules}{crates}{names}{cryptography}}}\n}} INSERT AFTER .text;\n\
         SECTIONS {{ /DISCARD/ : {{ {tables} }} }} INSERT AFTER .text;\n"
    )
}

/// The sections of the functions of a module or crate, and of the trait implementations of its types. `before` precedes the
/// path of a type in the mangled name of such an implementation.
fn sections_of(path: &str, before: &str) -> String {
    let parts: Vec<&str> = path.split("::").collect();
    let nested: String = parts.iter().map(|part| format!("{}{part}", part.len())).collect();
    section(&format!("_ZN{nested}*")) + &section(&format!("_ZN*{before}{}..*", parts.join("..")))
}

fn section(name: &str) -> String {
    format!("*(.text.{name})\n")
}
