//! Asks one address on the web for one document: HTTP/1.1, over TLS 1.3 or plain, with a limit on everything. The
//! address that is connected to is the one that was looked at, so that a name cannot mean another a moment later.

use std::{
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request, Response, StatusCode,
    body::{Body as _, Incoming},
    client::conn::http1,
    header::{
        ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_ENCODING, ETAG, HOST, HeaderName, IF_MODIFIED_SINCE,
        IF_NONE_MATCH, LAST_MODIFIED, LOCATION, USER_AGENT,
    },
};
use hyper_util::rt::TokioIo;
use iri_string::types::{UriAbsoluteStr, UriReferenceStr, UriStr};
use minicbor::{Decode, Encode};
use passerelle_domain::refusal::{Code, Refusal};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

use super::reach::is_public;
use crate::trust::{Now, web_client, web_roots};

/// Redirects that are followed.
const REDIRECTS_MAX: usize = 3;
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;
/// For one address to take the connection.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// The head of an answer.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// A tag or date that is given back; longer ones are not.
const VALIDATOR_BYTES_MAX: usize = 256;
const ACCEPTED: &str =
    "application/atom+xml, application/cap+xml, application/rss+xml, application/xml;q=0.9, text/xml;q=0.9, */*;q=0.1";
const AGENT: &str = concat!("passerelle-node/", env!("CARGO_PKG_VERSION"));

/// What a server told of its answer, to be given back with the next question.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(super) struct Validators {
    #[n(0)]
    pub(super) etag: Option<String>,
    #[n(1)]
    pub(super) last_modified: Option<String>,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// `http` or `https`, without a fragment.
    pub(super) url: &'a str,
    pub(super) bytes_max: usize,
    /// From the first step to the last byte.
    pub(super) within: Duration,
    pub(super) allow_private: bool,
    pub(super) validators: Option<&'a Validators>,
}

/// What came of it.
#[derive(Debug)]
pub(super) enum Fetched {
    /// The same as last time.
    Unchanged,
    /// An answer.
    Document {
        bytes: Vec<u8>,
        /// Where it was in the end.
        url: String,
        validators: Validators,
    },
}

fn unreachable(what: &str) -> Refusal {
    Refusal::new(Code::FeedUnreachable, what)
}

fn refused(what: impl Into<String>) -> Refusal {
    Refusal::new(Code::FeedRefused, what)
}

/// A client. Clones and tasks share what it knows of the web's certificates, which is read at the first use.
pub struct Client {
    now: Now,
    tls: OnceLock<Option<Arc<rustls::ClientConfig>>>,
}

impl Client {
    /// A client that judges certificates by the time `now`.
    #[must_use]
    pub fn new(now: Now) -> Self {
        Self { now, tls: OnceLock::new() }
    }

    /// A client with TLS as a test needs it.
    #[cfg(test)]
    pub(super) fn with_tls(now: Now, tls: Option<Arc<rustls::ClientConfig>>) -> Self {
        Self { now, tls: OnceLock::from(tls) }
    }

    /// Asks for a document.
    ///
    /// # Errors
    /// `feed_unreachable` when nobody answers in time; `feed_refused` for an answer that is none, or that leads where the
    /// node does not go; `too_large`. Messages name the reason and no part of the answer.
    pub(super) async fn fetch(&self, wanted: Wanted<'_>) -> Result<Fetched, Refusal> {
        let late = |_| unreachable("the source did not answer within the time limit");
        timeout(wanted.within, self.follow(wanted)).await.map_err(late)?
    }

    async fn follow(&self, wanted: Wanted<'_>) -> Result<Fetched, Refusal> {
        let mut url = wanted.url.to_owned();
        for _ in 0..=REDIRECTS_MAX {
            let target = Target::of(&url)?;
            match self.ask(&target, wanted).await? {
                Step::Done(Some((bytes, validators))) => return Ok(Fetched::Document { bytes, url, validators }),
                Step::Done(None) => return Ok(Fetched::Unchanged),
                Step::To(location) => url = resolve(&url, &location)?,
            }
        }
        Err(refused(format!("the source redirects more than {REDIRECTS_MAX} times")))
    }

