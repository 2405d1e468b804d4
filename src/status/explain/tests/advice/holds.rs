//! The advice for a service that is drained and held.

use super::*;

/// The end of a drain under a hold returns a service whose checks fail.
#[test]
fn the_advice_to_undrain_names_the_hold_that_then_announces() {
    let mut document: Document = serde_json::from_str(ANNOUNCED).unwrap();
    held(&mut document);
    drained(&mut document);
    let hold = "without its drains it is announced at once, whatever its checks say: held by alice; to end that: `dnsherald \
                unhold resolver --as alice`";
    assert_eq!(remedies_of(&document)[1], hold);
    first(&mut document).drains[0].returning = true;
    let advice = remedies_of(&document);
    assert!(advice.iter().all(|text| !text.contains("unhold")), "the checks must pass: {advice:?}");
    first(&mut document).drains[0].expires_in_seconds = Some(30.0);
    let advice = remedies_of(&document);
    assert!(advice.iter().any(|text| text == hold), "it ends with its time, too: {advice:?}");
}
