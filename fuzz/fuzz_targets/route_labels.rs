//! Any requests through a `MemoryLayer`: methods, paths and statuses as clients and handlers make
//! them up, and routes as a closure answers them. No request is lost or counted twice, there are no
//! more routes than there may be and none with a name that is too long, and what is written of them
//! is what others can read.

#![no_main]

#[path = "route_labels/model.rs"]
mod model;
#[path = "route_labels/text.rs"]
mod text;

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use arbitrary::Arbitrary;
use bursar::{
    AccountingAllocator, Bursar, Endpoints, MemoryLayer, RequestLog, RequestUsage, RouteStats,
    Stats, System, open_metrics,
};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::fuzz_target;
use tower::{Layer, Service, service_fn};

use model::Model;

#[global_allocator]
static ALLOCATOR: AccountingAllocator<System> = AccountingAllocator::new(System);

static BURSAR: LazyLock<Bursar> = LazyLock::new(|| {
    Bursar::builder().budget("1GiB").threadless(true).start().expect("one Bursar")
});

/// As many as can be made in a millisecond or so.
const MOST_REQUESTS: usize = 64;

#[derive(Arbitrary, Debug)]
struct Input {
    max_routes: u8,
    /// Or else the path's first segment is the route.
    by_closure: bool,
    requests: Vec<Asked>,
}

#[derive(Arbitrary, Debug)]
struct Asked {
    method: AskedMethod,
    path: Vec<u8>,
    /// What the closure answers.
    route: Option<String>,
    outcome: Outcome,
    bytes: u16,
}

#[derive(Arbitrary, Debug)]
enum AskedMethod {
    Known(u8),
    Any(Vec<u8>),
}

/// What becomes of a request.
#[derive(Arbitrary, Debug, Clone, Copy)]
enum Outcome {
    Answered(u16),
    /// The client does not take the body.
    BodyDropped(u16),
    Failed,
    /// Given up before there is an answer.
    Cancelled,
    Shed,
}

/// What the closure is to answer, in the request's extensions.
#[derive(Clone)]
struct Route(Option<String>);

impl Asked {
    fn method(&self) -> Option<Method> {
        const KNOWN: [Method; 9] = [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::DELETE,
            Method::HEAD,
            Method::OPTIONS,
            Method::CONNECT,
            Method::PATCH,
            Method::TRACE,
        ];
        match &self.method {
            AskedMethod::Known(index) => Some(KNOWN[usize::from(*index) % KNOWN.len()].clone()),
            AskedMethod::Any(bytes) => Method::from_bytes(bytes).ok(),
        }
    }

    /// `None` where no server would take it for one.
    fn request(&self) -> Option<Request<()>> {
        let mut request = Request::new(());
        *request.method_mut() = self.method()?;
        *request.uri_mut() = Uri::try_from(self.path.as_slice()).ok()?;
        request.extensions_mut().insert(Route(self.route.clone()));
        request.extensions_mut().insert(self.outcome);
        request.extensions_mut().insert(self.bytes);
        Some(request)
    }
}

impl Outcome {
    /// What it counts as, if it is one that HTTP has.
    fn status(self) -> Option<StatusCode> {
        match self {
            Self::Answered(status) | Self::BodyDropped(status) => {
                Some(StatusCode::from_u16(status).unwrap_or(StatusCode::OK))
            }
            Self::Failed | Self::Cancelled | Self::Shed => None,
        }
    }
}

/// A service that allocates what it is told, and ends as it is told.
async fn answer(request: Request<()>) -> Result<Response<Full<&'static [u8]>>, ()> {
    let extensions = request.extensions();
    let bytes = extensions.get::<u16>().copied().unwrap_or_default();
    let _held = std::hint::black_box(Vec::<u8>::with_capacity(bytes.into()));
    let outcome = extensions.get::<Outcome>().copied().unwrap_or(Outcome::Failed);
    match outcome {
        Outcome::Cancelled => pending().await,
        Outcome::Failed | Outcome::Shed => Err(()),
        Outcome::Answered(_) | Outcome::BodyDropped(_) => {
            let mut response = Response::new(Full::new(&b"body"[..]));
            *response.status_mut() = outcome.status().unwrap_or_default();
            Ok(response)
        }
    }
}

