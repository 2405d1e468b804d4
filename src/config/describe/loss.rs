//! How often a little random loss makes a check take its service down, and how soon much of it does.
//!
//! A question is lost with a probability that stands for the way there and back. A probe over UDP asks three times within
//! its timeout; a round fails if one of its probes had no answer, and counts the share of those whose first question was
//! lost. Both figures are bounds; the tests compare them with simulated checks.

use std::fmt;
use std::time::Duration;

use crate::engine::check::Timing;
use crate::engine::hysteresis::WindowRule;
use crate::text::period::Period;

const TEN_YEARS: f64 = 10.0 * 365.25 * 86_400.0;

/// The losses of the description: one that hardly ever takes the service down, one that degrades, one that brings down.
const LITTLE: f64 = 0.05;
const MUCH: f64 = 0.3;
const MOST: f64 = 0.6;

/// The share of cases that takes longer than stated.
const REST: f64 = 0.01;

/// A longer time is not stated.
const LONGEST: Duration = Duration::from_secs(3600);

/// The most multiplications for one figure: `check-config` returns at once.
const COSTLY: u64 = 20_000_000;

/// The effect of random loss on a check that sends so many probes over UDP, all of which must pass.
pub(super) fn describe(f: &mut fmt::Formatter<'_>, timing: &Timing, probes: u32) -> fmt::Result {
    let Some(window) = timing.thresholds.window else { return Ok(()) };
    if !is_cheap(window, timing.thresholds.fall.get(), probes) {
        return Ok(());
    }
    let (in_a_row, by_window) = falls_in_ten_years(timing, LITTLE, probes);
    write!(
        f,
        "    at a random loss of 5 % it takes the service down at most {:.2} times in ten years",
        in_a_row + by_window
    )?;
    if let Some(time) = degrades_within(timing, MUCH, probes) {
        write!(f, "; 30 % degrades it within {}", Period(time))?;
    }
    if let Some(time) = falls_within(timing, MOST, probes) {
        write!(f, "; 60 % takes it down within {}", Period(time))?;
    }
    writeln!(f, ", in 99 of 100 cases")
}

/// The figures take about as many multiplications: each round moves the weight of each state.
fn is_cheap(window: WindowRule, fall: u32, probes: u32) -> bool {
    let factors = [window.of.get(), window.of.get(), fall, probes, probes];
    factors.into_iter().fold(1, |product, factor| u64::from(factor).saturating_mul(product)) < COSTLY
}

/// The probability that a probe asks three times without an answer.
fn unanswered(loss: f64) -> f64 {
    loss.powi(3)
}

/// The probability that a round fails, and that it passes with 0, 1, … of its probes answered late.
fn round(loss: f64, probes: u32) -> (f64, Vec<f64>) {
    let passes: Vec<f64> = (0..=probes)
        .map(|lost| {
            let late = (loss - unanswered(loss)).powi(lost.cast_signed());
            let at_once = (1.0 - loss).powi((probes - lost).cast_signed());
            choose(probes, lost) * late * at_once
        })
        .collect();
    (1.0 - (1.0 - unanswered(loss)).powi(probes.cast_signed()), passes)
}

fn choose(n: u32, k: u32) -> f64 {
    (0..k).map(|i| f64::from(n - i) / f64::from(i + 1)).product()
}

/// How often the check takes its service down in ten years at a constant loss: a bound for failures in a row, and one for the window.
pub(crate) fn falls_in_ten_years(timing: &Timing, loss: f64, probes: u32) -> (f64, f64) {
    // In the short rounds after a failure, too.
    let rounds = 1.1 * TEN_YEARS / timing.interval.as_secs_f64();
    let (fails, _) = round(loss, probes);
    let in_a_row = rounds * fails.powi(timing.thresholds.fall.get().cast_signed());
    let by_window = timing.thresholds.window.map_or(0.0, |window| rounds * holds(window, loss, probes));
    (in_a_row, by_window)
}

/// The probability that a full window holds enough failures. Weights are multiples of 1 / `probes`.
fn holds(window: WindowRule, loss: f64, probes: u32) -> f64 {
    let n = probes as usize;
    let (fails, mut weights) = round(loss, probes);
    weights[n] += fails;
    let mut sums = vec![1.0];
    for _ in 0..window.of.get() {
        let mut next = vec![0.0; sums.len() + n];
        for (sum, p) in sums.iter().enumerate() {
            for (weight, q) in weights.iter().enumerate() {
                next[sum + weight] += p * q;
            }
        }
        sums = next;
    }
    sums[window.failures.get() as usize * n..].iter().sum()
}

