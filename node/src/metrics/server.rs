//! `/metrics` and `/healthz` over HTTP/1.1. Answers to two paths, changes nothing, trusts nobody.

use std::time::Duration;

use hyper::{Method, Request, StatusCode, body::Incoming};
use tokio::net::TcpListener;

use super::Metrics;
use crate::{
    http::{self, Answer, Limits},
    supervise::Spawner,
};

/// Monitoring systems are few; more connections than this wait. A scrape takes milliseconds, and one connection carries
/// one: a scraper comes twice a minute, and would else find the connection cut.
const LIMITS: Limits = Limits { connections: 16, within: Duration::from_secs(30), keep_alive: false };
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until the token of `spawner` is cancelled. Slow clients are cut off; anything but the two paths is 404.
///
/// # Errors
/// None: a failing accept (too many open files, say) is logged and tried again a second later.
pub async fn serve(listener: TcpListener, metrics: Metrics, spawner: Spawner) -> anyhow::Result<()> {
    http::serve(listener, LIMITS, "metrics connection", spawner, move |request| {
        std::future::ready(answer(&request, &metrics))
    })
    .await
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Answer {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => http::answer(StatusCode::OK, OPEN_METRICS, metrics.to_text()),
        (&Method::GET, "/healthz") if metrics.is_ready() => http::plain(StatusCode::OK, "ready\n"),
        (&Method::GET, "/healthz") => http::plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        _ => http::plain(StatusCode::NOT_FOUND, "/metrics and /healthz are here\n"),
    }
}
