//! The fields of a message: what it is about, as data beside its sentence.

use log::kv::{Error, Key, Source, Value, VisitSource};
use serde::Serialize;

/// The strings of an event that become fields; the others stand in its sentence.
const FIELDS: [&str; 8] = ["service", "check", "neighbor", "state", "from", "to", "route", "why"];

/// Names and values.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Fields(Vec<(String, String)>);

impl Fields {
    #[cfg(test)]
    pub(super) fn new<const N: usize>(fields: [(&str, &str); N]) -> Self {
        Self(fields.map(|(key, value)| (key.to_owned(), value.to_owned())).into())
    }

    /// The fields of an event, whose name is that of its variant: `event`, and those of [`FIELDS`] that it has.
    pub(crate) fn from_event(event: &impl Serialize) -> Self {
        use serde_json::Value;
        let variant = match serde_json::to_value(event) {
            Ok(Value::String(name)) => Some((name, Value::Null)),
            Ok(Value::Object(variant)) => variant.into_iter().next(),
            _ => None,
        };
        let Some((name, data)) = variant else { return Self::default() };
        let others =
            FIELDS.iter().filter_map(|key| Some((key.to_string(), data.get(key)?.as_str()?.to_owned())));
        Self([("event".to_owned(), name)].into_iter().chain(others).collect())
    }

    /// The fields of a message on its way to the log.
    pub(super) fn from_record(record: &log::Record<'_>) -> Self {
        struct Visitor(Vec<(String, String)>);

        impl<'kvs> VisitSource<'kvs> for Visitor {
            fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
                self.0.push((key.to_string(), value.to_string()));
                Ok(())
            }
        }

        let mut visitor = Visitor(vec![]);
        // This visitor never fails.
        let _ = record.key_values().visit(&mut visitor);
        Self(visitor.0)
    }

    /// Each name with its value.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }
}

impl Source for Fields {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), Error> {
        self.iter().try_for_each(|(key, value)| visitor.visit_pair(Key::from_str(key), Value::from(value)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    enum Event {
        ParentGone,
        Check { service: String, number: u32, why: Option<String> },
    }

    #[test]
    fn an_event_has_its_name_and_the_strings_of_its_subject() {
        let event = Event::Check { service: "dns".to_owned(), number: 3, why: None };
        assert_eq!(Fields::from_event(&event), Fields::new([("event", "check"), ("service", "dns")]));
        assert_eq!(Fields::from_event(&Event::ParentGone), Fields::new([("event", "parent-gone")]));
    }

    #[test]
    fn the_log_carries_the_fields() {
        let fields = Fields::new([("event", "check"), ("service", "dns")]);
        let record = log::Record::builder().key_values(&fields).build();
        assert_eq!(Fields::from_record(&record), fields);
    }
}
