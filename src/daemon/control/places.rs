//! The number of clients served at a time, on one socket.
//!
//! The status is for every user of the host, requests are for a group. A client that connects and does nothing, or reads
//! nothing, holds its place until [`CLIENT_TIMEOUT`] is over. So places are counted by user id, as the kernel reports it, and
//! root and the user of the helper have places that no other user can take: root's drain at a shutdown does not wait for
//! a script that hangs. A client without a place is dropped at once: its connection ends.
//!
//! All is bounded: `2 * RESERVED + OTHERS` connections on each socket, each with one request or one shared document.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::unistd::geteuid;
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::control::CLIENT_TIMEOUT;

/// Places of root, and as many of the user of the helper.
const RESERVED: usize = 64;

/// Places of any other user.
const EACH: usize = 4;

/// Places of all other users together.
const OTHERS: usize = 16;

/// How long a connection that could not be taken is tried with the spare descriptor.
const RETRY: Duration = Duration::from_millis(100);

/// Places, and who holds how many of them.
#[derive(Debug)]
struct Places {
    /// The user of the helper.
    owner: u32,
    held: BTreeMap<u32, usize>,
}

impl Places {
    const fn new(owner: u32) -> Self {
        Self { owner, held: BTreeMap::new() }
    }

    /// Whether the user has places of its own.
    const fn is_reserved_for(&self, user: u32) -> bool {
        user == 0 || user == self.owner
    }

    /// Takes a place for the user. False if there is none left.
    fn acquire(&mut self, user: u32) -> bool {
        let held = self.held.get(&user).copied().unwrap_or(0);
        let is_free = if self.is_reserved_for(user) {
            held < RESERVED
        } else {
            let others = self.held.iter().filter(|(user, _)| !self.is_reserved_for(**user));
            held < EACH && others.map(|(_, held)| held).sum::<usize>() < OTHERS
        };
        if is_free {
            self.held.insert(user, held + 1);
        }
        is_free
    }

    fn release(&mut self, user: u32) {
        if let Some(held) = self.held.get_mut(&user) {
            *held -= 1;
            if *held == 0 {
                self.held.remove(&user);
            }
        }
    }
}

/// A place of a user, until it is dropped.
struct Place {
    places: Arc<Mutex<Places>>,
    user: u32,
}

impl Place {
    fn acquire(places: &Arc<Mutex<Places>>, user: u32) -> Option<Self> {
        let is_taken = places.lock().unwrap_or_else(PoisonError::into_inner).acquire(user);
        is_taken.then(|| Self { places: Arc::clone(places), user })
    }

    /// A place of the user at the other end, if that user has one left.
    fn of(places: &Arc<Mutex<Places>>, stream: &UnixStream) -> Option<Self> {
        Self::acquire(places, stream.peer_cred().ok()?.uid())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().unwrap_or_else(PoisonError::into_inner).release(self.user);
    }
}

/// Accepts connections, and serves each client that has a place for [`CLIENT_TIMEOUT`] at most. An operator also asks
/// when the host has no descriptors left, so that one is kept for clients.
pub(super) async fn serve<F: Future<Output = io::Result<()>> + Send + 'static>(
    listener: UnixListener,
    attend: impl Fn(UnixStream) -> F,
) {
    let places = Arc::new(Mutex::new(Places::new(geteuid().as_raw())));
    let mut clients = JoinSet::new();
    let mut spare = spare_descriptor();
    loop {
        while clients.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, _)) => match Place::of(&places, &stream) {
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
                drop(spare.take());
                match timeout(RETRY, listener.accept()).await {
                    Ok(Ok((stream, _))) => {
                        if let Some(_place) = Place::of(&places, &stream) {
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
        spare = spare.or_else(spare_descriptor);
    }
}

/// Keeps the spare descriptor while none can be opened.
fn spare_descriptor() -> Option<File> {
    File::open("/dev/null").ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: u32 = 107;

    #[test]
    fn no_user_takes_the_places_of_another_nor_those_of_root_and_the_owner() {
        let mut places = Places::new(OWNER);
        let taken = |places: &mut Places, user| (0..1000).filter(|_| places.acquire(user)).count();
        assert_eq!(taken(&mut places, 1000), EACH);
        assert_eq!(taken(&mut places, 1001), EACH);
        let crowd: usize = (2000..2100).map(|user| taken(&mut places, user)).sum();
        assert_eq!(crowd, OTHERS - 2 * EACH);
        assert!(!places.acquire(3000));
        assert_eq!([taken(&mut places, 0), taken(&mut places, OWNER)], [RESERVED, RESERVED]);
        places.release(1000);
        assert!(places.acquire(3000));
    }

    #[test]
    fn a_client_that_leaves_is_forgotten() {
        let places = Arc::new(Mutex::new(Places::new(0)));
        for user in 0..1000 {
            assert!(Place::acquire(&places, user).is_some());
        }
        assert!(places.lock().unwrap().held.is_empty());
    }
}
