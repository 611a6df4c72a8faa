//! Peers that answer nothing, nonsense, too much, or what is not for us.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::json;

use crate::server::{Stream, changed, reply, serve};
use crate::{bursar, complaint, stdout};

#[track_caller]
fn status_of(url: &str, code: i32) -> String {
    complaint(&bursar(&["status", "--timeout", "20s", "--url", url]), code)
}

fn sends(bytes: &'static [u8]) -> impl Fn(&str, &mut dyn Stream) + Send + Sync {
    move |_, stream| {
        let _ = stream.write_all(bytes);
    }
}

#[test]
fn nobody_there_ends_with_3() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let line = status_of(&format!("http://{free}"), 3);
    assert!(line.contains(&free.to_string()) && line.contains("is the service running"), "{line}");
}

#[cfg(unix)]
#[test]
fn a_socket_that_is_not_there_or_nobodys_ends_with_3() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bursar.sock");
    let line = complaint(&bursar(&["status", "--socket", path.to_str().unwrap()]), 3);
    assert!(line.contains("bursar.sock: No such file"), "{line}");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let line = complaint(&bursar(&["status", "--socket", path.to_str().unwrap()]), 3);
    assert!(line.contains("is the service running"), "{line}");
}

#[test]
fn one_that_never_answers_ends_with_4_in_the_time_that_was_given() {
    let url = serve(|_, _| {
        loop {
            std::thread::park();
        }
    });
    let line = complaint(&bursar(&["status", "--timeout", "150ms", "--url", &url]), 4);
    assert!(line.contains("no whole answer within 150ms"), "{line}");
}

#[test]
fn one_that_answers_byte_by_byte_for_ever_ends_with_4() {
    let url = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX-Bursar-Format: 1\r\n\r\n");
        while stream.write_all(b" ").is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
    });
    complaint(&bursar(&["status", "--timeout", "150ms", "--url", &url]), 4);
}

#[test]
fn garbage_ends_with_5() {
    for garbage in [
        &b"\x00\xff\x1b[2J what is this\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 200 OK\r\nX-Bursar-Format: 1\r\nContent-Length: -7\r\n\r\n",
    ] {
        let line = status_of(&serve(sends(garbage)), 5);
        assert!(line.contains("no answer that is HTTP"), "{line}");
    }
}

#[test]
fn one_that_closes_without_an_answer_ends_with_3() {
    for part in [&b""[..], b"HTTP/1.1 200"] {
        let line = status_of(&serve(sends(part)), 3);
        assert!(line.contains("closed without an answer"), "{line}");
    }
}

#[test]
fn something_else_that_speaks_http_ends_with_5() {
    let url = serve(sends(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
    assert!(status_of(&url, 5).contains("answered 200 OK, and not by Bursar"));
    let url = serve(sends(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"));
    assert!(status_of(&url, 5).contains("503 Service Unavailable, and not by Bursar; is the"));
}

#[test]
fn redirects_are_not_followed() {
    let url = serve(sends(
        b"HTTP/1.1 302 Found\r\nX-Bursar-Format: 1\r\nLocation: http://127.0.0.1:1/\x1b[2J\r\n\
          Content-Length: 0\r\n\r\n",
    ));
    status_of(&url, 5);
    let url = serve(sends(
        b"HTTP/1.1 302 Found\r\nLocation: http://elsewhere/\r\nContent-Length: 0\r\n\r\n",
    ));
    assert!(status_of(&url, 5).contains("sent on to http://elsewhere/"));
}

#[test]
fn another_format_ends_with_6_and_both_are_named() {
    let url = serve(sends(b"HTTP/1.1 200 OK\r\nX-Bursar-Format: 2\r\nContent-Length: 2\r\n\r\n{}"));
    let line = status_of(&url, 6);
    assert!(line.contains("format 2") && line.contains("format 1"), "{line}");
}

#[test]
fn what_is_no_json_or_not_the_right_json_ends_with_5() {
    for body in ["", "{", "[]", "{\"success\":true}", "{\"success\":true,\"data\":{\"level\":7}}"] {
        let line = status_of(&serve(move |_, stream| reply(stream, "200 OK", body)), 5);
        assert!(line.contains("could not be read"), "{line}");
    }
    let deep = format!("{{\"success\":true,\"data\":{}", "[".repeat(1 << 20));
    status_of(&serve(move |_, stream| reply(stream, "200 OK", &deep)), 5);
}

#[test]
fn an_endless_body_ends_with_5_once_it_is_too_long() {
    let url = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX-Bursar-Format: 1\r\n\r\n");
        let piece = vec![b' '; 1 << 16];
        while stream.write_all(&piece).is_ok() {}
    });
    let line = status_of(&url, 5);
    assert!(line.contains("more than 16 MiB"), "{line}");
}

#[test]
fn a_huge_or_an_endless_head_ends_with_5() {
    let url = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX-Long: ");
        let piece = vec![b'x'; 1 << 16];
        while stream.write_all(&piece).is_ok() {}
    });
    assert!(status_of(&url, 5).contains("no answer that is HTTP"));
    let url = serve(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"X-Many: x\r\n").is_ok() {}
    });
    assert!(status_of(&url, 5).contains("no answer that is HTTP"));
}

