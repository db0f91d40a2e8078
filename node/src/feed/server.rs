//! The public feed over HTTP/1.1, for a reverse proxy: the feed and its documents, nothing else. Answers what is asked
//! for to anybody, changes nothing, and remembers nobody.

use std::{
    sync::Arc,
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{
        ALLOW, CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH,
        LAST_MODIFIED, X_CONTENT_TYPE_OPTIONS,
    },
};
use passerelle_domain::{
    cap::{
        CAP_MEDIA_TYPE,
        atom::{ATOM_MEDIA_TYPE, FEED_NAME, document_id},
    },
    time::Time,
};
use tokio::{net::TcpListener, sync::watch};

use super::{
    keeper::{Published, etag},
    listing::{Listed, document},
};
use crate::{
    clock::Clock,
    config::Feed,
    engine,
    http::{self, Answer, Limits},
    supervise::{Spawner, offload},
};

/// A proxy keeps a few connections open and asks over them again and again.
const LIMITS: Limits = Limits { connections: 64, within: Duration::from_secs(60), keep_alive: true };

/// What an answer is made of.
#[derive(Clone)]
struct Site {
    published: watch::Receiver<Arc<Published>>,
    engine: engine::Handle,
    clock: Arc<dyn Clock>,
    /// What stands before the names in the address that the public uses, such as `/alerts`; a proxy may hand it on.
    prefix: Arc<str>,
    cache: HeaderValue,
}

/// Serves the feed until the token of `spawner` is cancelled.
///
/// # Errors
/// None: what fails is logged and tried again.
pub async fn serve(
    listener: TcpListener,
    config: Feed,
    published: watch::Receiver<Arc<Published>>,
    engine: engine::Handle,
    clock: Arc<dyn Clock>,
    spawner: Spawner,
) -> anyhow::Result<()> {
    let after_host = config.base_url.split_once("://").map_or("", |(_, rest)| rest);
    let prefix = after_host.find('/').map_or("", |at| &after_host[at..]);
    let cache = HeaderValue::from_str(&format!("public, max-age={}", config.max_age.as_secs()))?;
    let site = Site { published, engine, clock, prefix: prefix.into(), cache };
    http::serve(listener, LIMITS, "feed connection", spawner, move |request| {
        let site = site.clone();
        async move { site.answer(&request).await }
    })
    .await
}

/// Something to send, and what tells whether a reader has it already.
struct Found {
    body: Bytes,
    media_type: &'static str,
    etag: String,
    changed: Time,
}

impl Site {
    async fn answer(&self, request: &Request<Incoming>) -> Answer {
        let path = request.uri().path();
        let name = path.strip_prefix(&*self.prefix).filter(|rest| rest.starts_with('/')).unwrap_or(path);
        let name = name.strip_prefix('/').unwrap_or_default();
        let published = self.published.borrow().clone();
        let listed = document_id(name).and_then(|id| published.documents.get(&id).copied());
        if name != FEED_NAME && listed.is_none() {
            return http::plain(StatusCode::NOT_FOUND, "not here\n");
        }
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let mut refused = http::plain(StatusCode::METHOD_NOT_ALLOWED, "this can only be read\n");
            refused.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return refused;
        }
        let found = match listed {
            Some(listed) => self.document(listed).await,
            None if published.feed.is_empty() => None,
            None => Some(Found {
                body: published.feed.clone(),
                media_type: ATOM_MEDIA_TYPE,
                etag: published.etag.clone(),
                changed: published.changed,
            }),
        };
        match found {
            Some(found) => self.send(request.headers(), found),
            None => http::plain(StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
        }
    }

    async fn document(&self, listed: Listed) -> Option<Found> {
        let engine = self.engine.clone();
        let made = offload(move || document(&engine.view(), &listed)).await;
        match made {
            Ok(Ok(bytes)) => {
                let etag = etag(&bytes);
                Some(Found { body: bytes.into(), media_type: CAP_MEDIA_TYPE, etag, changed: listed.updated })
            }
            Ok(Err(refusal)) => {
                tracing::warn!(alert = %listed.alert, code = %refusal.code, "a document of the public feed cannot be made");
                None
            }
            Err(_) => None,
        }
    }

    fn send(&self, asked: &HeaderMap, found: Found) -> Answer {
        // Within the second of a change another may follow, and a date could not tell the two apart.
        let settled = self.clock.now().millis() / 1_000 > found.changed.millis() / 1_000;
        let date = Some(found.changed).filter(|_| settled);
        let mut answer = if has_it_already(asked, &found.etag, date) {
            let mut answer = Response::new(Full::new(Bytes::new()));
            *answer.status_mut() = StatusCode::NOT_MODIFIED;
            answer
        } else {
            let mut answer = http::answer(StatusCode::OK, found.media_type, found.body);
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(found.media_type));
            answer.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
            answer
        };
        let headers = answer.headers_mut();
        headers.insert(CACHE_CONTROL, self.cache.clone());
        let mut put = |name: HeaderName, value: &str| {
            // Both are made of letters, digits and marks that a header takes.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put(ETAG, &found.etag);
        if let Some(date) = date {
            put(LAST_MODIFIED, &http_date(date));
        }
        answer
    }
}

fn http_date(time: Time) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(time.millis()))
}

/// Whether the reader holds what would be sent (RFC 9110, 13.1): by its tags, or, where it names none, by its date.
fn has_it_already(asked: &HeaderMap, etag: &str, changed: Option<Time>) -> bool {
    if asked.contains_key(IF_NONE_MATCH) {
        let lists = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
        return tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag);
    }
    let since = asked.get(IF_MODIFIED_SINCE).and_then(|value| value.to_str().ok());
    let since = since.and_then(|text| httpdate::parse_http_date(text).ok());
    let since = since.and_then(|date| date.duration_since(UNIX_EPOCH).ok());
    match (since, changed) {
        (Some(since), Some(changed)) => changed.millis() / 1_000 <= since.as_secs(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_has_it_when_a_tag_says_so_and_only_without_tags_when_the_date_does() {
        let changed = Time::from_millis(1_795_500_000_500);
        let (same, before) = (http_date(changed), http_date(Time::from_millis(1_795_499_999_000)));
        let cases: [(&[(HeaderName, &str)], bool); 9] = [
            (&[], false),
            (&[(IF_NONE_MATCH, "\"a\"")], true),
            (&[(IF_NONE_MATCH, "\"b\", W/\"a\"")], true),
            (&[(IF_NONE_MATCH, "*")], true),
            (&[(IF_NONE_MATCH, "\"b\"")], false),
            (&[(IF_MODIFIED_SINCE, &same)], true),
            (&[(IF_MODIFIED_SINCE, &before)], false),
            (&[(IF_NONE_MATCH, "\"b\""), (IF_MODIFIED_SINCE, &same)], false),
            (&[(IF_MODIFIED_SINCE, "yesterday")], false),
        ];
        for (headers, expected) in cases {
            let mut asked = HeaderMap::new();
            for (name, value) in headers {
                asked.append(name.clone(), HeaderValue::from_str(value).expect("a value"));
            }
            assert_eq!(has_it_already(&asked, "\"a\"", Some(changed)), expected, "{headers:?}");
        }
        let mut asked = HeaderMap::new();
        asked.append(IF_MODIFIED_SINCE, HeaderValue::from_str(&same).expect("a value"));
        assert!(!has_it_already(&asked, "\"a\"", None), "its second is not over");
    }
}
