//! Drains: the word of an operator, a restart or a unit that a service is to attract no traffic.
//!
//! Each drain has a holder: the operator, a restart of the DNS server, the unit that is about to stop. A service is
//! drained as long as there is one.

pub(crate) use super::order::RESTARTS;
pub use super::order::{Holder, Lasts, Lift, Order, Reason};

/// One drain.
pub(crate) type Drain = super::order::Standing;

/// A drain as it survives a restart.
pub(crate) type RememberedDrain = super::order::RememberedOrder;

/// The drains of one service, by holder.
pub(crate) type Drains = super::order::Orders;
