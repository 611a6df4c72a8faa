//! What requests need, and which are refused.

use super::advice::{AdviceCode, Severity};
use super::checkup::Checkup;
use super::found::{Found, Kinds, ratio, shown};
use crate::service::RouteStats;

pub(super) fn examine(checkup: &Checkup) -> Kinds {
    vec![heavy_routes(checkup), shedding(checkup).into_iter().collect()]
}

/// A request of a quarter of the room: four of them at once are one too many.
const ROOM_PART: u64 = 4;

fn heavy_routes(checkup: &Checkup) -> Vec<Found> {
    // A full cache makes room when it is needed.
    let (room, budget) = (checkup.room_bytes(), checkup.stats.soft_limit_bytes);
    let room = room.saturating_add(checkup.purgeable_bytes()).min(budget);
    let is_heavy = |route: &&RouteStats| {
        route.peak_bytes > room / ROOM_PART && checkup.is_worthwhile(route.peak_bytes)
    };
    let heavy = checkup.stats.routes.iter().filter(is_heavy);
    heavy
        .map(|route| {
            let title = format!(
                "one request of `{}` may need much of the room there is",
                shown(&route.route)
            );
            let mean = route.peak_bytes_total.checked_div(route.requests_total).unwrap_or(0);
            Found::new(Severity::Warning, AdviceCode::HeavyRoute, title)
                .of_bytes(route.peak_bytes)
                .size("at most", route.peak_bytes)
                .size("on average", mean)
                .size("room once all is purged", room)
                .figure("fit at once", room.checked_div(route.peak_bytes).unwrap_or(0))
                .remedy(
                    "Stream what it builds instead of collecting it, bound how many run at once, \
                     or refuse those for which there is no room",
                )
        })
        .collect()
}

fn shedding(checkup: &Checkup) -> Option<Found> {
    let sum = |routes: &[RouteStats], of: fn(&RouteStats) -> u64| {
        routes.iter().fold(0u64, |sum, route| sum.saturating_add(of(route)))
    };
    let shed = sum(&checkup.stats.routes, |route| route.shed_total);
    let answered = sum(&checkup.stats.routes, |route| route.requests_total);
    let before = checkup.earlier.as_ref();
    let before = before.map_or(0, |earlier| sum(&earlier.routes, |route| route.shed_total));
    let lately = checkup.earlier.as_ref().map(|_| shed.saturating_sub(before));
    if shed == 0 {
        return None;
    }
    // Since the start is long ago, perhaps; between two readings is now.
    let severity = match lately {
        Some(0) | None => Severity::Notice,
        Some(_) => Severity::Warning,
    };
    let title = "requests are refused for want of memory";
    let found = Found::new(severity, AdviceCode::Shedding, title)
        .figure("refused", shed)
        .share("of all", ratio(shed, shed.saturating_add(answered)));
    let found = match lately {
        Some(lately) => found.figure("lately", lately),
        None => found,
    };
    Some(found.remedy(
        "Add replicas or raise the limit if the load is meant to be served; else have clients \
         come back later, as `Retry-After` tells them",
    ))
}
