//! Probes: one question to one address over one transport, and the verdict on its answer.
//!
//! A check asks all its probes at once ([`round`]); each is a [`dns::Probe`] on a fresh socket. Others run a command
//! ([`mod@command`]), watch a process ([`mod@process`]) or an address ([`address`]). What they find is
//! folded into one [`Outcome`](crate::outcome::Outcome), which is all that the engine learns of the network.

pub mod address;
pub mod command;
mod deadline;
pub mod dns;
pub mod inquiry;
pub mod locality;
pub mod process;
pub mod round;
