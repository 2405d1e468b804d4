//! Probes: one question to one address over one transport, and the verdict on its answer.
//!
//! A check asks all its probes at once ([`round`]); each is a [`dns::Probe`] on a fresh socket. Others run a command
//! ([`mod@command`]) or watch a process ([`mod@process`]). What they find is
//! folded into one [`Outcome`](crate::outcome::Outcome), which is all that the engine learns of the network.

pub mod command;
mod deadline;
pub mod dns;
pub mod inquiry;
pub mod process;
pub mod round;
