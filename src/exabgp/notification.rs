//! The names of BGP NOTIFICATION messages, which ExaBGP reports by number: "notification received (6,2)".

/// The name of the NOTIFICATION in the reason that ExaBGP gives for the end of a session, if there is one: by error code
/// (RFC 4271, section 4.5), for Cease by subcode (RFC 4486, RFC 8538).
pub(crate) fn name(reason: &str) -> Option<&'static str> {
    let (_, numbers) = reason.split_once('(')?;
    let (numbers, _) = numbers.split_once(')')?;
    let (code, subcode) = numbers.split_once(',')?;
    let number = |text: &str| text.trim().parse::<u8>().ok();
    Some(match (number(code)?, number(subcode)?) {
        (1, _) => "message header error",
        (2, 2) => "bad peer AS: its AS is not the one that the other side has configured",
        (2, 7) => "unsupported capability",
        (2, _) => "OPEN message error",
        (3, _) => "UPDATE message error",
        (4, _) => "hold timer expired: no message within the hold time",
        (5, _) => "message in the wrong state",
        (6, 1) => "maximum number of prefixes reached",
        (6, 2) => "administrative shutdown",
        (6, 3) => "neighbor removed from the configuration",
        (6, 4) => "administrative reset",
        (6, 5) => "connection rejected",
        (6, 6) => "other configuration change",
        (6, 7) => "connection collision",
        (6, 8) => "out of resources",
        (6, 9) => "hard reset",
        (6, _) => "cease",
        (7, _) => "route refresh error",
        (_, _) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_notification_have_a_name() {
        assert_eq!(name("notification received (6,2)"), Some("administrative shutdown"));
        assert_eq!(
            name("peer reset, message [notification sent (4, 0)]").map(|name| &name[..10]),
            Some("hold timer")
        );
        for other in
            ["", "closing connection", "(", "(6)", "(a,b)", "(99,0)", "stop, message [shutting down]"]
        {
            assert_eq!(name(other), None, "{other}");
        }
    }
}
