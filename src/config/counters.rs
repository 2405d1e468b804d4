//! The `counters` table of a check.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;

use super::bounds::Bound;
use super::defaults::PORT;
use super::file::{self, Placed};
use super::resolve::{CheckScope, Resolver, Result};
use crate::probe::counters::window::Limits;
use crate::probe::counters::{CountersProbe, Memory};
use crate::probe::dns::{DnsProbe, Question, Transport};

/// `window`: long enough that a burst does not count.
const WINDOW: Duration = Duration::from_secs(30);
/// `min-queries`.
const MIN_QUERIES: NonZeroU32 = NonZeroU32::new(100).expect("not zero");
/// `max-servfail-share`: names that fail on every resolver have a smaller share.
const MAX_SERVFAIL: f64 = 0.5;
/// `max-dropped-share`.
const MAX_DROPPED: f64 = 0.1;
/// `max-request-list-share`.
const MAX_REQUEST_LIST: f64 = 0.9;

const SHORTEST: Bound =
    Bound::least("window", Duration::from_secs(3), "control programs would run more than once a second");

impl Resolver<'_> {
    /// Builds the probe of a `counters` table.
    pub(super) fn counters(
        &self,
        written: &Spanned<file::Counters>,
        check: &CheckScope<'_>,
    ) -> Result<CountersProbe> {
        let table = written.get_ref();
        let window = self.period(&table.window, SHORTEST, WINDOW);
        let max_servfail = self.share("max-servfail-share", &table.max_servfail_share, MAX_SERVFAIL);
        let max_dropped = self.share("max-dropped-share", &table.max_dropped_share, MAX_DROPPED);
        let max_list = self.share("max-request-list-share", &table.max_request_list_share, MAX_REQUEST_LIST);
        let source = check.of.backend.filter(|backend| backend.counters.is_some()).cloned().ok_or_else(|| {
            let message = "the service has no backend with counters, expected `backend = \"…\"` in the service, of a kind \
                           that counts, or with `counters`";
            self.rule_error(&["backend"], &written.span(), message)
        });
        let server = SocketAddr::new(self.deciding_addresses(check.of.service)[0], PORT);
        let question = "localhost. A".parse().and_then(Question::observing);
        let question = question.map_err(|message| self.error(&written.span(), message));
        let limits = Limits {
            window: window?,
            min_queries: table.min_queries.unwrap_or(MIN_QUERIES),
            max_servfail: max_servfail?,
            max_dropped: max_dropped?,
            request_list: table.request_list,
            max_request_list: max_list?,
        };
        let source_address = self.source(server, None).unwrap_or(server.ip());
        let witness = DnsProbe {
            question: Arc::new(question?),
            server,
            source: Some(source_address),
            transport: Transport::Udp,
            timeout: check.timing.timeout,
            locality: check.locality.part_for([server.ip(), source_address]),
        };
        Ok(CountersProbe {
            source: Arc::new(source?),
            limits,
            has_one_address: false,
            witness,
            memory: Memory::default(),
        })
    }

    fn share(&self, key: &str, written: &Placed<f64>, default: f64) -> Result<f64> {
        match written {
            None => Ok(default),
            Some(share) if *share.get_ref() > 0.0 && *share.get_ref() <= 1.0 => Ok(*share.get_ref()),
            Some(share) => {
                let message = format!("{key} is {}, expected a share above 0, at most 1", share.get_ref());
                Err(self.value_error(&share.span(), message))
            }
        }
    }
}
