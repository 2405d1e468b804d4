//! A socket at its place, with its mode.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, fchmod};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with};
use rustix::process::geteuid;
use tokio::net::UnixListener;

use crate::sys::files::set_mode;

/// Connections that wait in the kernel's queue.
const BACKLOG: i32 = 1024;

/// The file of a socket.
#[derive(Clone, Debug)]
pub(super) struct Socket {
    path: PathBuf,
    /// Tells it from that of a successor.
    inode: u64,
}

impl Socket {
    /// Binds under another name, sets the mode, and renames: no client sees a socket with another mode, or none.
    pub(super) fn bind(path: &Path, mode: u32) -> Result<(Self, UnixListener), String> {
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let bound = || -> io::Result<(Self, UnixListener)> {
            let _ = fs::remove_file(&beside);
            let listener = listen(&beside, mode)?;
            let inode = fs::symlink_metadata(&beside)?.ino();
            fs::rename(&beside, path)?;
            Ok((Self { path: path.to_owned(), inode }, listener))
        };
        bound().map_err(|error| {
            let _ = fs::remove_file(&beside);
            format!("cannot listen at {}: {error}", path.display())
        })
    }

    /// Unless the socket of a successor is there.
    pub(super) fn remove(&self) {
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }

    /// Whether it is at its path.
    pub(super) fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| found.ino() == self.inode)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Listens at a free path. The socket there never has more than this mode.
fn listen(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // The new socket has the mode of the directory entry before it, without the bits of the umask.
    fchmod(&socket, Mode::from_raw_mode(mode))?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    set_mode(path, mode, |found| found.file_type().is_socket() && found.uid() == geteuid().as_raw())?;
    rustix::net::listen(&socket, BACKLOG)?;
    UnixListener::from_std(socket.into())
}
