//! Plain HTTP/1.1 as the node serves it: figures for monitoring, the public feed. Takes connections, within limits, and
//! hands each request on. Whoever listens answers; nobody is trusted.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

use crate::supervise::Spawner;

/// For the head of a request.
const HEAD_WITHIN: Duration = Duration::from_secs(5);
/// The head of a request, and what of an answer waits in memory.
const BUFFER_BYTES: usize = 16 * 1024;

/// What is served.
pub type Answer = Response<Full<Bytes>>;

/// How much of the node a listener may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; more wait.
    pub connections: usize,
    /// A connection from beginning to end.
    pub within: Duration,
    /// Whether a connection may carry several requests.
    pub keep_alive: bool,
}

/// Serves until the token of `spawner` is cancelled. Slow clients are cut off. `name` is that of the tasks.
///
/// # Errors
/// None: a failing accept (too many open files, say) is logged and tried again a second later.
pub async fn serve<F, A>(
    listener: TcpListener,
    limits: Limits,
    name: &'static str,
    spawner: Spawner,
    answer: F,
) -> anyhow::Result<()>
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Answer> + Send + 'static,
{
    let stop = spawner.token();
    let connections = Arc::new(Semaphore::new(limits.connections));
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            accepted = accept(&listener, &connections) => accepted,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(fault) => {
                tracing::warn!(%fault, name, "no connection can be accepted");
                tokio::time::sleep(Duration::from_secs(1)).await;
                continue;
            }
        };
        let (answer, stop) = (answer.clone(), stop.clone());
        spawner.spawn(name, async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                _ = tokio::time::timeout(limits.within, converse(stream, limits.keep_alive, name, answer)) => {}
            }
            drop(permit);
        });
    }
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    connections: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = connections.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

/// One connection. How it fails is its client's business.
async fn converse<F, A>(stream: TcpStream, keep_alive: bool, name: &'static str, answer: F)
where
    F: Fn(Request<Incoming>) -> A,
    A: Future<Output = Answer>,
{
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(request);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let mut server = http1::Builder::new();
    server.keep_alive(keep_alive).timer(TokioTimer::new()).header_read_timeout(HEAD_WITHIN).max_buf_size(BUFFER_BYTES);
    if let Err(fault) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%fault, name, "a connection ended");
    }
}

/// An answer with a body.
#[must_use]
pub fn answer(status: StatusCode, media_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// A line of text.
#[must_use]
pub fn plain(status: StatusCode, text: impl Into<Bytes>) -> Answer {
    answer(status, "text/plain; charset=utf-8", text)
}
