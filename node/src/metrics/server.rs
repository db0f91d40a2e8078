//! `/metrics` and `/healthz` over HTTP/1.1. Answers to two paths, changes nothing, trusts nobody.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Incoming, header::CONTENT_TYPE, server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};

use super::Metrics;
use crate::supervise::Spawner;

/// Monitoring systems are few; more connections than this wait.
const CONNECTIONS_MAX: usize = 16;
/// For the head of a request.
const HEADER_WITHIN: Duration = Duration::from_secs(5);
/// For a connection from beginning to end; a scrape takes milliseconds.
const CONNECTION_WITHIN: Duration = Duration::from_secs(30);
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until the token of `spawner` is cancelled. Slow clients are cut off; anything but the two paths is 404.
///
/// # Errors
/// None: a failing accept (too many open files, say) is logged and tried again a second later.
pub async fn serve(listener: TcpListener, metrics: Metrics, spawner: Spawner) -> anyhow::Result<()> {
    let stop = spawner.token();
    let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            accepted = accept(&listener, &connections) => accepted,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(fault) => {
                tracing::warn!(%fault, "no connection for the figures can be accepted");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let (metrics, stop) = (metrics.clone(), stop.clone());
        spawner.spawn("metrics connection", async move {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = tokio::time::timeout(CONNECTION_WITHIN, converse(stream, metrics)) => {}
            }
            drop(permit);
        });
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let permit = connections.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

/// One connection. How it fails is its client's business.
async fn converse(stream: TcpStream, metrics: Metrics) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&request, &metrics);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut server = http1::Builder::new();
    // One request a connection: a scraper comes twice a minute, and would else find the connection cut.
    server.keep_alive(false).timer(TokioTimer::new()).header_read_timeout(HEADER_WITHIN).max_buf_size(16 * 1024);
    if let Err(fault) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%fault, "connection for the figures");
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics) -> Response<Full<Bytes>> {
    let plain = "text/plain; charset=utf-8";
    let (status, kind, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => (StatusCode::OK, OPEN_METRICS, metrics.to_text()),
        (&Method::GET, "/healthz") if metrics.is_ready() => (StatusCode::OK, plain, "ready\n".to_owned()),
        (&Method::GET, "/healthz") => (StatusCode::SERVICE_UNAVAILABLE, plain, "not ready\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, plain, "/metrics and /healthz are here\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}
