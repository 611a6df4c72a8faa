//! `/profile` while the heap is not sampled, which no test of this program has it be.

use super::*;

fn refused(endpoints: &Endpoints, path: &str, status: StatusCode) -> Value {
    let response = get(endpoints, path);
    assert_eq!(response.status(), status, "{path}");
    let json = json(response);
    assert_eq!(json["success"], false, "{path}");
    json
}

#[test]
fn it_is_not_there_unless_it_is_switched_on() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar);
    for path in ["/profile", "/profile/", "/profile?format=svg"] {
        let json = refused(&endpoints, path, StatusCode::NOT_FOUND);
        assert_eq!(json["details"]["allowed"], PATHS.join(", "));
    }
    assert!(!body(get(&endpoints, "/")).contains("profile"));

    let endpoints = endpoints.profile(true);
    let listed = PATHS.iter().chain(&["/profile"]).map(|path| format!("{path}\n"));
    assert_eq!(body(get(&endpoints, "/")), listed.collect::<String>());
    let json = refused(&endpoints, "/elsewhere", StatusCode::NOT_FOUND);
    assert!(json["details"]["allowed"].as_str().unwrap().ends_with(", /profile"), "{json}");
    let response = ask(&endpoints, Method::POST, "/profile");
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(get(&endpoints.profile(false), "/profile").status(), StatusCode::NOT_FOUND);
}

#[test]
fn while_nothing_is_sampled_it_is_refused_with_what_switches_it_on() {
    let _turn = take_turn();
    let bursar = start();
    assert_eq!(bursar.heap_profile(), Err(bursar::Error::ProfileOff));
    let endpoints = Endpoints::new(&bursar).profile(true);
    for path in ["/profile", "/profile?format=flamegraph&symbols=none", "/profile?tag=images"] {
        let json = refused(&endpoints, path, StatusCode::CONFLICT);
        assert_eq!(json["error_code"], "profile_off");
        let message = json["message"].as_str().unwrap();
        assert!(message.contains("switches it on"), "{message}");
    }
    let (get, head) = (get(&endpoints, "/profile"), ask(&endpoints, Method::HEAD, "/profile"));
    assert_eq!((get.status(), get.headers()), (head.status(), head.headers()));
}

#[test]
fn a_query_that_asks_for_what_is_not_there_is_refused_with_what_is() {
    let _turn = take_turn();
    let bursar = start();
    let endpoints = Endpoints::new(&bursar).profile(true);
    for (query, name) in [
        ("format=svg", "format"),
        ("symbols=all", "symbols"),
        ("seconds=0", "seconds"),
        ("seconds=61", "seconds"),
        ("seconds=1.5", "seconds"),
        ("minutes=1", "parameter"),
        ("tag=%ff", "tag"),
        ("tag=a&tag=b", "parameter"),
        ("%00", "parameter"),
        ("format=pprof&&&x", "parameter"),
        ("format=%3Cscript%3Ealert(1)%3C/script%3E", "format"),
    ] {
        let json = refused(&endpoints, &format!("/profile?{query}"), StatusCode::BAD_REQUEST);
        assert_eq!(
            (&json["error_code"], &json["details"]["name"]),
            (&"invalid_query".into(), &name.into())
        );
        assert!(json["details"]["allowed"].is_string(), "{json}");
    }
    let many = format!("/profile?{}", "tag=a&".repeat(5000));
    refused(&endpoints, &many, StatusCode::BAD_REQUEST);
    let id = Request::get("/profile?x").header("X-Request-Id", "r-7").body(()).unwrap();
    assert_eq!(json(endpoints.respond(&id))["correlation_id"], "r-7");
}

#[cfg(feature = "serve")]
#[test]
fn over_a_socket_it_is_refused_likewise_and_a_hostile_query_ends_nothing() {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    let _turn = take_turn();
    let bursar = start();
    let server = bursar::StatsServer::tcp("127.0.0.1:0")
        .start(Endpoints::new(&bursar).profile(true))
        .unwrap();
    let address = server.local_addr().unwrap();
    let exchange = |query: &[u8]| {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = [b"GET /profile", query, b" HTTP/1.0\r\n\r\n"].concat();
        stream.write_all(&request).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    };
    for (query, status) in [
        (&b""[..], "409 Conflict"),
        (b"?format=collapsed", "409 Conflict"),
        (b"?format=nothing", "400 Bad Request"),
        (b"?tag=%zz", "400 Bad Request"),
        (b"?\xff\xfe", "400 Bad Request"),
        (b"?tag=a\x00b", "400 Bad Request"),
    ] {
        let answer = exchange(query);
        let line = answer.lines().next().unwrap();
        assert_eq!(line.split_once(' ').unwrap().1, status, "{query:?}: {answer}");
    }
    exchange(&[b"?tag=", vec![b'a'; 1 << 20].as_slice()].concat());
    assert!(exchange(b"").contains("\"error_code\":\"profile_off\""));
}