/// Sends a request through a service, and takes what comes back as its outcome says.
fn send<S, B>(service: &mut S, request: Request<()>, outcome: Outcome)
where
    S: Service<Request<()>, Response = Response<B>>,
    B: BodyExt + Unpin,
{
    let context = &mut Context::from_waker(Waker::noop());
    assert!(service.poll_ready(context).is_ready());
    let answer = match pin!(service.call(request)).poll(context) {
        Poll::Ready(answer) => answer.ok(),
        Poll::Pending => None,
    };
    assert_eq!(answer.as_ref().map(Response::status), outcome.status());
    let Some(answer) = answer.filter(|_| !matches!(outcome, Outcome::BodyDropped(_))) else {
        return;
    };
    let mut body = answer.into_body();
    let sent = pin!(body.frame()).poll(context);
    assert!(matches!(sent, Poll::Ready(Some(Ok(_)))) && body.is_end_stream());
}

/// Has it all counted, by the layer where there is a request at all and by hand where not.
fn run(input: &Input, log: &RequestLog) -> Model {
    let mut layer = MemoryLayer::new(&BURSAR).log(log);
    if input.by_closure {
        layer = layer.route(|request| request.extensions().get::<Route>()?.0.as_deref());
    }
    let mut service = layer.layer(service_fn(answer));
    let mut model = Model::new(input.max_routes.into());
    for asked in input.requests.iter().take(MOST_REQUESTS) {
        let label = asked.route.as_deref().unwrap_or("");
        let status = asked.outcome.status().map(|status| status.as_u16());
        match (asked.outcome, asked.request()) {
            (Outcome::Shed, _) => {
                log.record_shed(label);
                model.shed(label);
            }
            (outcome, Some(request)) => {
                let path = request.uri().path().to_owned();
                let route = if input.by_closure {
                    asked.route.clone()
                } else {
                    Some(model::first_segment(&path).to_owned())
                };
                let label = model::label(request.method().as_str(), route.as_deref());
                send(&mut service, request, outcome);
                model.request(&label, status);
            }
            (_, None) => {
                let mut usage = RequestUsage::default();
                usage.allocated_bytes = asked.bytes.into();
                usage.peak_bytes = asked.bytes.into();
                log.record(label, status, &usage, Duration::from_nanos(asked.bytes.into()));
                model.request(label, status);
            }
        }
    }
    model
}

fn check(stats: &Stats, model: &Model, input: &Input) {
    assert_eq!(stats.requests_in_flight, 0);
    assert!(stats.routes.len() <= usize::from(input.max_routes) + 2, "other and unmatched");
    let counted = stats.routes.iter().map(|route| {
        let RouteStats { requests_total, failed_total, shed_total, .. } = route;
        assert!(route.route.len() <= 128, "{route:?}");
        assert!(!route.route.contains(char::is_control), "{route:?}");
        (route.route.clone(), [*requests_total, *failed_total, *shed_total])
    });
    assert_eq!(counted.collect::<BTreeMap<_, _>>(), *model.counted());

    let json = serde_json::to_string(stats).expect("JSON");
    assert_eq!(serde_json::from_str::<Stats>(&json).expect("as it was written"), *stats);
    assert!(stats.to_string().len() <= 16 * json.len());
}

/// The series of routes are those of the statistics, and no others.
fn check_text(text: &str, stats: &Stats) {
    let samples = text::read(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let figures: [(&str, fn(&RouteStats) -> u64); 4] = [
        ("bursar_route_requests_total", |route| route.requests_total),
        ("bursar_route_failed_total", |route| route.failed_total),
        ("bursar_route_shed_total", |route| route.shed_total),
        ("bursar_route_allocated_bytes_total", |route| route.allocated_bytes_total),
    ];
    for (name, figure) in figures {
        let mut written: Vec<_> = samples
            .iter()
            .filter(|sample| sample.name == name)
            .map(|sample| {
                let [(label, value)] = &sample.labels[..] else { panic!("{sample:?}") };
                assert_eq!(label, "route");
                assert!(value.len() <= 128, "{sample:?}");
                (value.clone(), sample.value as u64)
            })
            .collect();
        let mut counted: Vec<_> =
            stats.routes.iter().map(|route| (route.route.clone(), figure(route))).collect();
        written.sort();
        counted.sort();
        assert_eq!(written, counted, "{name}\n{text}");
    }
}

fuzz_target!(|input: Input| {
    let log = RequestLog::builder(&BURSAR)
        .max_routes(input.max_routes.into())
        .heavy_from_bytes(u64::from(u16::MAX) / 2)
        .build();
    let model = run(&input, &log);
    let stats = BURSAR.stats();
    check(&stats, &model, &input);
    check_text(&open_metrics(&stats), &stats);
    // As it is served, whoever asks for it.
    let endpoints = Endpoints::new(&BURSAR);
    for asked in input.requests.iter().take(4) {
        if let Some(request) = asked.request() {
            let answer = endpoints.respond(&request);
            assert!(!answer.status().is_server_error(), "{answer:?}");
        }
    }
});
