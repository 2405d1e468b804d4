//! The number of clients served at a time, on one socket.
//!
//! The status is for every user of the host, requests are for a group. A client that connects and does nothing, or reads
//! nothing, holds its place until [`CLIENT_TIMEOUT`] is over. So places are counted by user id, as the kernel reports it, and
//! root and the user of the helper have places that no other user can take: root's drain at a shutdown does not wait for
//! a script that hangs. A client without a place is dropped at once: its connection ends.
//!
//! All is bounded: `2 * RESERVED + OTHERS` connections on each socket, each with one request or one shared document.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use nix::unistd::geteuid;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::control::CLIENT_TIMEOUT;
use crate::sys::places::{Held, Place, Places};

/// Places of root, and as many of the user of the helper.
const RESERVED: usize = 64;

/// Places of any other user.
const EACH: usize = 4;

/// Places of all other users together.
const OTHERS: usize = 16;

/// How long a connection that could not be taken is tried with the spare descriptor.
const RETRY: Duration = Duration::from_millis(100);

/// Whether there is a place for this user. `owner` is the user of the helper.
fn has_place(held: &Held<u32>, user: u32, owner: u32) -> bool {
    let is_reserved_for = |user: u32| user == 0 || user == owner;
    let own = held.get(&user).copied().unwrap_or(0);
    if is_reserved_for(user) {
        return own < RESERVED;
    }
    let others = held.iter().filter(|(user, _)| !is_reserved_for(**user));
    own < EACH && others.map(|(_, held)| held).sum::<usize>() < OTHERS
}

/// A place of the user at the other end, if that user has one left.
fn place_of(stream: &UnixStream, places: &Arc<Places<u32>>) -> Option<Place<u32>> {
    let (user, owner) = (stream.peer_cred().ok()?.uid(), geteuid().as_raw());
    places.take(user, |held| has_place(held, user, owner))
}

/// A descriptor that is kept for clients, since an operator also asks when the host has none left. Empty while none can be
/// opened.
#[derive(Debug)]
pub(super) struct Spare(Option<File>);

impl Spare {
    pub(super) fn new() -> Self {
        Self(File::open("/dev/null").ok())
    }

    /// Frees the descriptor.
    fn release(&mut self) {
        self.0 = None;
    }

    /// Keeps a descriptor again, if one is free.
    fn renew(&mut self) {
        if self.0.is_none() {
            *self = Self::new();
        }
    }
}

/// Accepts connections, and serves each client that has a place for [`CLIENT_TIMEOUT`] at most.
pub(super) async fn serve<F: Future<Output = io::Result<()>> + Send + 'static>(
    listener: UnixListener,
    mut spare: Spare,
    attend: impl Fn(UnixStream) -> F,
) {
    let places = Places::<u32>::new();
    let mut clients = JoinSet::new();
    loop {
        while clients.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => match place_of(&stream, &places) {
                Some(place) => {
                    let attended = timeout(CLIENT_TIMEOUT, attend(stream));
                    clients.spawn(async move {
                        // A client that is slow or gone affects only itself.
                        drop(attended.await);
                        drop(place);
                    });
                }
                // A client that connects again and again must not block the loop.
                None => tokio::task::yield_now().await,
            },
            // There is probably no descriptor left. The spare one serves one client after the other.
            Err(_) => {
                spare.release();
                match timeout(RETRY, listener.accept()).await {
                    Ok(Ok((stream, _))) => {
                        if let Some(_place) = place_of(&stream, &places) {
                            drop(timeout(CLIENT_TIMEOUT, attend(stream)).await);
                        }
                    }
                    // The client has gone, or something else has taken the descriptor.
                    Ok(Err(_)) => tokio::time::sleep(RETRY).await,
                    Err(_) => {}
                }
            }
        }
        // The descriptor of the client that was served last is free.
        spare.renew();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: u32 = 107;

    #[test]
    fn no_user_takes_the_places_of_another_nor_those_of_root_and_the_owner() {
        let places = Places::<u32>::new();
        let take = |user| places.take(user, |held| has_place(held, user, OWNER));
        let all = |user| (0..1000).map_while(|_| take(user)).collect::<Vec<_>>();
        let (first, second) = (all(1000), all(1001));
        assert_eq!([first.len(), second.len()], [EACH, EACH]);
        let crowd: Vec<_> = (2000..2100).flat_map(all).collect();
        assert_eq!(crowd.len(), OTHERS - 2 * EACH);
        assert!(take(3000).is_none());
        assert_eq!([all(0).len(), all(OWNER).len()], [RESERVED, RESERVED]);
        drop(first);
        assert!(take(3000).is_some());
    }
}
