//! The life of an alert between real nodes: drafted, approved, published, updated twice, cancelled, redacted; and posts
//! on duty that are called when nobody acknowledges it.

use std::{collections::BTreeMap, path::Path, time::Duration};

use passerelle_domain::{
    alert::{Alert, AlertDraft, When, life::State},
    catalogue::{RedactReason, Role, Severity},
    decide::{Caller, Command, Reply},
    entry::{Actor, Body, DraftSource, Entry, HookOutcome},
    facts::Facts as _,
    ids::{AlertId, Epoch},
    refusal::{Code, Refusal},
};
use passerelle_node::{
    engine::{self, export},
    run::Node,
    store::{Batch, Store, keys, memory::MemoryStore},
    trust::Ed25519Verifier,
};
use passerelle_proto::v1::{self, alert_service_client::AlertServiceClient};
use passerelle_tests::world::{
    World, cancel, channel, draft, entropy, has_alert, journal, now, operator, raise, receipted, update_of, verified,
    wait_until,
};

/// What is to be forgotten: it stands nowhere else.
const SECRET: &str = "Zaouiet-Ouled-Marker";

fn person(name: &str, role: Role) -> Caller {
    Caller { actor: Actor::Operator(name.into()), roles: vec![role] }
}

fn valid(draft: AlertDraft) -> anyhow::Result<Alert> {
    Alert::from_draft(draft, now()).map_err(|faults| anyhow::anyhow!("{faults:?}"))
}

fn state(node: &Node, id: AlertId) -> anyhow::Result<Option<State>> {
    Ok(node.engine.view().alert(id)?.map(|row| row.state))
}

async fn view(node: &Node, id: AlertId) -> anyhow::Result<v1::AlertView> {
    let mut alerts = AlertServiceClient::new(channel(&node.config.operator.socket).await?);
    let answer = alerts.get_alert(v1::GetAlertRequest { id: id.to_string() }).await?;
    Ok(answer.into_inner().alert.unwrap_or_default())
}

fn keep(id: AlertId, alert: Alert) -> Command {
    let caller = person("awa", Role::AlertAuthor);
    Command::DraftAlert { caller, id, alert: Box::new(alert), source: DraftSource::Operator }
}