    async fn ask(&self, target: &Target<'_>, wanted: Wanted<'_>) -> Result<Step, Refusal> {
        let stream = connect(target, wanted.allow_private).await?;
        if !target.secure {
            return exchange(stream, target, wanted).await;
        }
        let tls = self.tls.get_or_init(|| web_client(web_roots(), &self.now)).clone();
        let tls = tls.ok_or_else(|| unreachable("this machine has no list of the web's certificate authorities"))?;
        let name = ServerName::try_from(target.host.to_owned()).map_err(|_| refused("its host has no valid name"))?;
        let stream = TlsConnector::from(tls).connect(name, stream).await;
        let failed = |_| unreachable("no TLS 1.3 connection with a certificate that this machine trusts");
        exchange(stream.map_err(failed)?, target, wanted).await
    }
}

/// The address that a reference in the document at `base` means. Never from `https` to `http`.
///
/// # Errors
/// `feed_refused`.
pub(super) fn resolve(base: &str, reference: &str) -> Result<String, Refusal> {
    let bad = || refused("it leads to an address that is none");
    let reference = UriReferenceStr::new(reference.trim()).map_err(|_| bad())?;
    let base = UriAbsoluteStr::new(base).map_err(|_| bad())?;
    let resolved = reference.resolve_against(base).to_string();
    let resolved = resolved.split_once('#').map_or(resolved.as_str(), |(before, _)| before).to_owned();
    let (from, to) = (Target::of(base.as_str())?, Target::of(&resolved)?);
    if from.secure && !to.secure {
        return Err(refused("it leads from https to http"));
    }
    Ok(resolved)
}

/// An address taken apart.
struct Target<'a> {
    secure: bool,
    host: &'a str,
    port: u16,
    /// For the head of the request: host and port as written.
    authority: &'a str,
    /// Path and query.
    path: String,
}

impl<'a> Target<'a> {
    fn of(url: &'a str) -> Result<Self, Refusal> {
        let bad = |what: &str| refused(what);
        let uri = UriStr::new(url).map_err(|_| bad("it leads to an address that is none"))?;
        let secure = match uri.scheme_str().to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(bad("it leads to something that is not on the web")),
        };
        let parts = uri.authority_components().ok_or_else(|| bad("it leads to an address without a host"))?;
        let port = match parts.port().filter(|port| !port.is_empty()) {
            Some(port) => port.parse().map_err(|_| bad("it leads to a port that is none"))?,
            None if secure => 443,
            None => 80,
        };
        let host = parts.host().trim_matches(['[', ']']);
        if host.is_empty() || parts.userinfo().is_some() {
            return Err(bad("it leads to an address without a host, or with a user"));
        }
        let path = if uri.path_str().is_empty() { "/" } else { uri.path_str() };
        let query = uri.query_str().map(|query| format!("?{query}")).unwrap_or_default();
        let authority = uri.authority_str().unwrap_or(host);
        Ok(Self { secure, host, port, authority, path: format!("{path}{query}") })
    }
}

async fn connect(target: &Target<'_>, allow_private: bool) -> Result<TcpStream, Refusal> {
    let found = tokio::net::lookup_host((target.host, target.port)).await;
    let found: Vec<SocketAddr> = found.map_err(|_| unreachable("the name of its host is not known"))?.collect();
    let allowed: Vec<SocketAddr> =
        found.iter().copied().filter(|address| allow_private || is_public(address.ip())).collect();
    if allowed.is_empty() && !found.is_empty() {
        return Err(refused("it leads to a loopback or private address, which its configuration does not allow"));
    }
    for address in allowed.into_iter().take(ADDRESSES_MAX) {
        if let Ok(Ok(stream)) = timeout(CONNECT_WITHIN, TcpStream::connect(address)).await {
            return Ok(stream);
        }
    }
    Err(unreachable("nobody takes the connection"))
}

enum Step {
    /// The answer; none when it is the same as last time.
    Done(Option<(Vec<u8>, Validators)>),
    /// It is elsewhere.
    To(String),
}

/// One request and its answer.
async fn exchange<S>(stream: S, target: &Target<'_>, wanted: Wanted<'_>) -> Result<Step, Refusal>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let broken = |_| unreachable("the connection broke before the answer was there");
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_BYTES_MAX);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(broken)?;
    let request = request(target, wanted)?;
    let answer = async {
        let response = sender.send_request(request).await.map_err(broken)?;
        read(response, wanted).await
    };
    // The connection moves only while it is asked to, and it may end before its last bytes are read.
    tokio::pin!(answer, connection);
    let mut open = true;
    loop {
        tokio::select! {
            biased;
            outcome = &mut answer => return outcome,
            _ = &mut connection, if open => open = false,
        }
    }
}

