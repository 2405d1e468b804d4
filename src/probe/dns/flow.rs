//! One flow: several questions between the same two addresses and ports.
//!
//! Routers that spread packets over equal-cost paths usually keep a flow on one path. All answers of a [`UdpFlow`], and of
//! a [`converse`] over one TCP connection, then come from one node. A probe of a check uses a fresh port for each question
//! instead.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant as TokioInstant, timeout_at};

use super::Question;
use super::exchange::{Answered, Path, Trouble, read_response};
use super::here::Ignored;
use super::request::Request;
use super::response::Response;
use crate::outcome::{Cause, Failure};
use crate::probe::deadline::no_answer;
use crate::probe::locality::Locality;
use crate::text::period::Period;

/// A connected UDP socket: one local port for all questions.
#[derive(Debug)]
pub(crate) struct UdpFlow {
    socket: UdpSocket,
    server: SocketAddr,
    locality: Locality,
}

impl UdpFlow {
    /// Opens a socket with a fresh port, bound to `source` if there is one.
    ///
    /// # Errors
    /// The reason, if this host has no such socket or no route to the server.
    pub(crate) fn open(server: SocketAddr, source: Option<IpAddr>) -> Result<Self, Failure> {
        let locality = Locality::default();
        let socket = Path { server, source, locality: &locality }.datagram_socket();
        let socket = socket.and_then(|socket| Ok(UdpSocket::from_std(socket)?)).map_err(Failure::from)?;
        Ok(Self { socket, server, locality })
    }

    /// The local port.
    pub(crate) fn port(&self) -> u16 {
        self.socket.local_addr().map_or(0, |address| address.port())
    }

    /// Asks, and repeats the question once at half of `timeout`. The latency counts from the question that was answered.
    ///
    /// # Errors
    /// The reason why no answer came.
    pub(crate) async fn ask(
        &self,
        question: &Question,
        timeout: Duration,
    ) -> Result<(Response, Duration), Failure> {
        let began = TokioInstant::now();
        for end in [began + timeout / 2, began + timeout] {
            if let Ok(answered) = timeout_at(end, self.exchange(&question.stamp((self.server, None)))).await {
                return answered.map_err(Failure::from);
            }
        }
        Err(no_answer(timeout))
    }

    async fn exchange(&self, request: &Request) -> Answered {
        let path = Path { server: self.server, source: None, locality: &self.locality };
        let start = Instant::now();
        self.socket.send(request.octets()).await.map_err(|error| path.cannot_send(error))?;
        let response = path.response_on(&self.socket, request, &mut Ignored::default()).await?;
        Ok((response, start.elapsed()))
    }
}

/// The result of one TCP connection.
#[derive(Debug)]
pub(crate) struct Conversation {
    /// The time to establish the connection.
    pub(crate) connected: Duration,
    /// The answers, in the order of the questions, as far as they came.
    pub(crate) answers: Vec<Response>,
    /// Why the connection ended before the last answer.
    pub(crate) end: Option<Failure>,
}

/// Asks all questions over one TCP connection, one after the other. Each question leaves in two segments: a path that
/// spreads single packets over several nodes then breaks the connection.
///
/// # Errors
/// The reason why no connection was established within `timeout`.
pub(crate) async fn converse(
    server: SocketAddr,
    source: Option<IpAddr>,
    questions: &[&Question],
    timeout: Duration,
) -> Result<Conversation, Failure> {
    let locality = Locality::default();
    let path = Path { server, source, locality: &locality };
    let deadline = TokioInstant::now() + timeout;
    let (mut stream, start) = match timeout_at(deadline, path.connect()).await {
        // A closed port refuses the connection. A reset ends one that was established.
        Ok(Err(Trouble::Socket(error))) if error.kind() == ErrorKind::ConnectionReset => {
            let end = Some(Trouble::Socket(error).into());
            return Ok(Conversation { connected: Duration::ZERO, answers: vec![], end });
        }
        Ok(connected) => connected.map_err(Failure::from)?,
        Err(_) => {
            return Err(Failure::new(Cause::Timeout, format!("no connection within {}", Period(timeout))));
        }
    };
    let mut conversation = Conversation { connected: start.elapsed(), answers: vec![], end: None };
    for question in questions {
        let deadline = TokioInstant::now() + timeout;
        match timeout_at(deadline, ask_in_two_segments(&mut stream, &question.stamp((server, source)))).await
        {
            Ok(Ok(answer)) => conversation.answers.push(answer),
            Ok(Err(trouble)) => conversation.end = Some(trouble.into()),
            Err(_) => conversation.end = Some(no_answer(timeout)),
        }
        if conversation.end.is_some() {
            break;
        }
    }
    Ok(conversation)
}

