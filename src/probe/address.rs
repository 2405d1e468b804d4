//! Checks of addresses: whether the kernel delivers them on this host.
//!
//! Between two probes a [watch] repeats the look-up after every change of links, addresses, routes and rules.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::netlink::route::{Delivery, look_up};
use crate::outcome::{Cause, Outcome};
use crate::probe::dns::here::not_here;
use crate::text::joined;

pub(crate) mod watch;

/// The time between the two look-ups that show a missing address: it may be moving between two interfaces.
pub(crate) const APART: Duration = Duration::from_millis(20);

/// The addresses of a service; all of them have to be on this host.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct AddressProbe {
    /// At least one.
    pub(crate) addresses: Vec<IpAddr>,
    /// The VRF, by the name of its device.
    pub(crate) device: Option<String>,
}

/// The result of one look-up of all addresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Presence {
    /// All are on this host.
    Here,
    /// At least one is missing; with a sentence about it.
    Missing(String),
    /// The look-up failed, for this reason.
    Unknown(String),
}

impl AddressProbe {
    /// Looks up every address once; takes microseconds.
    pub(crate) fn look(&self) -> Presence {
        self.look_with(|address| look_up(address, self.device.as_deref()))
    }

    /// The same with another look-up function.
    pub(crate) fn look_with(&self, look_up: impl Fn(IpAddr) -> io::Result<Delivery>) -> Presence {
        let mut unknown = None;
        let mut missing = vec![];
        for address in &self.addresses {
            match look_up(*address) {
                Ok(Delivery::Here) => {}
                Ok(delivery) => missing.push(not_here(*address, self.device.as_deref(), delivery)),
                Err(error) => {
                    let why = format!("the kernel does not say whether {address} is on this host: {error}");
                    unknown.get_or_insert(why);
                }
            }
        }
        match (missing.as_slice(), unknown) {
            ([], None) => Presence::Here,
            ([], Some(why)) => Presence::Unknown(why),
            ([one], _) => Presence::Missing(one.clone()),
            ([first, others @ ..], _) => Presence::Missing(format!(
                "{first}; and {} more of {} addresses",
                others.len(),
                self.addresses.len()
            )),
        }
    }

    /// Probes once; looks up a missing address twice. Await it on a tokio runtime with time enabled.
    pub(crate) async fn ask(&self) -> Outcome {
        let began = Instant::now();
        let mut presence = self.look();
        if matches!(presence, Presence::Missing(_)) {
            tokio::time::sleep(APART).await;
            presence = self.look();
        }
        match presence {
            Presence::Here => Outcome::pass(began.elapsed()),
            Presence::Missing(why) => Outcome::from_cause(Cause::AddressMissing, why),
            Presence::Unknown(why) => Outcome::from_cause(Cause::Local, why),
        }
    }
}

impl fmt::Display for AddressProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&joined(&self.addresses, ", "))?;
        match &self.device {
            Some(device) => write!(f, " in {device}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_missing_address_is_enough_and_a_lack_of_answers_is_not() {
        let addresses = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|address| address.parse().unwrap());
        let probe = AddressProbe { addresses: addresses.into(), device: None };
        let look = |last: io::Result<Delivery>, others: Delivery| {
            let last = std::cell::RefCell::new(Some(last));
            probe.look_with(|address| if address == addresses[2] { last.take().unwrap() } else { Ok(others) })
        };
        assert_eq!(look(Ok(Delivery::Here), Delivery::Here), Presence::Here);
        let Presence::Missing(why) = look(Ok(Delivery::Elsewhere(None)), Delivery::Here) else { panic!() };
        assert_eq!(why, "192.0.2.3 is not on this host: the kernel would send to another one");
        let Presence::Missing(why) = look(Ok(Delivery::Here), Delivery::Nowhere("")) else { panic!() };
        assert!(why.ends_with("; and 1 more of 3 addresses"), "{why}");
        let lost = || Err(io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(matches!(look(lost(), Delivery::Here), Presence::Unknown(_)));
        assert!(matches!(look(lost(), Delivery::Nowhere("")), Presence::Missing(_)));
    }
}