async fn redact(node: &Node, id: AlertId) -> Result<Reply, Refusal> {
    let reason = RedactReason::EndangersPeople;
    node.engine.submit(Command::RedactAlert { caller: operator(), entropy: entropy(), id, reason }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_lives_from_its_draft_to_its_redaction_at_three_nodes() -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "GM", "ML"]).await?;
    world.joined().await?;
    let id = AlertId::new(now(), entropy());
    let mut grave = draft(&format!("Group at {SECRET}"))?;
    grave.severity = Some(Severity::Extreme);
    let alert = valid(grave)?;
    {
        let senegal = world.node("SN")?;
        let raised = Command::RaiseAlert { caller: operator(), id, alert: Box::new(alert.clone()) };
        let refused = senegal.engine.submit(raised).await.map_err(|refusal| refusal.code);
        assert_eq!(refused, Err(Code::ApprovalRequired));
        senegal.engine.submit(keep(id, alert)).await?;
    }
    // A draft survives a restart, and goes nowhere.
    world.site("SN")?.restart().await?;
    world.joined().await?;
    let (senegal, gambia, mali) = (world.node("SN")?, world.node("GM")?, world.node("ML")?);
    let approve = |name, role| Command::ApproveDraft { caller: person(name, role), id, digest: None };
    let own = senegal.engine.submit(approve("awa", Role::AlertApprover)).await.map_err(|refusal| refusal.code);
    assert_eq!(own, Err(Code::SelfApproval));
    assert!(!has_alert(&gambia, id)?);
    senegal.engine.submit(approve("binta", Role::AlertApprover)).await?;
    senegal.engine.submit(Command::PublishDraft { caller: operator(), id }).await?;
    for node in [&gambia, &mali] {
        wait_until("it has arrived", || has_alert(node, id)).await?;
    }

    // Two people update it at once: a conflict at every node, until one of them is cancelled.
    let sent_at = senegal.engine.view().alert(id)?.and_then(|row| row.sent_at).expect("it is known");
    let mut parent = valid(draft("as sent")?)?.to_draft();
    parent.sent_at = Some(When::At(sent_at));
    let parent = valid(parent)?;
    let one = raise(&senegal, update_of(senegal.society, id, &parent, "Convoy of 2")?).await?;
    let two = raise(&senegal, update_of(senegal.society, id, &parent, "Convoy of 3")?).await?;
    for node in [&senegal, &gambia, &mali] {
        wait_until("both updates are here", || Ok(has_alert(node, one)? && has_alert(node, two)?)).await?;
        let (first, second, old) = (view(node, one).await?, view(node, two).await?, view(node, id).await?);
        assert_eq!((first.conflicts_with, second.conflicts_with), (vec![two.to_string()], vec![one.to_string()]));
        assert_eq!((old.state.as_str(), &old.updates), ("superseded", &vec![two.to_string(), one.to_string()]));
    }
    cancel(&senegal, one).await?;
    for node in [&senegal, &gambia, &mali] {
        wait_until("one is cancelled", || Ok(state(node, one)? == Some(State::Cancelled))).await?;
        assert!(view(node, two).await?.conflicts_with.is_empty());
    }

    redact(&senegal, id).await?;
    wait_until("both holders have said that they obeyed", || {
        let row = senegal.engine.view().alert(id)?;
        Ok(row.and_then(|row| row.redacted).is_some_and(|redacted| redacted.erased.len() == 2))
    })
    .await?;
    for node in [&senegal, &gambia, &mali] {
        assert_eq!(state(node, id)?, Some(State::Redacted));
        let shown = view(node, id).await?;
        assert_eq!((shown.alert.is_none(), shown.redact_reason.as_str()), (true, "endangers_people"));
        assert!(!rows_say(&**node.engine.store(), SECRET)?, "no row of {} says it", node.society);
        verified(node)?;
        moved_elsewhere(node)?;
    }
    assert!(view(&senegal, id).await?.erasures.iter().all(|one| one.state == "erased"));
    let mut lives = BTreeMap::new();
    for (code, node) in [("SN", &senegal), ("GM", &gambia), ("ML", &mali)] {
        assert!(
            folder_holds(world.site(code)?.folder(), SECRET)?,
            "the log of {code} may hold it: else nothing is shown"
        );
        lives.insert(code, life(node)?);
    }
    drop((senegal, gambia, mali));
    for code in ["SN", "GM", "ML"] {
        world.site(code)?.restart().await?;
        let node = world.node(code)?;
        // The start has made the store anew: the engine's log held the text until then.
        assert!(!folder_holds(world.site(code)?.folder(), SECRET)?, "a byte search of {code} finds it");
        assert_eq!(life(&node)?, lives[code], "it is the same life, of the same journal");
        engine::rebuild(node.society, &**node.engine.store(), |_| {})?;
        assert_eq!(state(&node, id)?, Some(State::Redacted));
    }
    world.end().await
}

/// The epoch of the node, and its first entries; later ones may come at any time.
fn life(node: &Node) -> anyhow::Result<(Epoch, Vec<Entry>)> {
    let head = node.engine.view().head()?.expect("a journal");
    Ok((head.epoch, journal(node)?.into_iter().take(6).collect()))
}

