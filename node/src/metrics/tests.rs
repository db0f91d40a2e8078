//! Tests of the figures: their names, and the server against clients good and bad.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::supervise::Spawner;

fn society(code: &str) -> Society {
    code.parse().expect("a code")
}

/// Every figure touched once.
fn used() -> Metrics {
    let metrics = Metrics::new();
    metrics.command("raise_alert", None);
    metrics.command("raise_alert", Some(Code::Busy));
    metrics.commit(3, Duration::from_millis(1));
    metrics.journal_entries(7);
    metrics.store_bytes(4096);
    metrics.disk_used_percent(12.5);
    metrics.link_up(society("ML"), true);
    metrics.backlog(society("ML"), "urgent", 2);
    metrics.sent(society("ML"), 100);
    metrics.received(society("ML"), 50);
    metrics.receipt_sent(society("ML"));
    metrics.receipt_received(society("ML"));
    metrics.refusal(Code::NotOrigin, Side::Peer);
    metrics.handshake_refused(Code::BadCertificate);
    metrics.credential_days_left(Credential::Node, society("SN"), 29.5);
    metrics
}

#[test]
fn the_names_that_dashboards_rely_on_stay() {
    let text = used().to_text();
    for line in [
        r#"passerelle_commands_total{kind="raise_alert",result="ok"} 1"#,
        r#"passerelle_commands_total{kind="raise_alert",result="busy"} 1"#,
        "passerelle_commit_seconds_count 1",
        r#"passerelle_batch_size_bucket{le="4.0"} 1"#,
        "passerelle_journal_entries 7",
        "passerelle_store_bytes 4096",
        r#"passerelle_link_up{peer="ML"} 1"#,
        r#"passerelle_backlog{peer="ML",lane="urgent"} 2"#,
        r#"passerelle_sent_bytes_total{peer="ML"} 100"#,
        r#"passerelle_received_bytes_total{peer="ML"} 50"#,
        r#"passerelle_receipts_sent_total{peer="ML"} 1"#,
        r#"passerelle_receipts_received_total{peer="ML"} 1"#,
        r#"passerelle_refusals_total{code="not_origin",side="peer"} 1"#,
        r#"passerelle_handshakes_refused_total{code="bad_certificate"} 1"#,
        r#"passerelle_credential_days_left{what="node",society="SN"} 29.5"#,
        "passerelle_disk_used_percent 12.5",
        "# EOF",
    ] {
        assert!(text.lines().any(|have| have == line), "{line} is not in\n{text}");
    }
}

#[test]
fn the_dashboard_asks_only_for_figures_that_exist() {
    let (dashboard, text) = (include_str!("../../../deploy/grafana/passerelle.json"), used().to_text());
    let names: Vec<&str> = dashboard
        .match_indices("passerelle_")
        .map(|(start, _)| {
            let rest = &dashboard[start..];
            &rest[..rest.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(rest.len())]
        })
        .collect();
    assert!(names.len() > 10);
    for name in names {
        let begins = |line: &str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
        assert!(text.lines().any(begins), "no figure is called {name}");
    }
}

/// A server on a port of its own, its address, and what stops it.
async fn serving(metrics: Metrics) -> (JoinSet<anyhow::Result<()>>, std::net::SocketAddr, Spawner) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let spawner = Spawner::new(CancellationToken::new());
    let mut server = JoinSet::new();
    server.spawn(serve(listener, metrics, spawner.clone()));
    (server, address, spawner)
}

async fn get(address: std::net::SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}

#[tokio::test]
async fn two_paths_are_served_and_nothing_else() {
    let metrics = used();
    let (mut server, address, spawner) = serving(metrics.clone()).await;
    let ask = |request: &'static str| get(address, request);
    let scraped = ask("GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(scraped.starts_with("HTTP/1.1 200") && scraped.ends_with("# EOF\n"), "{scraped}");
    assert!(scraped.contains("application/openmetrics-text; version=1.0.0"), "{scraped}");
    let health = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert!(ask(health).await.starts_with("HTTP/1.1 503"));
    metrics.ready(true);
    assert!(ask(health).await.starts_with("HTTP/1.1 200"));
    for request in [
        "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        "POST /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    ] {
        assert!(ask(request).await.starts_with("HTTP/1.1 404"), "{request}");
    }
    assert!(ask("nonsense\r\n\r\n").await.starts_with("HTTP/1.1 400"));
    spawner.token().cancel();
    server.join_next().await.expect("a server").expect("no panic").expect("a peaceful end");
    assert!(spawner.ended_by(tokio::time::Instant::now() + Duration::from_secs(1)).await);
}

#[tokio::test(start_paused = true)]
async fn clients_that_say_nothing_are_cut_off() {
    let (_server, address, _spawner) = serving(Metrics::new()).await;
    let mut silent = Vec::new();
    for _ in 0..40 {
        silent.push(TcpStream::connect(address).await.expect("a connection"));
    }
    for mut stream in silent {
        let mut rest = Vec::new();
        // The cut may come as an end or as a reset; what matters is that it comes.
        let cut = tokio::time::timeout(Duration::from_secs(300), stream.read_to_end(&mut rest)).await;
        assert!(cut.is_ok());
    }
}