#[test]
fn one_that_closes_in_the_middle_ends_with_5() {
    let url = serve(sends(
        b"HTTP/1.1 200 OK\r\nX-Bursar-Format: 1\r\nContent-Length: 9000\r\n\r\n{\"success\":tr",
    ));
    let line = status_of(&url, 5);
    assert!(line.contains("broke off"), "{line}");
}

#[test]
fn names_that_would_move_the_cursor_are_shown_without_it() {
    let url = serve(changed(|stats| {
        let mut tag = stats["tags"][0].clone();
        tag["name"] = json!("\u{1b}]0;title\u{7}\u{9b}2J\nlevel normal");
        tag["live_bytes"] = json!(u64::MAX);
        stats["tags"] = json!([tag, tag]);
        stats["last_report_error"] = json!("a\u{1b}[2Jb");
        stats["version"] = json!("\u{1b}c");
    }));
    for arguments in [&["status"][..], &["status", "--verbose"], &["status", "--json"]] {
        let arguments: Vec<_> = arguments.iter().copied().chain(["--url", &url]).collect();
        let text = stdout(&bursar(&arguments), 0);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }
}

#[test]
fn numbers_at_the_ends_of_their_range_are_shown_and_make_no_panic() {
    let url = serve(changed(|stats| {
        for name in ["live_bytes", "soft_limit_bytes", "cleanups_total", "freed_bytes_total"] {
            stats[name] = json!(u64::MAX);
        }
        stats["usage_ratio"] = json!(-1e308);
        stats["watermarks"] = json!({"warning": 1.0, "critical": 0.0, "emergency": 0.0});
        stats["uptime"] = json!({"secs": u64::MAX, "nanos": 999_999_999});
    }));
    for arguments in [&["status"][..], &["status", "--verbose"]] {
        let arguments: Vec<_> = arguments.iter().copied().chain(["--url", &url]).collect();
        stdout(&bursar(&arguments), 0);
    }
}

#[test]
fn a_service_of_another_version_with_the_same_format_is_shown() {
    let url = serve(changed(|stats| {
        let fields = stats.as_object_mut().unwrap();
        for new_here in ["reserved_bytes", "routes", "heaviest_requests", "requests_in_flight"] {
            assert!(fields.remove(new_here).is_some(), "{new_here}");
        }
        fields.insert("new_there".to_owned(), json!({"figures": [1, 2]}));
        stats["purgeables"][0]["new_there"] = json!(7);
        stats["watermarks"]["new_there"] = json!(0.99);
    }));
    for arguments in [&["status"][..], &["status", "--verbose"]] {
        let arguments: Vec<_> = arguments.iter().copied().chain(["--url", &url]).collect();
        assert!(stdout(&bursar(&arguments), 0).contains("thumbnails"), "{arguments:?}");
    }
}