/// Whether any value of the store holds a text.
fn rows_say(store: &dyn Store, text: &str) -> anyhow::Result<bool> {
    for pair in store.scan(&[0], &[0xff], passerelle_node::store::Direction::Forward) {
        if holds(&pair?.1, text) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Exports the journal, imports it into another store, and finds it whole there and the text gone.
fn moved_elsewhere(node: &Node) -> anyhow::Result<()> {
    let note = node.engine.store().get(keys::CHECKPOINT)?.unwrap_or_default();
    let note = String::from_utf8(note.to_vec())?;
    let size = node.engine.view().head()?.map_or(0, |head| head.frontier.size());
    let span = export::Span { from: passerelle_domain::ids::EntryIndex(0), size };
    let mut file = Vec::new();
    export::write(node.society, &**node.engine.store(), span, &note, |chunk| {
        file.extend(chunk);
        Ok(())
    })?;
    assert!(!holds(&file, SECRET));
    let other = MemoryStore::new();
    let epoch = Epoch::new(now(), entropy());
    let keys = [node.link.signer.public_key()];
    export::import(node.society, &other, &file[..], epoch, &keys, &Ed25519Verifier)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_is_redacted_before_a_peer_meets_it_never_arrives_there() -> anyhow::Result<()> {
    let mut world = World::new(&["SN", "GM"])?;
    world.site("SN")?.start().await?;
    let id = {
        let senegal = world.node("SN")?;
        let id = raise(&senegal, valid(draft(&format!("Group at {SECRET}"))?)?).await?;
        redact(&senegal, id).await?;
        id
    };
    world.site("GM")?.start().await?;
    let (senegal, gambia) = (world.node("SN")?, world.node("GM")?);
    wait_until("Gambia has obeyed what it never had", || {
        let row = senegal.engine.view().alert(id)?;
        Ok(row.and_then(|row| row.redacted).is_some_and(|redacted| !redacted.erased.is_empty()))
    })
    .await?;
    wait_until("its place in the lane is receipted", || receipted(&senegal, id)).await?;
    assert!(!has_alert(&gambia, id)?);
    assert!(!folder_holds(world.site("GM")?.folder(), SECRET)?, "not a byte of it came to Gambia's disk");
    drop((senegal, gambia));
    world.end().await
}

fn folder_holds(folder: &Path, text: &str) -> anyhow::Result<bool> {
    for item in std::fs::read_dir(folder)? {
        let path = item?.path();
        if path.is_dir() {
            if folder_holds(&path, text)? {
                return Ok(true);
            }
        } else if path.is_file() && holds(&std::fs::read(&path)?, text) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_on_duty_are_called_in_turn_once_each_also_over_a_restart() -> anyhow::Result<()> {
    let mut world = World::new(&["SN", "ML"])?;
    let called = world.folder().join("called");
    let hook = format!("cat >> {0}; echo >> {0}", called.display());
    world.site("ML")?.configure(&format!(
        "\n[[duty]]\npost = \"duty_officer.kayes\"\nhook = [\"/bin/sh\", \"-c\", {hook:?}]\nwait_minutes = 1\n\n\
         [[duty]]\npost = \"headquarters\"\n"
    ));
    for code in ["SN", "ML"] {
        world.site(code)?.start().await?;
    }
    world.joined().await?;
    let mut asks = draft("Answer, please")?;
    asks.ack_required = Some(true);
    asks.ack_by = Some(When::At(now().plus(Duration::from_millis(1_500))));
    let id = raise(&*world.node("SN")?, valid(asks)?).await?;
    let (senegal, mali) = (world.node("SN")?, world.node("ML")?);
    wait_until("the first post is called", || {
        let row = mali.engine.view().alert(id)?;
        let outcome = row.and_then(|row| row.escalation).and_then(|call| call.outcome);
        Ok(outcome == Some(HookOutcome::Called))
    })
    .await?;
    let told: serde_json::Value = serde_json::from_str(std::fs::read_to_string(&called)?.trim())?;
    assert_eq!(
        (told["post"].as_str(), told["alert"]["id"].as_str()),
        (Some("duty_officer.kayes"), Some(&*id.to_string()))
    );
    assert!(view(&mali, id).await?.ack_overdue);
    let at_origin = view(&senegal, id).await?;
    assert_eq!((at_origin.unacknowledged, at_origin.ack_overdue), (vec!["ML".to_owned()], true));
    // Nobody asked for the status: the desk keeps the figure by itself, at both ends.
    for node in [&senegal, &mali] {
        let figure = "passerelle_answers_overdue{peer=\"ML\"} 1";
        wait_until("the figure says so", || Ok(node.link.metrics.to_text().contains(figure))).await?;
    }
    drop((senegal, mali));
    world.site("ML")?.restart().await?;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let mali = world.node("ML")?;
    let calls = journal(&mali)?.iter().filter(|entry| matches!(entry.body, Body::AlertEscalated { .. })).count();
    assert_eq!(calls, 1, "a restart calls nobody twice");
    assert_eq!(std::fs::read_to_string(&called)?.lines().count(), 1);
    drop(mali);
    world.end().await
}

/// Where the text of a redacted alert stands again after a restore, and who tells its node.
async fn forgets_again(restored: &str, only_gambia_had_heard: bool) -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "GM", "ML"]).await?;
    world.joined().await?;
    let id = raise(&*world.node("SN")?, valid(draft(&format!("Group at {SECRET}"))?)?).await?;
    for code in ["GM", "ML"] {
        let node = world.node(code)?;
        wait_until("it has arrived", || has_alert(&node, id)).await?;
    }
    {
        let senegal = world.node("SN")?;
        wait_until("it is receipted", || receipted(&senegal, id)).await?;
    }
    let copy = world.folder().join("copy");
    world.site(restored)?.stop().await?;
    world.site(restored)?.back_up(&copy)?;
    world.site(restored)?.start().await?;
    world.joined().await?;
    if only_gambia_had_heard {
        world.site("ML")?.stop().await?;
    }
    let heard = if only_gambia_had_heard { 1 } else { 2 };
    {
        let senegal = world.node("SN")?;
        redact(&senegal, id).await?;
        wait_until("who is there has obeyed", || erased_by(&senegal, id, heard)).await?;
    }
    world.site(restored)?.stop().await?;
    world.site(restored)?.restore(&copy)?;
    world.site(restored)?.start().await?;
    if only_gambia_had_heard {
        world.site("ML")?.start().await?;
    }
    for code in ["SN", "GM", "ML"] {
        let node = world.node(code)?;
        wait_until("it is redacted everywhere", || Ok(state(&node, id)? == Some(State::Redacted))).await?;
        assert!(!rows_say(&**node.engine.store(), SECRET)?, "no row of {code} says it");
    }
    let senegal = world.node("SN")?;
    wait_until("the origin knows that both have obeyed", || erased_by(&senegal, id, 2)).await?;
    drop(senegal);
    world.end().await
}

fn erased_by(origin: &Node, id: AlertId, holders: usize) -> anyhow::Result<bool> {
    let row = origin.engine.view().alert(id)?;
    Ok(row.and_then(|row| row.redacted).is_some_and(|redacted| redacted.erased.len() == holders))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_holder_restored_from_before_a_redaction_is_told_of_it_again() -> anyhow::Result<()> {
    forgets_again("GM", false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_restored_from_before_its_redaction_gets_it_back_from_a_holder() -> anyhow::Result<()> {
    forgets_again("SN", false).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_origin_tells_the_holder_that_had_not_heard_of_its_redaction() -> anyhow::Result<()> {
    forgets_again("SN", true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn views_of_another_release_are_made_anew_at_the_start() -> anyhow::Result<()> {
    let mut world = World::started(&["SN"]).await?;
    let id = raise(&*world.node("SN")?, valid(draft("Convoy due")?)?).await?;
    {
        // As a release would leave it whose fold kept the severity elsewhere.
        let senegal = world.node("SN")?;
        let mut batch = Batch::new();
        batch.put(keys::VIEWS_MADE, (engine::VIEWS_VERSION - 1).to_be_bytes())?;
        batch.put(keys::alert(id), *b"another shape")?;
        senegal.engine.store().commit(batch)?;
        let scratch = MemoryStore::new();
        let signed_by = [senegal.link.signer.public_key()];
        let store = &**senegal.engine.store();
        let report = engine::verify(senegal.society, store, &scratch, &signed_by, &Ed25519Verifier, |_| {})?;
        assert_eq!((report.faults, report.rebuild_due), (Vec::new(), true));
    }
    world.site("SN")?.restart().await?;
    let senegal = world.node("SN")?;
    assert_eq!(state(&senegal, id)?, Some(State::Active));
    assert!(!verified(&senegal)?.rebuild_due);
    drop(senegal);
    world.end().await
}
