//! Which of the formats for metrics a client would rather have.

use http::HeaderMap;
use http::header::ACCEPT;

/// Whether OpenMetrics is asked for by its name, and the older text not before it.
pub(super) fn prefers_open_metrics(headers: &HeaderMap) -> bool {
    let open_metrics = quality(headers, "application/openmetrics-text");
    open_metrics > 0.0 && open_metrics >= quality(headers, "text/plain")
}

/// How much a type is wanted: from 0, not at all, to 1.
fn quality(headers: &HeaderMap, media_type: &str) -> f64 {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = values.flat_map(|value| value.split(',')).filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        parts.next()?.eq_ignore_ascii_case(media_type).then_some(parts)
    });
    let qualities = ranges.map(|mut parameters| {
        let given =
            parameters.find_map(|parameter| parameter.strip_prefix(['q', 'Q'])?.strip_prefix('='));
        given.map_or(1.0, |given| given.parse().unwrap_or(0.0))
    });
    qualities.fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn prefers(accepted: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in accepted {
            headers.append(ACCEPT, HeaderValue::from_static(value));
        }
        prefers_open_metrics(&headers)
    }

    #[test]
    fn prometheus_gets_open_metrics_by_default() {
        assert!(prefers(&["application/openmetrics-text; version=0.0.1,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1"]));
        assert!(prefers(&[
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
             application/openmetrics-text;version=0.0.1;q=0.5,\
             text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,\
             */*;q=0.2"
        ]));
        assert!(prefers(&["text/html", "Application/OpenMetrics-Text"]));
    }

    #[test]
    fn the_older_text_goes_to_those_who_ask_for_it_first_or_for_neither() {
        let older = "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;q=0.5";
        for accepted in ["*/*", "text/html,*/*;q=0.8", "text/plain", older, ""] {
            assert!(!prefers(&[accepted]), "{accepted}");
        }
        assert!(!prefers(&[]));
    }

    #[test]
    fn what_makes_no_sense_is_the_older_text_too() {
        for quality in ["q=0", "Q=0", "q=", "q=x", "q=NaN", "q=-1"] {
            let accepted = format!("application/openmetrics-text;{quality}");
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accepted.parse().unwrap());
            assert!(!prefers_open_metrics(&headers), "{accepted}");
        }
    }
}
