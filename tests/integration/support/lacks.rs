//! What a test does if the system lacks something it needs.

/// Passes without a look in a partial run. Fails in the full run (`DNSHERALD_FULL=1`) and names what is missing.
#[track_caller]
pub(crate) fn lacks(what: &str) {
    let is_full = std::env::var_os("DNSHERALD_FULL").is_some_and(|value| value == "1");
    assert!(!is_full, "DNSHERALD_FULL=1 leaves no test out, and this system has no {what}");
}
