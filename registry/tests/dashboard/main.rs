//! The page in a real browser, over a real socket, with the figures of a real Bursar.
#![cfg(feature = "dashboard")]

mod browser;
#[cfg(feature = "serve")]
mod real;
mod server;
mod service;
#[path = "../turn/mod.rs"]
mod turn;

#[cfg(feature = "serve")]
use std::thread;
use std::time::Duration;

use bursar::{AccountingAllocator, DASHBOARD_PAGE, Isolation, Stats};
use serde_json::{Value, json};

use self::browser::{Browser, Visit};
use self::server::{Answer, Server};
use self::service::{HOSTILE_ROUTE, Service, answer};
use self::turn::take_turn;

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: AccountingAllocator<bursar::Jemalloc> =
    AccountingAllocator::new(bursar::Jemalloc);
#[cfg(not(feature = "jemalloc"))]
#[global_allocator]
static ALLOCATOR: AccountingAllocator<bursar::System> = AccountingAllocator::new(bursar::System);

/// As wide as a small telephone: windows cannot be that narrow, frames can.
const NARROW: &str = "<body><iframe src=/memory/ width=360 height=800 style=border:0></iframe>";
/// How long the page's clock runs: `probe.js` looks after 12 s.
const SECONDS: u32 = 20;

/// The page with what looks at it from inside.
fn probed_page() -> String {
    let (watch, probe) = (include_str!("watch.js"), include_str!("probe.js"));
    DASHBOARD_PAGE
        .replacen("<head>", &format!("<head><script>{watch}</script>"), 1)
        .replace("</body>", &format!("<script>{probe}</script></body>"))
}

/// Serves a service that has been cleaned up a few times, and lives on with each reading; `change`
/// gets each reading, counted from 1, before it is sent, and sends none by `false`.
fn serve(mut change: impl FnMut(u32, &mut Stats) -> bool + Send + 'static) -> Server {
    let mut service = Service::start();
    service.until_cleaned_up(4);
    let mut readings = 0;
    Server::start(move |path| match path {
        "/memory" | "/memory/" => Answer::Page(probed_page()),
        "/narrow" => Answer::Frame(NARROW.to_owned()),
        "/memory/history" => Answer::Json(service.history()),
        "/memory/stats" => {
            (0..5).for_each(|_| service.step());
            readings += 1;
            let mut stats = service.stats();
            if !change(readings, &mut stats) {
                return Answer::Nothing;
            }
            Answer::Json(answer(&serde_json::to_value(stats).unwrap()))
        }
        _ => Answer::NotFound,
    })
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().filter_map(Value::as_str).collect()
}

fn assert_nothing_went_wrong(visit: &Visit) {
    assert_eq!(visit.seen["failed"], Value::Null);
    assert_eq!(visit.seen["errors"], json!([]));
    assert_eq!(visit.console, Vec::<String>::new());
}

#[test]
fn the_page_shows_what_a_service_holds_and_how_it_was_cleaned_up() {
    let _turn = take_turn();
    let Some(browser) = Browser::find() else { return };
    let server = serve(|_, stats| {
        let tag = stats.tags.iter_mut().find(|tag| tag.name == "thumbnails").unwrap();
        (tag.isolation, tag.active_bytes) = (Isolation::Arena, Some(7 << 20));
        tag.dirty_bytes = Some(4096);
        true
    });
    let visit = browser.visit(&format!("http://{}/memory", server.address), SECONDS);
    assert_nothing_went_wrong(&visit);
    assert_eq!(server.asked(), ["/memory", "/memory/history", "/memory/stats"], "and nothing else");

    let seen = &visit.seen;
    let levels = ["✓ normal", "▲ warning", "◆ critical", "■ emergency"];
    assert!(levels.contains(&seen["level"].as_str().unwrap()), "{}", seen["level"]);
    assert!(seen["usage"].as_str().unwrap().contains("of the budget of 64.0 MiB"));
    let figures = strings(&seen["figures"]).join("\n");
    for figure in ["live", "resident", "working set", "dirty", "fragmentation", "charged"] {
        assert!(figures.contains(figure), "{figure} in {figures}");
    }
    assert!(figures.contains(&format!("version{}", env!("CARGO_PKG_VERSION"))), "{figures}");

    let tags = strings(&seen["tables"]["tags"]);
    for tag in ["thumbnails", "sessions", "pages", "buffers", "search-index", "bursar"] {
        assert!(tags.contains(&tag), "{tag} in {tags:?}");
    }
    let pages = strings(&seen["ownPages"]);
    assert!(pages.contains(&"7.0 MiB: isolation arena, dirty 4,096 bytes"), "{pages:?}");
    assert!(pages.contains(&"–: isolation off, dirty not known"), "{pages:?}");
    assert!(strings(&seen["tables"]["purgeables"]).contains(&"broken"));
    assert!(strings(&seen["tables"]["cleanups"]).len() >= 4);
    let notes = strings(&seen["notes"]).join("\n");
    assert!(notes.contains("not registered: pagse"), "{notes}");

    for line in ["live", "resident", "cleanups", "tags"] {
        assert!(seen["painted"][line].as_u64().unwrap() > 20, "{line}: {}", seen["painted"]);
    }
    assert_eq!(seen["states"], json!(["live", "paused"]), "{seen}");
}

