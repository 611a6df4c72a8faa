//! What is done because the configuration says so, and not the program.

use bursar::{Config, MemoryLayer};
use tower::{Layer, ServiceExt, service_fn};

use super::*;

fn by_variables(variables: &[(&str, &str)]) -> Running {
    let variables = variables.iter().map(|&(name, value)| (name.into(), value.into()));
    start_with(Config::from_vars(variables).unwrap())
}

/// What a service in the layer answers.
fn answer(layer: &MemoryLayer, uri: &'static str) -> Response<()> {
    let service = layer.layer(service_fn(|_: Request<()>| std::future::ready(ok())));
    let (head, _body) = block_on(service.oneshot(get(uri))).unwrap().into_parts();
    Response::from_parts(head, ())
}

#[test]
fn variables_have_a_layer_do_what_its_methods_would() {
    let bursar = by_variables(&[
        ("BURSAR_REQUEST_HEADERS", "on"),
        ("BURSAR_RECLAIM_EVERY_REQUESTS", "2"),
        ("BURSAR_SHED_FROM", "emergency"),
        ("BURSAR_MAX_ROUTES", "1"),
    ]);
    let layer = MemoryLayer::new(&bursar);
    assert!(answer(&layer, "/first").headers().contains_key("X-Memory-Usage-MB"));
    assert!(bursar.checkpoint().unwrap().cleanup.is_none());
    answer(&layer, "/second");
    assert!(bursar.checkpoint().unwrap().cleanup.is_some(), "after two requests");
    let labels: Vec<_> = bursar.stats().routes.into_iter().map(|route| route.route).collect();
    assert!(labels.contains(&"other".to_owned()), "{labels:?}");

    let held = block(260 * MIB);
    bursar.checkpoint().unwrap();
    assert_eq!(answer(&layer, "/first").status(), 503);
    drop(held);
}

#[test]
fn a_layers_methods_have_the_last_word() {
    let bursar = by_variables(&[("BURSAR_REQUEST_HEADERS", "on")]);
    let layer = MemoryLayer::new(&bursar).headers(false);
    assert!(answer(&layer, "/").headers().is_empty());
}