fn request(target: &Target<'_>, wanted: Wanted<'_>) -> Result<Request<Empty<Bytes>>, Refusal> {
    let mut request = Request::get(target.path.as_str())
        .header(HOST, target.authority)
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, ACCEPTED)
        // What unpacks to a thousand times its size is not taken.
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close");
    if let Some(validators) = wanted.validators {
        for (name, value) in [(IF_NONE_MATCH, &validators.etag), (IF_MODIFIED_SINCE, &validators.last_modified)] {
            if let Some(value) = value {
                request = request.header(name, value.as_str());
            }
        }
    }
    request.body(Empty::new()).map_err(|_| refused("its address cannot be asked for"))
}

fn answered(status: StatusCode) -> String {
    format!("it answers with the status {}", status.as_u16())
}

async fn read(response: Response<Incoming>, wanted: Wanted<'_>) -> Result<Step, Refusal> {
    let header = |name: HeaderName| {
        let value = response.headers().get(name).and_then(|value| value.to_str().ok());
        value.map(str::to_owned)
    };
    let status = response.status();
    match status {
        StatusCode::OK => {}
        StatusCode::NOT_MODIFIED if wanted.validators.is_some() => return Ok(Step::Done(None)),
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::SEE_OTHER
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => {
            return header(LOCATION).map(Step::To).ok_or_else(|| refused("it redirects to nowhere"));
        }
        // The server says itself that another time may be better.
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => return Err(unreachable(&answered(status))),
        _ if status.is_server_error() => return Err(unreachable(&answered(status))),
        _ => return Err(refused(answered(status))),
    }
    if header(CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        return Err(refused("it answers compressed, which was not asked for"));
    }
    let short = |value: Option<String>| value.filter(|value| value.len() <= VALIDATOR_BYTES_MAX);
    let validators = Validators { etag: short(header(ETAG)), last_modified: short(header(LAST_MODIFIED)) };
    let too_large = || Refusal::new(Code::TooLarge, format!("the answer is larger than {} bytes", wanted.bytes_max));
    let mut body = response.into_body();
    if body.size_hint().lower() > wanted.bytes_max as u64 {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| unreachable("the connection broke within the answer"))?;
        let Ok(part) = frame.into_data() else { continue };
        if bytes.len() + part.len() > wanted.bytes_max {
            return Err(too_large());
        }
        bytes.extend_from_slice(&part);
    }
    Ok(Step::Done(Some((bytes, validators))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_resolved_and_never_leave_tls_or_the_web() {
        let base = "https://met.example/cap/feed.atom?x=1";
        for (reference, expected) in [
            ("1.xml", "https://met.example/cap/1.xml"),
            ("/a/../1.xml#part", "https://met.example/1.xml"),
            ("//other.example/1", "https://other.example/1"),
            (" https://[2001:db8::1]:8443/1 ", "https://[2001:db8::1]:8443/1"),
            ("?y=2", "https://met.example/cap/feed.atom?y=2"),
        ] {
            assert_eq!(resolve(base, reference).ok().as_deref(), Some(expected), "{reference}");
        }
        for reference in [
            "http://met.example/1",
            "file:///etc/passwd",
            "https://user@met.example/",
            "javascript:1",
            "https://x:99999/",
            "a b",
        ] {
            assert_eq!(resolve(base, reference).map_err(|refusal| refusal.code), Err(Code::FeedRefused), "{reference}");
        }
        assert!(resolve("http://met.example/", "https://met.example/").is_ok(), "an upgrade is welcome");
    }

    #[test]
    fn an_address_is_taken_apart_as_a_request_needs_it() {
        let target = Target::of("http://met.example:8080?q=1").expect("an address");
        assert_eq!(
            (target.host, target.port, target.authority, &*target.path),
            ("met.example", 8080, "met.example:8080", "/?q=1")
        );
        let target = Target::of("https://[::1]/a").expect("an address");
        assert_eq!((target.host, target.port, target.secure), ("::1", 443, true));
    }
}