async fn ask_in_two_segments(stream: &mut TcpStream, request: &Request) -> Result<Response, Trouble> {
    let framed = request.framed();
    let (first, second) = framed.split_at(framed.len() / 2);
    stream.write_all(first).await?;
    stream.write_all(second).await?;
    read_response(stream, request, &mut Ignored::default()).await
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::responder::{Fault, Responder};

    /// Answers take microseconds here. Only a fault without an answer waits so long.
    const TIMEOUT: Duration = Duration::from_millis(400);

    async fn responder(fault: Fault) -> Responder {
        let responder = Responder::bind(Ipv4Addr::LOCALHOST.into()).await.unwrap();
        responder.set(fault).await;
        responder
    }

    fn question() -> Question {
        Question::observing("id.server. TXT CH".parse().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn all_questions_of_a_udp_flow_leave_from_one_port() {
        let responder = responder(Fault::None).await;
        let flow = UdpFlow::open(responder.address(), None).unwrap();
        for _ in 0..3 {
            flow.ask(&question(), Duration::from_secs(20)).await.unwrap();
        }
        let ports: Vec<_> = responder.received().iter().map(|query| query.from.port()).collect();
        assert_eq!(ports, [flow.port(); 3]);
    }

    #[tokio::test]
    async fn a_lost_datagram_is_repeated_on_the_same_flow() {
        let responder = responder(Fault::LoseEvery(2)).await;
        let flow = UdpFlow::open(responder.address(), None).unwrap();
        for _ in 0..2 {
            flow.ask(&question(), Duration::from_secs(2)).await.unwrap();
        }
        assert_eq!(responder.received().len(), 3, "the second question was lost once");
    }

    #[tokio::test]
    async fn a_flow_without_an_answer_has_its_cause() {
        let cause = |fault| async {
            let responder = responder(fault).await;
            let flow = UdpFlow::open(responder.address(), None).unwrap();
            flow.ask(&question(), TIMEOUT).await.unwrap_err().cause
        };
        assert_eq!(cause(Fault::Silent).await, Cause::Timeout);
        assert_eq!(cause(Fault::Closed).await, Cause::PortClosed);
        assert_eq!(cause(Fault::CutShort).await, Cause::Malformed);
        assert_eq!(cause(Fault::WrongId).await, Cause::Timeout, "an answer with another ID is no answer");
    }

    #[tokio::test]
    async fn a_conversation_uses_one_connection() {
        let responder = responder(Fault::None).await;
        let question = question();
        let conversation =
            converse(responder.address(), None, &[&question; 3], Duration::from_secs(20)).await.unwrap();
        assert_eq!((conversation.answers.len(), conversation.end), (3, None));
        let mut ports: Vec<_> = responder.received().iter().map(|query| query.from.port()).collect();
        ports.dedup();
        assert_eq!(ports.len(), 1);
    }

    #[tokio::test]
    async fn a_refused_connection_differs_from_one_without_answers() {
        let question = question();
        let closed = responder(Fault::UdpOnly).await;
        let refused = converse(closed.address(), None, &[&question], TIMEOUT).await.unwrap_err();
        assert_eq!(refused.cause, Cause::PortClosed);

        for (fault, cause) in
            [(Fault::HangUp, Cause::Closed), (Fault::Silent, Cause::Timeout), (Fault::Drip, Cause::Timeout)]
        {
            let responder = responder(fault).await;
            let conversation = converse(responder.address(), None, &[&question; 2], TIMEOUT).await.unwrap();
            assert!(conversation.answers.is_empty());
            assert_eq!(conversation.end.map(|end| end.cause), Some(cause));
        }
    }
}
