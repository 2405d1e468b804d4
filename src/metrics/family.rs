//! Families of samples, as the encoder takes them.

use std::fmt;

use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeLabel, EncodeLabelSet, LabelSetEncoder, MetricEncoder,
    NoLabelSet,
};
use prometheus_client::metrics::MetricType;

use crate::status::totals::BOUNDS;

/// The labels of a sample. The encoder escapes their values. A label without a value is left out, since it would mean the
/// same.
pub(super) type Labels<'a, const N: usize> = [(&'static str, &'a str); N];

/// Writes families, each with its help text. A family without samples is left out.
#[derive(Debug)]
pub(super) struct Families<'a>(pub(super) DescriptorEncoder<'a>);

impl Families<'_> {
    pub(super) fn gauges<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, f64)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Gauge, samples, |mut sample, value| sample.encode_gauge(&value))
    }

    /// A gauge without labels.
    pub(super) fn gauge(&mut self, name: &str, help: &str, value: f64) -> fmt::Result {
        self.gauges(name, help, [([], value)])
    }

    /// A family of counters. The encoder appends `_total` to the name.
    pub(super) fn counters<'l, const N: usize, V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, V)>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Counter, samples, |mut sample, value| {
            sample.encode_counter::<NoLabelSet, _, u64>(&value, None)
        })
    }

    /// A family of histograms over [`BOUNDS`]: the count of each bucket, not cumulated, and the sum of all values.
    pub(super) fn histograms<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels<'l, N>, (&'l [u64], f64))>,
    ) -> fmt::Result {
        self.family(name, help, MetricType::Histogram, samples, |mut sample, (counts, sum)| {
            let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
            let buckets: Vec<_> = bounds.zip(counts.iter().copied()).collect();
            sample.encode_histogram::<NoLabelSet>(sum, counts.iter().sum(), &buckets, None)
        })
    }

    fn family<'l, const N: usize, V>(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        samples: impl IntoIterator<Item = (Labels<'l, N>, V)>,
        encode: impl Fn(MetricEncoder<'_>, V) -> fmt::Result,
    ) -> fmt::Result {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut metric = self.0.encode_descriptor(name, help, None, kind)?;
        samples.try_for_each(|(labels, value)| encode(metric.encode_family(&LabelSet(&labels))?, value))
    }
}

struct LabelSet<'a>(&'a [(&'static str, &'a str)]);

impl EncodeLabelSet for LabelSet<'_> {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        let mut with_value = self.0.iter().filter(|(_, value)| !value.is_empty());
        with_value.try_for_each(|label| label.encode(encoder.encode_label()))
    }
}
