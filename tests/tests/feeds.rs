//! Alerts on their way through the public web, between real nodes: one shows them in its feed, another, who is no peer of
//! it, polls that feed, and a person there decides.

use std::net::SocketAddr;

use passerelle_domain::{
    alert::{Alert, life::State},
    cap::polled,
    catalogue::{Mode, Role, Sensitivity},
    decide::{Caller, Command},
    entry::{Actor, DraftSource},
    facts::Facts as _,
    ids::AlertId,
    refusal::Code,
};
use passerelle_node::{config::Config, run::Node};
use passerelle_proto::v1::{self, alert_service_client::AlertServiceClient};
use passerelle_tests::world::{
    World, cancel, channel, draft, entropy, has_alert, now, operator, own_address, raise, wait_until,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

fn person(name: &str, role: Role) -> Caller {
    Caller { actor: Actor::Operator(name.into()), roles: vec![role] }
}

fn actual(headline: &str, sensitivity: Sensitivity) -> anyhow::Result<Alert> {
    let mut draft = draft(headline)?;
    (draft.mode, draft.sensitivity) = (Some(Mode::Actual), Some(sensitivity));
    Alert::from_draft(draft, now()).map_err(|faults| anyhow::anyhow!("{faults:?}"))
}

async fn approve_and_publish(node: &Node, id: AlertId) -> anyhow::Result<()> {
    let approver = person("binta", Role::AlertApprover);
    node.engine.submit(Command::ApproveDraft { caller: approver.clone(), id, digest: None }).await?;
    node.engine.submit(Command::PublishDraft { caller: approver, id }).await?;
    Ok(())
}

/// Head and body of what a reader gets.
async fn get(address: SocketAddr, path: &str) -> anyhow::Result<(String, String)> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Ok((head.to_owned(), body.to_owned()))
}

