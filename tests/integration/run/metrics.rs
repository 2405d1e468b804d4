//! Metrics of a helper that runs.

use crate::support::helper::Pop;

#[test]
fn the_command_prints_what_the_helper_has_counted() {
    let pop = Pop::new();
    let _helper = pop.settled();
    let text = pop.told(&["metrics"]);
    for line in [
        "dnsherald_up 1.0",
        "dnsherald_configuration_valid 1.0",
        "dnsherald_service_state{service=\"resolver\",state=\"up\"} 1.0",
        "dnsherald_transitions_total{service=\"resolver\",state=\"up\"} 1",
        "dnsherald_prefix_acknowledged_announced{service=\"resolver\",prefix=\"192.0.2.53/32\"} 1.0",
    ] {
        assert!(text.lines().any(|written| written == line), "`{line}` is missing from\n{text}");
    }
    let passed = "dnsherald_probes_total{service=\"resolver\",check=\"answers\",result=\"pass\",cause=\"\"} ";
    assert!(text.contains(passed) && text.contains("dnsherald_probe_duration_seconds_bucket"), "{text}");
}
