//! The server's side: what the drill starts itself as, inside the container.

use crate::options::ServeOptions;
use crate::process::{GREETING, parent_gone};
use axum::routing::get;
use axum::{Json, Router};
use bursar::{Bursar, PressureLevel, Profile};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use thumbnail::{Service, tables_built};
use tokio::net::TcpListener;

/// Where it says what it did.
pub(crate) const ACCOUNT: &str = "/account";
/// How often the level in force is looked at: each is kept for its dwell, a
/// second, so that none is missed.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What a server did, by its own account.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Nothing of a server without Bursar.
    pub(crate) bursar: Option<Reclaim>,
    /// How often the service's one singleton was built.
    pub(crate) tables_built: u64,
}

/// What Bursar did.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reclaim {
    pub(crate) cleanups: u64,
    /// Bytes of entries that caches and pools gave up.
    pub(crate) freed: u64,
    /// Bytes of pages that then went back to the system.
    pub(crate) collected: u64,
    /// The highest level that was in force.
    pub(crate) highest: PressureLevel,
}

/// Serves until standard input ends, as it does when the parent goes away.
pub(crate) fn serve(options: &ServeOptions) -> Result<(), Box<dyn Error>> {
    let service = match options.entries {
        Some(entries) => Service::bounded(entries)?,
        None => Service::unbounded(),
    };
    let bursar = match options.budget {
        Some(bytes) => Some(Watched::start(bytes, &options.profile)?),
        None => None,
    };
    let _registrations = match &bursar {
        Some(watched) => service.register(&watched.bursar)?,
        None => Vec::new(),
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{GREETING}{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        let routes = thumbnail::router(service.clone()).merge(account_route(bursar.clone()));
        tokio::select! {
            served = axum::serve(listener, routes).into_future() => served,
            () = look(bursar.as_ref()) => Ok(()),
            () = parent_gone() => Ok(()),
        }
    })?;
    Ok(())
}

/// Bursar, and the highest level that anyone saw it at.
#[derive(Clone)]
struct Watched {
    bursar: Arc<Bursar>,
    highest: Arc<Mutex<PressureLevel>>,
}

impl Watched {
    fn start(budget: u64, profile: &str) -> Result<Self, Box<dyn Error>> {
        let known = Profile::named(profile);
        let profile = known.ok_or_else(|| format!("there is no profile {profile:?}"))?;
        let bursar = Arc::new(Bursar::builder().budget(budget).profile(profile).start()?);
        Ok(Self { bursar, highest: Arc::default() })
    }

    /// Looks at the level; answers the highest up to now.
    fn look(&self) -> PressureLevel {
        let mut highest = self.highest.lock().unwrap_or_else(PoisonError::into_inner);
        *highest = self.bursar.level().max(*highest);
        *highest
    }

    fn reclaim(&self) -> Reclaim {
        let stats = self.bursar.stats();
        Reclaim {
            cleanups: stats.cleanups_total,
            freed: stats.freed_bytes_total,
            collected: stats.collected_bytes_total,
            highest: self.look(),
        }
    }
}

/// Looks at the level for ever.
async fn look(watched: Option<&Watched>) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        watched.map(Watched::look);
    }
}

/// Says what the server did.
fn account_route(watched: Option<Watched>) -> Router {
    let account = move || {
        let bursar = watched.as_ref().map(Watched::reclaim);
        std::future::ready(Json(Account { bursar, tables_built: tables_built() }))
    };
    Router::new().route(ACCOUNT, get(account))
}