/// The time within which the check takes its service down at this loss, in all but [`REST`] of the cases; `None` if it is long.
pub(crate) fn falls_within(timing: &Timing, loss: f64, probes: u32) -> Option<Duration> {
    within(timing, timing.thresholds.window?, loss, probes)
}

/// The same for degrading, for which the window needs half as many failures.
pub(crate) fn degrades_within(timing: &Timing, loss: f64, probes: u32) -> Option<Duration> {
    within(timing, timing.thresholds.halved().window?, loss, probes)
}

/// Stated in rounds that are as long as the interval; those after a failure are shorter. Where a window is not enough,
/// the next one is judged as if it began anew.
fn within(timing: &Timing, window: WindowRule, loss: f64, probes: u32) -> Option<Duration> {
    let left = remaining(window, timing.thresholds.fall.get() as usize, loss, probes);
    let whole = *left.last()?;
    let (mut windows, mut share) = (0, 1.0);
    while share * whole > REST {
        windows += 1;
        share *= whole;
        if timing.interval * window.of.get() * windows > LONGEST {
            return None;
        }
    }
    let rounds = left.iter().position(|left| share * left <= REST)? + 1;
    let rounds = window.of.get() * windows + u32::try_from(rounds).ok()?;
    // The loss begins within a round.
    Some(timing.interval * (rounds + 1)).filter(|time| *time <= LONGEST)
}

/// The probability that no verdict has come after 1, 2, … rounds, up to the length of the window: neither `fall` failures
/// in a row nor the failures of the window.
fn remaining(window: WindowRule, fall: usize, loss: f64, probes: u32) -> Vec<f64> {
    let (fails, passes) = round(loss, probes);
    let n = probes as usize;
    let full = window.failures.get() as usize * n;
    // By the failures in a row, then by the sum of the window.
    let mut states = vec![vec![0.0; full]; fall];
    states[0][0] = 1.0;
    let after_round = |_| {
        let mut next = vec![vec![0.0; full]; fall];
        for (row, sums) in states.iter().enumerate() {
            for (sum, p) in sums.iter().enumerate().filter(|(_, p)| **p > 0.0) {
                if row + 1 < fall && sum + n < full {
                    next[row + 1][sum + n] += p * fails;
                }
                for (lost, q) in passes.iter().enumerate().filter(|(lost, _)| sum + lost < full) {
                    next[0][sum + lost] += p * q;
                }
            }
        }
        states = next;
        states.iter().flatten().sum()
    };
    (0..window.of.get()).map(after_round).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;
    use crate::config::describe::Description;

    /// What is told of the loss on the checks of a service with four addresses.
    fn told(lines: &str) -> Vec<String> {
        let text = format!(
            "[node]\nmanagement = [\"10.1.0.2\"]\n[[service]]\nname = \"a\"\nprefixes = [\"192.0.2.53/32\", \
             \"192.0.2.54/32\", \"192.0.2.55/32\", \"192.0.2.56/32\"]\n{lines}"
        );
        let config = Config::parse(Path::new("test.toml"), &text, "host").unwrap();
        let description = Description(&config).to_string();
        let lines = description.lines().filter(|line| line.contains("random loss"));
        lines.map(|line| line.trim_start().to_owned()).collect()
    }

    #[test]
    fn the_effect_of_loss_is_told_of_checks_that_it_brings_down() {
        let [answers] = &told("role = \"resolver\"\n")[..] else { panic!() };
        assert!(
            answers.starts_with(
                "at a random loss of 5 % it takes the service down at most 0.04 times in ten years; "
            ),
            "{answers}"
        );
        let rest = ["; 30 % degrades it within ", "; 60 % takes it down within ", ", in 99 of 100 cases"];
        assert!(rest.iter().all(|words| answers.contains(words)), "{answers}");
        let own = |keys: &str| {
            told(&format!(
                "[[service.check]]\nname = \"own\"\n{keys}\ndns = {{ query = \"localhost. A\" }}\n"
            ))
        };
        assert_eq!(own("").len(), 1);
        assert_eq!(own("on-fail = \"degraded\"").len(), 0, "it brings nothing down");
        assert_eq!(own("fall = { failures = 3, of = 0 }").len(), 0, "without a window");
        let costly = "[[service.check]]\nname = \"own\"\nfall = { failures = 500, of = 1000 }\n\
                      dns = { query = \"localhost. A\", server = [\"192.0.2.53\", \"192.0.2.54\", \"192.0.2.55\"] }\n";
        assert_eq!(told(costly).len(), 0, "it would take long to compute");
        assert_eq!(
            own("fall = { consecutive = 4294967295, failures = 30, of = 60 }").len(),
            0,
            "and much memory"
        );
    }
}