#[test]
fn the_page_is_used_by_keyboard_sorts_its_tables_and_changes_its_theme() {
    let _turn = take_turn();
    let Some(browser) = Browser::find() else { return };
    let server = serve(|_, _| true);
    let visit = browser.visit(&format!("http://{}/memory/", server.address), SECONDS);
    assert_nothing_went_wrong(&visit);

    let seen = &visit.seen;
    assert_eq!(seen["unreached"], 0, "all buttons and links are reached by the tabulator");
    let tip = strings(&seen["tip"]);
    assert!(tip.iter().any(|row| row.starts_with("live ")), "{tip:?}");
    assert_eq!(seen["sorted"]["order"], "ascending");
    assert_eq!(seen["turned"]["order"], "descending");
    let mut names = strings(&seen["sorted"]["names"]);
    assert!(names.is_sorted(), "{names:?}");
    names.reverse();
    assert_eq!(strings(&seen["turned"]["names"]), names);
    assert_eq!(seen["themes"], json!(["light", "dark", "light"]), "light, dark, and the system's");
    assert_eq!(seen["paused"], "paused");
}

#[test]
fn a_route_of_markup_is_shown_as_the_text_it_is() {
    let _turn = take_turn();
    let Some(browser) = Browser::find() else { return };
    let server = serve(|_, _| true);
    let visit = browser.visit(&format!("http://{}/memory/", server.address), SECONDS);
    assert_nothing_went_wrong(&visit);
    for table in ["routes", "heaviest"] {
        let routes = strings(&visit.seen["tables"][table]);
        assert!(routes.contains(&HOSTILE_ROUTE), "{routes:?}");
    }
    assert_eq!((&visit.seen["images"], &visit.seen["hacked"]), (&json!(0), &json!(false)));
}

#[test]
fn a_service_that_goes_and_comes_back_is_said_to_and_what_was_read_is_kept_meanwhile() {
    let _turn = take_turn();
    let Some(browser) = Browser::find() else { return };
    let server = serve(|reading, _| !(4..6).contains(&reading));
    let visit = browser.visit(&format!("http://{}/memory/", server.address), SECONDS);
    let seen = &visit.seen;
    assert_eq!((&seen["failed"], &seen["errors"]), (&Value::Null, &json!([])));
    assert_eq!(seen["states"], json!(["live", "lost", "live", "paused"]));
    let lost = seen["lost"].as_str().unwrap();
    assert!(lost.starts_with("not reachable since "), "{lost}");
    assert!(lost.ends_with("what is shown is older"), "{lost}");
}

#[test]
fn what_was_read_last_stays_when_a_service_goes_for_good() {
    let _turn = take_turn();
    let Some(browser) = Browser::find() else { return };
    let server = serve(|reading, _| reading < 4);
    let visit = browser.visit(&format!("http://{}/memory/", server.address), SECONDS);
    assert_eq!(visit.seen["states"], json!(["live", "lost"]));
    assert!(strings(&visit.seen["tables"]["tags"]).contains(&"thumbnails"));
}

#[test]
fn a_stall_is_an_alert_and_256_tags_fit_a_narrow_screen() {
    let _turn = take_turn();
    let Some(browser) = Browser::find() else { return };
    let server = serve(|_, stats| {
        let stall = json!({ "name": "hanging", "running_for": Duration::from_secs(7) });
        stats.stall = Some(serde_json::from_value(stall).unwrap());
        let one = stats.tags[0].clone();
        stats.tags.extend((stats.tags.len()..256).map(|index| {
            let mut tag = one.clone();
            tag.name = format!("tenant-of-a-rather-long-name/{index}").into();
            tag
        }));
        true
    });
    let visit = browser.visit(&format!("http://{}/narrow", server.address), SECONDS);
    assert_nothing_went_wrong(&visit);
    let seen = &visit.seen;
    assert!(strings(&seen["alerts"])[0].starts_with("The callback of hanging has not returned"));
    assert_eq!(strings(&seen["tables"]["tags"]).len(), 256);
    let (page, window) = (&seen["width"]["page"], seen["width"]["window"].as_u64().unwrap());
    assert_eq!(window, 360);
    assert!(page.as_u64().unwrap() <= window, "only tables scroll: {page}");
}
