//! The answer at `/profile`: a heap profile in the form that is asked for.

use std::thread;

use http::{Request, StatusCode};

use super::super::failure::Failure;
use super::answer::Answer;
use super::query::{Format, Query};
use super::{Endpoints, EndpointsFuture, correlation_id, refusal};
use crate::bursar::BURSAR;
use crate::error::Error;
use crate::heap_profile::HeapProfile;

impl Endpoints {
    pub(super) fn profile_answer(&self, query: Option<&str>, id: Option<&str>) -> Answer {
        let query = match Query::of(query) {
            Ok(query) => query,
            Err(failure) => return refusal(StatusCode::BAD_REQUEST, failure, id),
        };
        let profile = self.profile_asked_for(&query);
        let answer = profile.and_then(|profile| answer_of(profile, &query));
        answer.unwrap_or_else(|error| refused(&error, id))
    }

    fn profile_asked_for(&self, query: &Query) -> Result<HeapProfile, Error> {
        let profile = self.handle.heap_profile()?;
        let Some(time) = query.time else { return Ok(profile) };
        thread::sleep(time);
        self.handle.heap_profile()?.since(&profile)
    }

    /// The answer, by a thread of its own.
    pub(super) fn profile_aside<B>(&self, request: &Request<B>) -> EndpointsFuture {
        let mut asked = Request::new(());
        *asked.method_mut() = request.method().clone();
        *asked.uri_mut() = request.uri().clone();
        *asked.headers_mut() = request.headers().clone();
        let busy = || {
            let _tag = BURSAR.enter();
            refused(&Error::ProfileBusy, correlation_id(request.headers())).into_response(false)
        };
        let endpoints = self.clone();
        EndpointsFuture::aside(&self.profiles, move || endpoints.respond(&asked), busy)
    }
}

fn refused(error: &Error, id: Option<&str>) -> Answer {
    refusal(status_of(error), Failure::from(error), id)
}

fn answer_of(mut profile: HeapProfile, query: &Query) -> Result<Answer, Error> {
    if let Some(tag) = &query.tag {
        profile = profile.of_tag(tag)?;
    }
    if query.with_symbols {
        profile.resolve_symbols()?;
    }
    match query.format {
        Format::Pprof => Ok(Answer::pprof(profile.to_pprof())),
        Format::FlameGraph => profile.to_flame_graph().map(Answer::svg),
        Format::Collapsed => Ok(Answer::collapsed(profile.to_collapsed())),
    }
}

fn status_of(error: &Error) -> StatusCode {
    match error {
        Error::UnknownTag { .. } => StatusCode::BAD_REQUEST,
        // It is over soon, by itself.
        Error::ProfileBusy => StatusCode::SERVICE_UNAVAILABLE,
        // What the process is in the wrong state for, until somebody changes that.
        _ => StatusCode::CONFLICT,
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Response;
    use http_body_util::{BodyExt, Full};

    use super::*;
    use crate::heap_profile::testing::{profile, site};

    fn shop() -> HeapProfile {
        let sites = [site("images", &[2, 1], 3000), site("sounds", &[1], 1000)];
        profile(&sites).named(&[(1, &["main"]), (2, &["shop::load"])])
    }

    fn answered(query: &str) -> Result<Response<Full<Bytes>>, Error> {
        let answer = answer_of(shop(), &Query::of(Some(query)).unwrap())?;
        Ok(answer.into_response(false))
    }

    fn body(response: Response<Full<Bytes>>) -> Vec<u8> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(response.into_body().collect()).unwrap().to_bytes().into()
    }

    fn header<'a>(response: &'a Response<Full<Bytes>>, name: &str) -> &'a str {
        response.headers()[name].to_str().unwrap()
    }

    #[test]
    fn by_default_it_is_pprofs_format_as_a_file() {
        let response = answered("").unwrap();
        assert_eq!(header(&response, "content-type"), "application/octet-stream");
        let disposition = "attachment; filename=\"heap.pb.gz\"";
        assert_eq!(header(&response, "content-disposition"), disposition);
        assert!(!response.headers().contains_key("content-encoding"), "it is the format's own");
        assert_eq!(HeapProfile::from_pprof(&body(response)).unwrap(), shop());
    }

    #[test]
    fn a_flame_graph_may_run_its_own_script_and_nothing_else() {
        let response = answered("format=flamegraph").unwrap();
        assert_eq!(header(&response, "content-type"), "image/svg+xml; charset=utf-8");
        assert_eq!(header(&response, "content-disposition"), "inline; filename=\"heap.svg\"");
        let policy = header(&response, "content-security-policy");
        let expected = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; \
                        base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        assert_eq!(policy, expected);
        let svg = String::from_utf8(body(response)).unwrap();
        assert!(svg.contains("shop::load (3,000 bytes, 75.00%)"), "{svg}");
        // What the policy has to let through, and no more.
        assert!(
            svg.contains("<script type=\"text/ecmascript\">") && svg.contains("<style"),
            "{svg}"
        );
        assert!(!svg.contains("src=\"") && !svg.contains("@import"), "{svg}");
    }

    #[test]
    fn collapsed_stacks_are_plain_text() {
        let response = answered("format=collapsed&tag=images").unwrap();
        assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
        assert_eq!(body(response), b"tag:images;main;shop::load 3000\n");
    }

    #[test]
    fn a_tag_alone_is_answered_and_an_unknown_one_refused() {
        let response = answered("tag=sounds&symbols=none").unwrap();
        let sounds = HeapProfile::from_pprof(&body(response)).unwrap();
        assert_eq!(sounds.tags(), [("sounds", 1000)]);
        let error = answered("tag=sound").unwrap_err();
        assert_eq!((error.code(), status_of(&error)), ("unknown_tag", StatusCode::BAD_REQUEST));
    }

    #[test]
    fn what_is_over_soon_is_told_from_what_is_not() {
        assert_eq!(status_of(&Error::ProfileBusy), StatusCode::SERVICE_UNAVAILABLE);
        for error in [
            Error::ProfileOff,
            Error::EmptyProfile,
            Error::SymbolsUnavailable { reason: "the process was forked" },
        ] {
            assert_eq!(status_of(&error), StatusCode::CONFLICT);
        }
    }
}
