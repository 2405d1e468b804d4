//! Tells the helper how many questions a command sends, since the kernel counts them as it counts those of clients: before
//! each round as many as in the last one, and nothing before the first; then the correction.

use std::future::Future;

use tokio::time::timeout;

use crate::control::client::Client;
use crate::control::{CLIENT_TIMEOUT, Request};
use crate::probe::own::Asked;

/// Reports to the helper.
pub(super) struct QuestionReporter<'a> {
    helper: Option<&'a Client>,
    /// What the last round asked.
    last: Asked,
}

impl<'a> QuestionReporter<'a> {
    pub(super) fn new(helper: &'a Client) -> Self {
        Self { helper: helper.has_a_socket().then_some(helper), last: Asked::default() }
    }

    /// Reports as many questions as in the last round, asks, and corrects the number.
    pub(super) async fn report<T>(&mut self, questions: impl Future<Output = T>) -> T {
        let expected = self.last;
        self.tell(expected).await;
        let before = Asked::by_us();
        let answers = questions.await;
        self.last = Asked::by_us().beyond(before);
        self.tell(self.last.beyond(expected)).await;
        answers
    }

    /// A helper that refuses it, as an older one does, or that hangs, is not told again.
    async fn tell(&mut self, asked: Asked) {
        if asked == Asked::default() {
            return;
        }
        let Some(helper) = self.helper else { return };
        let told = timeout(CLIENT_TIMEOUT, helper.request(&Request::Asked(asked))).await;
        if !matches!(told, Ok(Ok(_))) {
            self.helper = None;
        }
    }
}
