//! [`UnixSocket`]: a listening socket that is the owner's alone from its first moment to its last.
//!
//! Between `bind` and a change of mode a socket may be open to everyone, and the process's umask is
//! everyone's. So it is bound inside a directory that only its owner can enter, and appears at its
//! path, by a hard link, when its mode is right. Unlike a rename, a link replaces nothing: of two
//! servers that start at once, one is told of the other. Those that find a stale socket there take
//! turns with it, by a lock on its directory, so that none removes what another has just put there.

use std::fs::{self, DirBuilder, File, Metadata, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixListener as StdUnixListener};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};

/// Times that something else may come and go at the path while it is looked at.
const ATTEMPTS: u32 = 8;
/// How often the directory's lock is tried, and the pause between: a second in all. Another server
/// has it for less than a millisecond.
const LOCK_ATTEMPTS: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct UnixSocket {
    // Dropped first: while the listener is open, no other file has its number.
    file: SocketFile,
    listener: UnixListener,
}

impl UnixSocket {
    /// Listens at `path`, or says why not.
    pub(super) async fn bind(path: &Path) -> Result<Self, String> {
        let path = std::path::absolute(path).map_err(|error| error.to_string())?;
        let directory = path.parent().ok_or("wanted is the path of a socket")?;
        // Too long for a socket, most of all.
        SocketAddr::from_pathname(&path).map_err(|error| error.to_string())?;
        let hidden = HiddenDirectory::create_in(directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        let (listener, id) = hidden.listen().map_err(|error| error.to_string())?;
        let file = hidden.publish(path, id).await?;
        Ok(Self { file, listener })
    }

    pub(super) fn path(&self) -> &Path {
        &self.file.path
    }

    pub(super) fn listener(&self) -> &UnixListener {
        &self.listener
    }
}

/// Which file it is, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FileId {
    device: u64,
    inode: u64,
}

impl From<&Metadata> for FileId {
    fn from(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

fn file_id(path: &Path) -> io::Result<FileId> {
    fs::symlink_metadata(path).map(|metadata| FileId::from(&metadata))
}

/// The name that clients find the socket by. Dropped, it is removed, if it is still that socket's.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    id: FileId,
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if file_id(&self.path).is_ok_and(|id| id == self.id) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// A directory for a moment, which only its owner can enter.
#[derive(Debug)]
struct HiddenDirectory {
    path: PathBuf,
}

impl HiddenDirectory {
    fn create_in(directory: &Path) -> io::Result<Self> {
        let mut number = 0;
        loop {
            // Short: a socket's path has some hundred bytes at most.
            let path = directory.join(format!(".b{:x}.{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists && number < ATTEMPTS => {
                    number += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn socket(&self) -> PathBuf {
        self.path.join("s")
    }

    /// A socket in it that is its owner's alone, wherever it is linked to.
    fn listen(&self) -> io::Result<(UnixListener, FileId)> {
        let socket = self.socket();
        let listener = StdUnixListener::bind(&socket)?;
        fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok((UnixListener::from_std(listener)?, file_id(&socket)?))
    }

    /// Gives the socket the name that clients find it by.
    async fn publish(&self, path: PathBuf, id: FileId) -> Result<SocketFile, String> {
        let mut turn = None;
        for _ in 0..ATTEMPTS {
            match fs::hard_link(self.socket(), &path) {
                Ok(()) => return Ok(SocketFile { path, id }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error.to_string()),
            }
            if turn.is_none() {
                turn = Some(lock(path.parent()).await?);
            }
            if let Some(stale) = find_stale(&path).await? {
                self.take_away(&path, stale)?;
            }
        }
        Err("other servers come and go there".to_owned())
    }

    /// Removes the socket that was found stale, and no other that may have come since.
    fn take_away(&self, path: &Path, stale: FileId) -> Result<(), String> {
        let aside = self.path.join("o");
        match fs::rename(path, &aside) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(format!("what is there cannot be replaced: {error}")),
        }
        let is_stale = file_id(&aside).is_ok_and(|id| id == stale);
        if !is_stale {
            let _ = fs::hard_link(&aside, path);
        }
        fs::remove_file(&aside).map_err(|error| error.to_string())?;
        if is_stale { Ok(()) } else { Err("another server begins to listen there".to_owned()) }
    }
}

impl Drop for HiddenDirectory {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.socket());
        let _ = fs::remove_dir(&self.path);
    }
}

/// The turn to replace what is in the directory, until it is dropped; `None` where a directory
/// cannot be locked.
async fn lock(directory: Option<&Path>) -> Result<Option<File>, String> {
    let Some(Ok(directory)) = directory.map(File::open) else { return Ok(None) };
    for _ in 0..LOCK_ATTEMPTS {
        match directory.try_lock() {
            Ok(()) => return Ok(Some(directory)),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
            Err(TryLockError::Error(_)) => return Ok(None),
        }
    }
    Err("a stale socket is there, and somebody keeps its directory locked".to_owned())
}

/// The socket at `path` if nobody answers on it; `None` if nothing is there any more; an error if
/// it must not be replaced.
async fn find_stale(path: &Path) -> Result<Option<FileId>, String> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if !metadata.file_type().is_socket() {
        return Err("something that is no socket is there already".to_owned());
    }
    // Does not wait, even if whoever listens there accepts nobody.
    match UnixStream::connect(path).await {
        Ok(_) => Err("somebody listens there already".to_owned()),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(Some((&metadata).into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("a socket is there that may be in use: {error}")),
    }
}