async fn feed_with(address: SocketAddr, what: &str) -> anyhow::Result<String> {
    loop {
        let (_, feed) = get(address, "/feed.atom").await?;
        if feed.contains(what) {
            return Ok(feed);
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_crosses_the_public_web_and_waits_for_a_person() -> anyhow::Result<()> {
    let address = SocketAddr::new(own_address().ip(), 7480);
    let mut gambia_alone = World::new(&["GM"])?;
    gambia_alone.site("GM")?.configure(&format!(
        "\n[feed]\nlisten = \"{address}\"\nbase_url = \"http://{address}\"\nfolder = \"public\"\n"
    ));
    gambia_alone.site("GM")?.start().await?;
    let (id, hidden) = {
        let gambia = gambia_alone.node("GM")?;
        let id = AlertId::new(now(), entropy());
        let alert = Box::new(actual("High water at Barra", Sensitivity::Public)?);
        let caller = person("awa", Role::AlertAuthor);
        gambia.engine.submit(Command::DraftAlert { caller, id, alert, source: DraftSource::Operator }).await?;
        approve_and_publish(&gambia, id).await?;
        (id, raise(&gambia, actual("For the network", Sensitivity::Network)?).await?)
    };
    let feed = feed_with(address, &id.to_string()).await?;
    assert!(!feed.contains(&hidden.to_string()), "{feed}");
    assert!(get(address, &format!("/cap/{hidden}.xml")).await?.0.contains("404"));

    // Senegal is no peer of The Gambia; it polls.
    let mut others = World::new(&["SN", "ML"])?;
    others.site("SN")?.configure(&format!(
        "\n[[cap_sources]]\nname = \"gambia\"\nurl = \"http://{address}/feed.atom\"\nallow_private = true\n\
         [[cap_sources]]\nname = \"off\"\nurl = \"http://{address}/nothing\"\nenabled = false\n"
    ));
    for code in ["SN", "ML"] {
        others.site(code)?.start().await?;
    }
    let (senegal, mali) = (others.node("SN")?, others.node("ML")?);
    let sent = actual_second(&gambia_alone, id)?;
    let polled = polled::alert_id("urn:sahelplus:ns:GMB", &id.to_string(), sent);
    wait_until("it is drafted", || Ok(senegal.engine.view().draft(polled)?.is_some())).await?;
    let publish = Command::PublishDraft { caller: operator(), id: polled };
    let early = senegal.engine.submit(publish).await.map_err(|refusal| refusal.code);
    assert_eq!(early, Err(Code::ApprovalRequired), "never by itself");
    assert!(!has_alert(&mali, polled)?);
    others.joined().await?;
    approve_and_publish(&senegal, polled).await?;
    wait_until("Senegal's neighbour has it", || has_alert(&mali, polled)).await?;

    let mut alerts = AlertServiceClient::new(channel(&senegal.config.operator.socket).await?);
    wait_until("the poll is over", || Ok(senegal.feeds.board().sources().iter().any(|source| source.drafted == 1)))
        .await?;
    let feeds = alerts.get_feeds(v1::GetFeedsRequest {}).await?.into_inner();
    let shown = |name: &str| feeds.sources.iter().find(|source| source.name == name).cloned().unwrap_or_default();
    assert_eq!((shown("gambia").drafted, shown("gambia").error, shown("off").enabled), (1, String::new(), false));
    assert_eq!((feeds.public.is_none(), shown("off").next_at), (true, None));

    // Its end is shown as well, and all of it again after a restart, to the byte; also as files.
    cancel(&*gambia_alone.node("GM")?, id).await?;
    let feed = feed_with(address, "Cancel: ").await?;
    assert_eq!(feed.matches("<entry").count(), 2);
    let (head, _) = get(address, "/feed.atom").await?;
    gambia_alone.site("GM")?.restart().await?;
    assert_eq!(feed_with(address, "Cancel: ").await?, feed);
    let etag = |head: &str| head.lines().find(|line| line.starts_with("etag")).map(ToOwned::to_owned);
    assert!(etag(&head).is_some());
    assert_eq!(etag(&get(address, "/feed.atom").await?.0), etag(&head));
    let folder = gambia_alone.site("GM")?.folder().join("public");
    wait_until("the files are there", || {
        let count = std::fs::read_dir(folder.join("cap")).map_or(0, Iterator::count);
        Ok(count == 2 && std::fs::read_to_string(folder.join("feed.atom")).is_ok_and(|text| text == feed))
    })
    .await?;
    let state = gambia_alone.node("GM")?.engine.view().alert(id)?.map(|row| row.state);
    assert_eq!(state, Some(State::Cancelled));
    drop((alerts, senegal, mali));
    gambia_alone.end().await?;
    others.end().await
}

/// The configuration of the node with something besides.
fn with(world: &mut World, besides: &str) -> anyhow::Result<Config> {
    let site = world.site("GM")?;
    let text = format!("{}{besides}", site.config());
    Config::parse(&site.folder().join("node.toml"), &text, std::iter::empty())
        .map_err(|faults| anyhow::anyhow!("{faults}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_follow_the_configuration_when_it_is_read_again() -> anyhow::Result<()> {
    let (first, second) = (SocketAddr::new(own_address().ip(), 7481), SocketAddr::new(own_address().ip(), 7482));
    let feed = |at: SocketAddr, title: &str| {
        format!("\n[feed]\nlisten = \"{at}\"\nbase_url = \"http://{at}\"\ntitle = \"{title}\"\n")
    };
    let source = |name: &str, enabled: bool| {
        format!(
            "\n[[cap_sources]]\nname = \"{name}\"\nurl = \"http://{first}/{name}\"\nallow_private = true\nenabled = {enabled}\n"
        )
    };
    let mut world = World::started(&["GM"]).await?;
    let node = world.node("GM")?;
    let names = || node.feeds.board().sources().iter().map(|it| (it.name.clone(), it.enabled)).collect::<Vec<_>>();
    assert!(node.feeds.public().is_none() && names().is_empty() && TcpStream::connect(first).await.is_err());

    node.reload(with(&mut world, &(feed(first, "One") + &source("a", true) + &source("b", false)))?).await?;
    feed_with(first, "<title>One<").await?;
    wait_until("both are shown", || Ok(names() == [("a".into(), true), ("b".into(), false)])).await?;

    // The same address with another title; one source goes, the other is polled now, a third comes.
    node.reload(with(&mut world, &(feed(first, "Two") + &source("b", true) + &source("c", false)))?).await?;
    feed_with(first, "<title>Two<").await?;
    wait_until("they have changed", || Ok(names() == [("b".into(), true), ("c".into(), false)])).await?;

    // What cannot be had changes nothing: a port that is taken, a certificate that is none.
    let taken = std::net::TcpListener::bind(second)?;
    let refused = node.reload(with(&mut world, &feed(second, "Three"))?).await.map_err(|error| error.to_string());
    assert!(refused.as_ref().is_err_and(|error| error.contains("under [feed]")), "{refused:?}");
    let none = "\n[cap]\ntrusted_certificates = [\"node.toml\"]\n";
    std::fs::write(world.site("GM")?.folder().join("node.toml"), "no certificate")?;
    let refused = node.reload(with(&mut world, none)?).await.map_err(|error| format!("{error:#}"));
    assert!(refused.as_ref().is_err_and(|error| error.contains("under [cap]")), "{refused:?}");
    feed_with(first, "<title>Two<").await?;
    assert_eq!(names().len(), 2);

    // Another port, and then nothing at all.
    drop(taken);
    node.reload(with(&mut world, &feed(second, "Four"))?).await?;
    feed_with(second, "<title>Four<").await?;
    assert!(TcpStream::connect(first).await.is_err() && names().is_empty());
    node.reload(with(&mut world, "")?).await?;
    assert!(TcpStream::connect(second).await.is_err() && node.feeds.public().is_none());
    drop(node);
    world.end().await
}

/// When an alert was sent, in the whole seconds of CAP.
fn actual_second(world: &World, id: AlertId) -> anyhow::Result<passerelle_domain::time::Time> {
    let row = world.node("GM")?.engine.view().alert(id)?;
    let millis = row.and_then(|row| row.sent_at).unwrap_or_default().millis();
    Ok(passerelle_domain::time::Time::from_millis(millis / 1_000 * 1_000))
}
