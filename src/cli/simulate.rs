//! Options of `simulate` and `demo`.

use std::path::PathBuf;

use clap::Args;

use crate::outcome::Cause;
use crate::text::period::Period;
use crate::trace::share::Share;

/// The heading of the options that say what is shown.
const OUTPUT: &str = "Output";

/// Options of `simulate`.
#[derive(Args, Debug)]
pub(crate) struct Simulate {
    /// The configuration file; default: the configuration in the trace
    #[arg(short, long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The trace; `-` for standard input
    #[arg(short, long, value_name = "FILE", required_unless_present_any = ["flap", "mtbf", "loss"])]
    pub(crate) trace: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) generated: Generated,
    /// Play the trace with this configuration, too; show both summaries and where the lines differ
    #[arg(long, value_name = "FILE", help_heading = OUTPUT, conflicts_with_all = ["annotate", "json"])]
    pub(crate) compare: Option<PathBuf>,
    /// Print the summary alone; with --json as an object
    #[arg(long, help_heading = OUTPUT, conflicts_with_all = ["annotate", "compare"])]
    pub(crate) summary: bool,
    /// Draw a picture of outcomes, states, penalties and announcements to FILE; with --compare of both configurations
    #[arg(long, value_name = "FILE", help_heading = OUTPUT, conflicts_with = "annotate")]
    pub(crate) svg: Option<PathBuf>,
    /// Print the trace, with the effects of each line below it
    #[arg(long, help_heading = OUTPUT, conflicts_with = "json")]
    pub(crate) annotate: bool,
    /// Print every action of the engine as a line of JSON
    #[arg(long, help_heading = OUTPUT)]
    pub(crate) json: bool,
}

/// Options that generate a trace.
#[derive(Args, Debug)]
#[command(next_help_heading = "Generated traces")]
pub(crate) struct Generated {
    /// The server serves for TIME, fails for TIME, and so on
    #[arg(long, value_name = "TIME", conflicts_with_all = ["trace", "mtbf"])]
    pub(crate) flap: Option<Period>,
    /// The server fails at random, on average TIME after the last repair
    #[arg(long, value_name = "TIME", conflicts_with = "trace")]
    pub(crate) mtbf: Option<Period>,
    /// The mean time to a repair
    #[arg(long, value_name = "TIME", default_value = "1m", requires = "mtbf")]
    pub(crate) mttr: Period,
    /// The share of packets that is lost at random, such as 5%
    #[arg(long, value_name = "SHARE", conflicts_with = "trace")]
    pub(crate) loss: Option<Share>,
    /// What a probe finds while the server fails: a cause as in `on-fail`, such as timeout or refused; a wrong one prints the
    /// list
    #[arg(long, value_name = "CAUSE", default_value = "timeout", conflicts_with = "trace")]
    pub(crate) fault: Cause,
    /// The length of the trace
    #[arg(long = "for", value_name = "TIME", default_value = "10m", conflicts_with = "trace")]
    pub(crate) length: Period,
    /// The seed of the random numbers; default: a random one, which is printed
    #[arg(long, value_name = "NUMBER", conflicts_with = "trace")]
    pub(crate) seed: Option<u64>,
}

/// Options of `demo`.
#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// Draw a picture of outcomes, states, penalties and announcements to FILE
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
}
