//! One attempt of a stub resolver: a question over UDP, and over TCP if the answer is truncated.

use std::time::Instant;

use hickory_resolver::proto::op::Message;

use super::DnsProbe;
use super::exchange::Trouble;
use super::here::Ignored;
use crate::outcome::Failure;
use crate::probe::deadline::Deadline;

impl DnsProbe {
    /// Asks once, without a repetition, and returns the answer, whatever it says, within the timeout.
    pub(crate) async fn attempt(&self) -> Result<Box<Message>, Failure> {
        let deadline = Deadline::after(self.timeout);
        let found = tokio::select! {
            biased;
            answered = self.ask_plainly() => answered.map_err(Failure::from),
            () = deadline.passed() => Err(deadline.missed(Instant::now())),
        };
        found.map_err(|Failure { cause, detail }| Failure::new(cause, format!("{self}: {detail}")))
    }

    async fn ask_plainly(&self) -> Result<Box<Message>, Trouble> {
        let request = self.question.stamp(self.ends());
        let (answer, _) = self.path().udp(&request, &mut Ignored::default()).await?;
        if !answer.truncation {
            return Ok(answer.message);
        }
        let request = self.question.stamp(self.ends());
        self.path().tcp(&request, &mut Ignored::default()).await.map(|(whole, _)| whole.message)
    }
}
