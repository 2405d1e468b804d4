//! The log as data.

use serde_json::Value;

use crate::support::helper::{ANNOUNCE, Pop, ideal};

#[test]
fn each_line_of_a_json_log_is_an_object_with_fields() {
    let pop = Pop::new();
    let mut helper = pop.helper_with(&["--log-format", "json"], ideal("5.0.15"));
    helper.opens();
    helper.says(ANNOUNCE);
    helper.logs("ANNOUNCED");
    let log = helper.log();
    let objects: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    for object in &objects {
        let is_text = |key: &str| object[key].as_str().is_some_and(|value| !value.is_empty());
        assert!(["time", "level", "message"].into_iter().all(is_text), "{object}");
    }
    let change = objects.iter().find(|object| object["event"] == "service").unwrap();
    let fields = ["service", "from", "to", "level"].map(|key| change[key].as_str().unwrap());
    assert_eq!(fields, ["resolver", "starting", "up", "notice"]);
}
