//! The server on a unix socket: whose it is, and what else may be at its path.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use tempfile::TempDir;

use super::*;

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn names(directory: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(directory.path()).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn serve(path: &Path, bursar: &Bursar) -> Result<StatsServer, Error> {
    StatsServer::unix(path).start(Endpoints::new(bursar))
}

fn is_served(path: &Path) -> bool {
    UnixStream::connect(path).is_ok_and(is_answered)
}

#[test]
fn a_socket_is_its_owners_alone_and_gone_when_the_server_is() {
    let _turn = take_turn();
    let (bursar, directory) = (start(), directory());
    let path = directory.path().join("stats.sock");
    let server = serve(&path, &bursar).unwrap();
    assert_eq!((server.path(), server.local_addr()), (Some(&*path), None));
    let metadata = fs::symlink_metadata(&path).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    assert_eq!(names(&directory), ["stats.sock"], "nothing is left of how it was made");
    assert!(is_served(&path));

    server.stop();
    assert_eq!(names(&directory), [""; 0]);
    let again = serve(&path, &bursar).unwrap();
    drop(server);
    assert!(is_served(&path));
    drop(again);
    assert_eq!(names(&directory), [""; 0]);
}

#[test]
fn a_socket_that_nobody_answers_on_is_replaced() {
    let _turn = take_turn();
    let (bursar, directory) = (start(), directory());
    let path = directory.path().join("stats.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(UnixStream::connect(&path).is_err());
    let _server = serve(&path, &bursar).unwrap();
    assert!(is_served(&path));
    assert_eq!(names(&directory), ["stats.sock"]);
}

#[test]
fn a_socket_that_is_answered_is_left_alone_also_where_nobody_is_accepted() {
    let _turn = take_turn();
    let (bursar, directory) = (start(), directory());
    let path = directory.path().join("stats.sock");
    let server = serve(&path, &bursar).unwrap();
    let error = serve(&path, &bursar).unwrap_err();
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    assert!(reason(error).contains("somebody listens there already"));
    assert!(is_served(&path));
    drop(server);

    let silent = UnixListener::bind(&path).unwrap();
    reason(serve(&path, &bursar).unwrap_err());
    drop(silent);
    fs::remove_file(&path).unwrap();
    let _other_kind = UnixDatagram::bind(&path).unwrap();
    let refused = reason(serve(&path, &bursar).unwrap_err());
    assert!(refused.contains("may be in use"), "{refused}");
}

#[test]
fn what_is_no_socket_is_left_alone() {
    let _turn = take_turn();
    let (bursar, directory) = (start(), directory());
    let path = directory.path().join("precious");
    fs::write(&path, "data").unwrap();
    assert!(reason(serve(&path, &bursar).unwrap_err()).contains("no socket"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "data");

    let link = directory.path().join("link");
    std::os::unix::fs::symlink(directory.path().join("nowhere"), &link).unwrap();
    assert!(reason(serve(&link, &bursar).unwrap_err()).contains("no socket"));
    assert!(reason(serve(directory.path(), &bursar).unwrap_err()).contains("no socket"));
    assert_eq!(names(&directory).len(), 2, "nothing is left of the attempts");
}

#[test]
fn a_file_that_has_taken_the_sockets_place_is_not_removed() {
    let _turn = take_turn();
    let (bursar, directory) = (start(), directory());
    let path = directory.path().join("stats.sock");
    let server = serve(&path, &bursar).unwrap();
    fs::remove_file(&path).unwrap();
    let successor = UnixListener::bind(&path).unwrap();
    server.stop();
    assert!(UnixStream::connect(&path).is_ok());
    drop(successor);
}

#[test]
fn paths_that_no_socket_can_have_are_errors() {
    let _turn = take_turn();
    let (bursar, directory) = (start(), directory());
    let long = directory.path().join("x".repeat(120));
    reason(serve(&long, &bursar).unwrap_err());
    let nowhere = directory.path().join("nowhere/stats.sock");
    assert!(reason(serve(&nowhere, &bursar).unwrap_err()).contains("nowhere"));
    reason(serve(Path::new(""), &bursar).unwrap_err());
    reason(serve(Path::new("/"), &bursar).unwrap_err());
    assert_eq!(names(&directory), [""; 0]);
}

#[test]
fn of_servers_that_start_at_once_one_has_the_socket_and_the_others_an_error() {
    let _turn = take_turn();
    let (bursar, directory) = (start(), directory());
    for round in 0..20 {
        let path = directory.path().join(format!("{round}.sock"));
        if round % 2 == 0 {
            drop(UnixListener::bind(&path).unwrap());
        }
        let barrier = Barrier::new(4);
        let servers: Vec<_> = thread::scope(|scope| {
            let start = || {
                barrier.wait();
                serve(&path, &bursar)
            };
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(start)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        let started = servers.iter().filter(|server| server.is_ok()).count();
        assert_eq!(started, 1, "round {round}");
        assert!(is_served(&path), "round {round}");
        drop(servers);
        assert_eq!(names(&directory), [""; 0], "round {round}");
    }
}
