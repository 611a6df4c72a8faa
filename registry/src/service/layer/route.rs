//! [`RouteRequest`]: what of a request tells its route, and the label made of it.

use http::{Extensions, HeaderMap, Method, Uri};

use crate::service::request_log::{Label, UNMATCHED};

/// A request as its route is told from: what closures given to a
/// [`MemoryLayer`](crate::MemoryLayer) look at. Copied freely; what it answers lives as long as the
/// request.
#[derive(Debug, Clone, Copy)]
pub struct RouteRequest<'a> {
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
    extensions: &'a Extensions,
}

impl<'a> RouteRequest<'a> {
    pub(super) fn of<B>(request: &'a http::Request<B>) -> Self {
        Self {
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            extensions: request.extensions(),
        }
    }

    /// The method.
    #[must_use]
    pub fn method(self) -> &'a Method {
        self.method
    }

    /// The address that was asked for.
    #[must_use]
    pub fn uri(self) -> &'a Uri {
        self.uri
    }

    /// The headers.
    #[must_use]
    pub fn headers(self) -> &'a HeaderMap {
        self.headers
    }

    /// What routers and layers outside have put there.
    #[must_use]
    pub fn extensions(self) -> &'a Extensions {
        self.extensions
    }
}

/// What says which route a request is of.
pub(super) type FindRoute = dyn for<'a> Fn(RouteRequest<'a>) -> Option<&'a str> + Send + Sync;

/// The label of a request of `route`. Methods that clients make up are one.
pub(super) fn label(method: &Method, route: Option<&str>) -> Label {
    let Some(route) = route else { return Label::new(&[UNMATCHED]) };
    let method = match *method {
        Method::GET
        | Method::POST
        | Method::PUT
        | Method::DELETE
        | Method::HEAD
        | Method::OPTIONS
        | Method::CONNECT
        | Method::PATCH
        | Method::TRACE => method.as_str(),
        _ => "_OTHER",
    };
    Label::new(&[method, " ", route])
}

/// The path's first segment, with the slash before it.
pub(super) fn first_segment(path: &str) -> &str {
    match path.get(1..).and_then(|rest| rest.find('/')) {
        Some(end) => &path[..=end],
        None => path,
    }
}

/// Where platforms ask whether a service is well, and how it is: not to be refused.
pub(super) fn is_health_check(request: RouteRequest<'_>) -> bool {
    const PATHS: [&str; 6] = ["/health", "/healthz", "/livez", "/ready", "/readyz", "/metrics"];
    let path = request.uri().path();
    PATHS.contains(&path) || path.starts_with("/grpc.health.v1.Health/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_segment_of_a_path_is_its_route() {
        for (path, route) in [
            ("/", "/"),
            ("/thumbnail", "/thumbnail"),
            ("/thumbnail/7/large", "/thumbnail"),
            ("/thumbnail/", "/thumbnail"),
            ("//", "/"),
            ("*", "*"),
            ("", ""),
            ("ä/b", "ä/b"),
            ("/ä/b", "/ä"),
        ] {
            assert_eq!(first_segment(path), route, "{path:?}");
        }
    }

    #[test]
    fn a_label_is_the_method_and_the_route() {
        let made_up = Method::from_bytes(b"HACK-1").unwrap();
        assert_eq!(label(&Method::GET, Some("/a")).as_str(), "GET /a");
        assert_eq!(label(&made_up, Some("/a")).as_str(), "_OTHER /a");
        assert_eq!(label(&Method::GET, None).as_str(), "unmatched");
    }
}
