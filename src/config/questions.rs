//! The questions of a `dns` table, and what it expects of the answers and of the certificate.

use std::ops::Range;
use std::sync::Arc;

use hickory_resolver::proto::rr::{RData, RecordType};
use toml::Spanned;

use super::file::{self, Dns, Expect, Placed, value};
use super::resolve::{Refused, Resolver, Result};
use super::value::{OneOrMany, Text};
use crate::engine::check::Timing;
use crate::probe::dns::{
    Bounds, Expectation, Options, Query, Question, Rcode, Rcodes, Tls, record_data, tls_name,
};

/// Maximum length of the path of a request over HTTPS, in characters.
const LONGEST_PATH: usize = 255;

/// Stands for the name of the node in an expected NSID.
const NODE: &str = "{node}";

impl Resolver<'_> {
    /// The questions, in the order of the file. `place` is that of the table.
    pub(super) fn questions(
        &self,
        dns: &Dns,
        place: &Range<usize>,
        timing: Timing,
    ) -> Result<Vec<Arc<Question>>> {
        let tls = Arc::new(self.tls(dns.tls.as_ref())?);
        let encode = |query: &Query, options, expect| {
            let question = Question::with(query.clone(), options, expect);
            question
                .map(|question| Arc::new(question.over(Arc::clone(&tls))))
                .map_err(|message| self.error(place, message))
        };
        let options = options(dns);
        if let Some(validates) = &dns.validates {
            let expect = self.expectation_beside_validates(dns, &validates.span(), timing)?;
            let (good, bogus) = (&validates.get_ref().good.0, &validates.get_ref().bogus.0);
            let ad = "ad".parse().map_err(|message: String| self.error(place, message))?;
            let servfail = Rcodes::one_of([Rcode::SERVFAIL]);
            return Ok(vec![
                encode(good, options, Expectation { flags: vec![ad], ..expect.clone() })?,
                encode(bogus, options, Expectation { rcodes: servfail, ..expect.clone() })?,
                // If this question could fail as well, the name would be unreachable, not bogus.
                encode(bogus, Options { checking_disabled: true, ..options }, expect)?,
            ]);
        }
        let refused = match (&dns.query, dns.queries.is_empty()) {
            (None, true) => {
                let message = "no query, expected `query = \"NAME TYPE\"`";
                Err(self.rule_error(&["query", "queries", "validates"], place, message))
            }
            (Some(query), false) => {
                let message = "`query` and `queries` in one check, expected one of them";
                Err(self.value_error(&query.span(), message))
            }
            _ => Ok(()),
        };
        // Read every question before failing, so that all errors are reported.
        let expected = |query: &Query| self.expectation(&dns.expect, query.record_type(), timing);
        let queries = dns.query.iter().map(Spanned::get_ref).chain(&dns.queries);
        let questions: Vec<_> = queries.map(|Text(query)| encode(query, options, expected(query)?)).collect();
        refused?;
        questions.into_iter().collect()
    }

    /// The expectations that `validates` permits: the identifier and the latency.
    fn expectation_beside_validates(
        &self,
        dns: &Dns,
        place: &Range<usize>,
        timing: Timing,
    ) -> Result<Expectation> {
        if dns.query.is_some() || !dns.queries.is_empty() {
            let message = "`validates` beside `query` or `queries` in one check, expected one of them";
            return Err(self.value_error(place, message));
        }
        if let Some(pass) = &dns.pass {
            return Err(
                self.error(&pass.span(), "`pass` beside `validates`, which needs all answers, expected none")
            );
        }
        if !dns.recursion_desired || dns.checking_disabled {
            let message = "`validates` needs recursion and validation, expected neither recursion-desired = false nor \
                           checking-disabled = true";
            return Err(self.value_error(place, message));
        }
        let Expect { nsid, max_latency, .. } = &dns.expect;
        let left = Expect { nsid: nsid.clone(), max_latency: max_latency.clone(), ..Expect::default() };
        if left != dns.expect {
            let message =
                "`validates` says what is expected, expected nothing but nsid and max-latency in `expect`";
            return Err(self.value_error(place, message));
        }
        self.expectation(&left, RecordType::ANY, timing)
    }

    /// The expectations of the answer to a question for this type.
    fn expectation(&self, written: &Expect, asked: RecordType, timing: Timing) -> Result<Expectation> {
        let rcodes = match &written.rcode {
            Some(rcodes) => {
                let words = rcodes.get_ref().0.iter().map(String::as_str);
                Rcodes::from_words(words).map_err(|message| self.value_error(&rcodes.span(), message))
            }
            None => Ok(Expectation::default().rcodes),
        };
        let max_latency = match &written.max_latency {
            Some(latency) if latency.get_ref().0 > timing.timeout => {
                let message =
                    "max-latency is longer than the timeout and has no effect, expected at most the timeout";
                Err(self.rule_error(&["timeout", "interval"], &latency.span(), message))
            }
            latency => Ok(value(latency).map(|latency| latency.0)),
        };
        let seconds = |period: &Placed<crate::text::period::Period>| {
            period.as_ref().map(|period| Spanned::new(period.span(), period.get_ref().0.as_secs() as u32))
        };
        let all_of = self.records(written.all_of.as_ref(), asked);
        let any_of = self.records(written.any_of.as_ref(), asked);
        let exactly = self.records(written.exactly.as_ref(), asked);
        let answers = self.bounds("answers", &written.min_answers, &written.max_answers);
        let authority = self.bounds("authority", &written.min_authority, &written.max_authority);
        let additional = self.bounds("additional", &written.min_additional, &written.max_additional);
        let ttl = self.bounds("ttl", &seconds(&written.min_ttl), &seconds(&written.max_ttl));
        let size = self.bounds("size", &written.min_size, &written.max_size);
        let (answers, exactly) = (answers?, exactly?);
        Ok(Expectation {
            rcodes: rcodes?,
            flags: written.flags.iter().flat_map(|flags| &flags.get_ref().0).copied().collect(),
            not_empty: value(&written.not_empty).unwrap_or_default(),
            min_answers: answers.min.unwrap_or_default(),
            max_answers: answers.max,
            authority: authority?,
            additional: additional?,
            all_of: all_of?,
            any_of: any_of?,
            exactly: written.exactly.as_ref().map(|_| exactly),
            matches: written.matches.as_ref().map(|pattern| pattern.get_ref().0.clone()),
            no_cname: value(&written.no_cname).unwrap_or_default(),
            ttl: ttl?,
            size: size?,
            signature_left: value(&written.signature_left).map(|left| left.0),
            nsid: written.nsid.as_ref().map(|nsid| nsid.replace(NODE, &self.node)),
            max_latency: max_latency?,
        })
    }

    /// The table `tls`, or its defaults.
    fn tls(&self, written: Option<&Spanned<file::Tls>>) -> Result<Tls> {
        let Some(written) = written.map(Spanned::get_ref) else { return Ok(Tls::default()) };
        let read = |name: &Spanned<String>| {
            tls_name(name.get_ref()).map_err(|message| self.value_error(&name.span(), message))
        };
        let name = written.name.as_ref().map(read).transpose();
        let path = match &written.path {
            Some(path) if !is_path(path.get_ref()) => {
                let message = format!(
                    "`{}` is not a path, expected one such as `/dns-query`",
                    path.get_ref().escape_debug()
                );
                Err(self.value_error(&path.span(), message))
            }
            path => Ok(path.as_ref().map(|path| path.get_ref().clone())),
        };
        Ok(Tls {
            path: path?.unwrap_or_else(|| Tls::default().path),
            name: name?,
            pins: written.pin.values(),
            left: value(&written.certificate_left).map(|left| left.0),
        })
    }

    /// The bounds `min-KEY` and `max-KEY`; the first must not be above the second.
    fn bounds<T: Copy + PartialOrd + std::fmt::Display>(
        &self,
        key: &str,
        min: &Placed<T>,
        max: &Placed<T>,
    ) -> Result<Bounds<T>> {
        match (min, max) {
            (Some(min), Some(max)) if min.get_ref() > max.get_ref() => {
                let (min, place, max) = (min.get_ref(), max.span(), max.get_ref());
                let message = format!("max-{key} is {max}, expected at least min-{key}, which is {min}");
                Err(self.value_error(&place, message))
            }
            _ => Ok(Bounds { min: value(min), max: value(max) }),
        }
    }

    fn records(&self, written: Option<&Spanned<OneOrMany<String>>>, asked: RecordType) -> Result<Vec<RData>> {
        let Some(written) = written else { return Ok(vec![]) };
        let error = |message: String| -> Refused { self.value_error(&written.span(), message) };
        let records = written.get_ref().0.iter().map(|text| record_data(asked, text).map_err(error));
        records.collect::<Vec<_>>().into_iter().collect()
    }
}

fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.len() <= LONGEST_PATH && text.bytes().all(|octet| octet.is_ascii_graphic())
}

fn options(dns: &Dns) -> Options {
    Options {
        recursion_desired: dns.recursion_desired,
        checking_disabled: dns.checking_disabled,
        authentic_data: dns.authentic_data,
        dnssec_ok: dns.dnssec_ok,
        edns: dns.edns.0,
        cookie: dns.cookie,
        follow_truncation: value(&dns.follow_truncation).unwrap_or_default(),
    }
}
