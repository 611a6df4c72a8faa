//! The server's side: the drill's service under Bursar, with the churn beside it.

use crate::churn::{Churn, Churned, Plan};
use crate::options::ServeOptions;
use crate::process::{GREETING, parent_gone};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use bursar::{Bursar, Endpoints, StatsServer};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use thumbnail::Service;
use tokio::net::TcpListener;
use tokio::task::spawn_blocking;

/// Where it says what the churn did so far.
pub(crate) const CHURN: &str = "/churn";
/// Where the churn is made to stand still and compared.
pub(crate) const COMPARE: &str = "/churn/compare";
/// Where it is ended, and compared before and after all of it went.
pub(crate) const FINISH: &str = "/churn/finish";

/// What the server says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Account {
    /// Where Bursar's statistics are served.
    pub(crate) statistics: SocketAddr,
    pub(crate) churned: Churned,
}

/// Serves until standard input ends, as it does when the parent goes away.
pub(crate) fn serve(options: &ServeOptions) -> Result<(), Box<dyn Error>> {
    let service = Service::unbounded();
    let mut builder = Bursar::builder();
    if let Some(bytes) = options.budget {
        builder = builder.budget(bytes);
    }
    let bursar = builder.start()?;
    let _registrations = service.register(&bursar)?;
    let stats_server = StatsServer::tcp("127.0.0.1:0").start(Endpoints::new(&bursar))?;
    let statistics = stats_server.local_addr().ok_or("the statistics have no address")?;
    let plan = Plan { seed: options.seed, share: options.share, max_bytes: options.held as usize };
    let churn = Arc::new(Churn::start(bursar.registry().clone(), plan));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        println!("{GREETING}{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        let routes = thumbnail::router(service.clone()).merge(churn_routes(&churn, statistics));
        tokio::select! {
            served = axum::serve(listener, routes).into_future() => served,
            () = parent_gone() => Ok(()),
        }
    })?;
    Ok(())
}

fn churn_routes(churn: &Arc<Churn>, statistics: SocketAddr) -> Router {
    let route = |what: fn(&Churn) -> Churned| {
        let churn = Arc::clone(churn);
        get(move || {
            let churn = Arc::clone(&churn);
            async move {
                // It waits for threads: not on those that serve.
                let churned = spawn_blocking(move || what(&churn)).await;
                let account = |churned| Json(Account { statistics, churned });
                churned.map(account).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
            }
        })
    };
    Router::new()
        .route(CHURN, route(Churn::so_far))
        .route(COMPARE, route(Churn::compare))
        .route(FINISH, route(Churn::finish))
}
