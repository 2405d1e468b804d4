//! A DNS response with its size and the time of its receipt.

use std::ops::Deref;
use std::time::SystemTime;

use hickory_resolver::proto::op::Message;

/// A parsed message, and what parsing loses.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(super) message: Box<Message>,
    /// The length of the encoded message.
    pub(crate) octets: usize,
    /// When it was received, to compare with times in the message.
    pub(super) at: SystemTime,
}

impl Deref for Response {
    type Target = Message;

    fn deref(&self) -> &Message {
        &self.message
    }
}
