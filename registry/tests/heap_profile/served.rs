//! Over a real socket.

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use bursar::{Endpoints, HeapProfile, StatsServer, Tag};

use super::sampling;

static IMAGES: Tag = Tag::new("images");
static SOUNDS: Tag = Tag::new("sounds");

#[inline(never)]
fn decode_image() -> Vec<u8> {
    black_box(vec![1u8; 500_000])
}

#[inline(never)]
fn record_sound() -> Vec<u8> {
    black_box(vec![2u8; 50_000])
}

/// Status line with header, and body.
fn get(address: SocketAddr, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap(), body)
}

pub(super) fn it_is_served_in_each_format() {
    let bursar = sampling(20_000);
    let images: Vec<_> = IMAGES.scope(|| (0..20).map(|_| decode_image()).collect());
    let endpoints = Endpoints::new(&bursar).profile(true);
    let server = StatsServer::tcp("127.0.0.1:0").start(endpoints).unwrap();
    let address = server.local_addr().unwrap();

    let (head, body) = get(address, "/profile?tag=images");
    assert!(head.starts_with("HTTP/1.0 200") || head.starts_with("HTTP/1.1 200"), "{head}");
    let profile = HeapProfile::from_pprof(&body).unwrap();
    assert_eq!(profile.tags()[0].0, "images");
    assert!(profile.to_collapsed().contains("decode_image"));

    let (_, svg) = get(address, "/profile?format=flamegraph");
    assert!(String::from_utf8(svg).unwrap().contains("decode_image"));
    let (_, stacks) = get(address, "/profile?format=collapsed&tag=images");
    let stacks = String::from_utf8(stacks).unwrap();
    assert!(stacks.starts_with("tag:images;") && stacks.contains("decode_image"), "{stacks}");

    let (_, bare) = get(address, "/profile?symbols=none");
    assert!(!HeapProfile::from_pprof(&bare).unwrap().to_collapsed().contains("decode_image"));
    let (head, _) = get(address, "/profile?tag=none-such");
    assert!(head.contains(" 400 "), "{head}");
    drop(images);
}

pub(super) fn what_is_added_in_some_time_is_waited_for_and_others_are_answered_meanwhile() {
    let bursar = sampling(20_000);
    let before: Vec<_> = IMAGES.scope(|| (0..20).map(|_| decode_image()).collect());
    let endpoints = Endpoints::new(&bursar).profile(true);
    let server = StatsServer::tcp("127.0.0.1:0").start(endpoints).unwrap();
    let address = server.local_addr().unwrap();
    let mut added = Vec::new();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| get(address, "/profile?seconds=2"));
        // The wait has begun at some time, and is over at another: until then there is more and
        // more, of which a part comes after the first profile.
        while !asking.is_finished() {
            // Some 3 MB a second, so that there is room for it however long it takes.
            std::thread::sleep(std::time::Duration::from_millis(15));
            added.push(SOUNDS.scope(record_sound));
            let (head, _) = get(address, "/health");
            assert!(head.contains(" 200 "), "{head}");
        }
        let (head, body) = asking.join().unwrap();
        assert!(head.contains(" 200 "), "{head}");
        let difference = HeapProfile::from_pprof(&body).unwrap();
        assert!(difference.difference_since().is_some());
        assert!(difference.of_tag("sounds").unwrap().total_bytes() > 0, "{difference}");
        assert!(difference.of_tag("images").is_err(), "they were there before: {difference}");
    });
    drop((before, added));
}
