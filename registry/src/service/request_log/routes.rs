//! [`Routes`]: sums for each route, of a bounded number of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::label::Label;
use super::stats::RouteStats;
use super::sums::Route;
use crate::bursar::BURSAR;

/// Where routes past the bound are counted.
const OTHER: &str = "other";
/// Where requests are counted that no route was found for.
pub(crate) const UNMATCHED: &str = "unmatched";

/// The routes by their labels. Looking one up that is known writes nothing that other threads read,
/// waits for nobody and allocates nothing.
#[derive(Debug)]
pub(super) struct Routes {
    table: ArcSwap<Table>,
    /// Held while the table is replaced by one with a route more.
    adding: Mutex<()>,
    max_routes: usize,
}

/// Those that are known. A route's number is the same in all later ones.
#[derive(Debug, Clone)]
struct Table {
    numbers: HashMap<Arc<str>, usize, lru::DefaultHasher>,
    /// By number; `other` and `unmatched` first.
    routes: Vec<Arc<Route>>,
}

const OTHER_NUMBER: usize = 0;
const UNMATCHED_NUMBER: usize = 1;
/// Routes that are always there.
const FIXED: usize = 2;

/// What a label stands for while its request runs.
#[derive(Debug)]
pub(super) enum RouteRef {
    /// By its number.
    Known(usize),
    /// There is room for it, and its status decides whether it becomes a route.
    New(Box<str>),
    /// There is no room for it.
    PastBound,
}

impl Routes {
    pub(super) fn new(max_routes: usize) -> Self {
        let table = ArcSwap::from_pointee(Table::of_fixed());
        Self { table, adding: Mutex::default(), max_routes }
    }

    pub(super) fn find(&self, label: &Label) -> RouteRef {
        let label = label.as_str();
        let table = self.table.load();
        match table.numbers.get(label) {
            Some(number) => RouteRef::Known(*number),
            None if table.is_full(self.max_routes) => RouteRef::PastBound,
            None => {
                let _tag = BURSAR.enter();
                RouteRef::New(label.into())
            }
        }
    }

    /// Counts a request that was refused, before anyone knew whether it has a route.
    pub(super) fn add_shed(&self, label: &Label) {
        let table = self.table.load();
        let number = table.numbers.get(label.as_str()).unwrap_or(&OTHER_NUMBER);
        if let Some(route) = table.routes.get(*number) {
            route.add_shed();
        }
    }

    /// Hands `count` the route of a request that was answered with `status`. One that there is no
    /// route for is not taken for a new route, or scanners would use up the bound.
    pub(super) fn resolve(
        &self,
        route: RouteRef,
        status: Option<u16>,
        count: impl FnOnce(&Arc<Route>),
    ) {
        let is_unmatched = matches!(status, Some(404 | 405));
        let number = match route {
            RouteRef::Known(number) => number,
            RouteRef::New(_) | RouteRef::PastBound if is_unmatched => UNMATCHED_NUMBER,
            RouteRef::New(label) => self.add(&label),
            RouteRef::PastBound => OTHER_NUMBER,
        };
        if let Some(route) = self.table.load().routes.get(number) {
            count(route);
        }
    }

    /// The number of a route that was not known.
    fn add(&self, label: &str) -> usize {
        let _tag = BURSAR.enter();
        // No user code runs under it.
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        let table = self.table.load();
        if let Some(number) = table.numbers.get(label) {
            return *number;
        }
        if table.is_full(self.max_routes) {
            return OTHER_NUMBER;
        }
        let mut table = Table::clone(&table);
        let number = table.add(label);
        self.table.store(Arc::new(table));
        number
    }

    /// Every route that something was counted for, in no order.
    pub(super) fn read(&self) -> Vec<RouteStats> {
        let table = self.table.load_full();
        let stats = table.routes.iter().map(|route| route.read());
        stats.filter(|route| route.requests_total > 0 || route.shed_total > 0).collect()
    }
}

impl Table {
    fn of_fixed() -> Self {
        let mut table = Self { numbers: HashMap::default(), routes: Vec::new() };
        let [_other, unmatched] = [OTHER, UNMATCHED].map(|label| table.add(label));
        table.numbers.insert("".into(), unmatched);
        table
    }

    fn add(&mut self, label: &str) -> usize {
        let (label, number) = (Arc::<str>::from(label), self.routes.len());
        self.numbers.insert(Arc::clone(&label), number);
        self.routes.push(Arc::new(Route::new(label)));
        number
    }

    fn is_full(&self, max_routes: usize) -> bool {
        self.routes.len() - FIXED >= max_routes
    }
}
