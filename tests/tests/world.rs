//! Stories of a few nodes in one process, over real TLS and real stores.

use std::time::Duration;

use passerelle_domain::{
    alert::life::State,
    decide::{Command, Reply},
    entry::{Actor, Body, Verdict},
    envelope::Lane,
    facts::Facts as _,
    ids::{AlertId, EntryIndex},
    refusal::Code,
    society::Society,
};
use passerelle_node::run::Node;
use passerelle_tests::world::{
    Handovers, World, alert, cancel, has_alert, journal, operator, own_address, raise, raise_as, receipted,
    times_accepted, update_of, verified, wait_until,
};
use tonic_types::StatusExt as _;

fn society(code: &str) -> Society {
    code.parse().expect("a code")
}

fn state(node: &Node, id: AlertId) -> anyhow::Result<Option<State>> {
    Ok(node.engine.view().alert(id)?.map(|row| row.state))
}

/// The lanes and positions that a node took from a peer, in the order of its journal.
fn taken(node: &Node, from: &str) -> anyhow::Result<Vec<(Lane, u64)>> {
    let from = society(from);
    let taken = journal(node)?.into_iter().filter_map(|entry| match entry.body {
        Body::Received { peer, lane, position, .. } if peer == from => Some((lane, position.0)),
        _ => None,
    });
    Ok(taken.collect())
}

fn count(node: &Node, counts: impl Fn(&Body) -> bool) -> anyhow::Result<usize> {
    Ok(journal(node)?.iter().filter(|entry| counts(&entry.body)).count())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_reaches_all_neighbours_and_is_receipted() -> anyhow::Result<()> {
    let world = World::started(&["SN", "GM", "ML"]).await?;
    let (senegal, gambia, mali) = (world.node("SN")?, world.node("GM")?, world.node("ML")?);
    let id = raise(&senegal, alert("Convoy due")?).await?;
    wait_until("both neighbours hold it", || Ok(has_alert(&gambia, id)? && has_alert(&mali, id)?)).await?;
    wait_until("both have receipted it", || receipted(&senegal, id)).await?;
    assert_eq!((times_accepted(&gambia, id)?, times_accepted(&mali, id)?), (1, 1));
    drop((senegal, gambia, mali));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_raised_twice_is_one_alert_and_its_id_cannot_say_something_else() -> anyhow::Result<()> {
    let world = World::started(&["SN", "GM"]).await?;
    let (senegal, gambia) = (world.node("SN")?, world.node("GM")?);
    let said = alert("Convoy due")?;
    let id = raise(&senegal, said.clone()).await?;
    assert_eq!(raise_as(&senegal, id, said).await, Ok(id), "the same again is answered the same");
    let other = raise_as(&senegal, id, alert("Convoy late")?).await;
    assert_eq!(other.map_err(|refusal| refusal.code), Err(Code::DuplicateId));
    wait_until("it is receipted", || receipted(&senegal, id)).await?;
    assert_eq!(count(&senegal, |body| matches!(body, Body::Issued(_)))?, 1);
    assert_eq!(times_accepted(&gambia, id)?, 1);
    drop((senegal, gambia));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_supersedes_and_a_cancel_ends_an_alert_at_every_node() -> anyhow::Result<()> {
    let world = World::started(&["SN", "GM"]).await?;
    let (senegal, gambia) = (world.node("SN")?, world.node("GM")?);
    let first = alert("Convoy due")?;
    let old = raise(&senegal, first.clone()).await?;
    let new = raise(&senegal, update_of(senegal.society, old, &first, "Convoy late")?).await?;
    for node in [&senegal, &gambia] {
        wait_until("the update has superseded the alert", || Ok(state(node, old)? == Some(State::Superseded))).await?;
        assert_eq!(node.engine.view().alert(old)?.and_then(|row| row.superseded_by), Some(new));
    }
    cancel(&senegal, new).await?;
    for node in [&senegal, &gambia] {
        wait_until("the alert is cancelled", || Ok(state(node, new)? == Some(State::Cancelled))).await?;
    }
    drop((senegal, gambia));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_counts_even_when_it_overtakes_its_alert() -> anyhow::Result<()> {
    let mut world = World::new(&["SN", "GM"])?;
    world.site("SN")?.start().await?;
    let senegal = world.node("SN")?;
    let id = raise(&senegal, alert("Convoy due")?).await?;
    cancel(&senegal, id).await?;
    world.site("GM")?.start().await?;
    let gambia = world.node("GM")?;
    wait_until("the alert has arrived, cancelled", || Ok(state(&gambia, id)? == Some(State::Cancelled))).await?;
    let lanes: Vec<Lane> = taken(&gambia, "SN")?.into_iter().map(|(lane, _)| lane).collect();
    assert_eq!(lanes, [Lane::Urgent, Lane::Routine], "the cancel came first");
    drop((senegal, gambia));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_down_catches_up_after_its_restart() -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "GM"]).await?;
    world.joined().await?;
    world.site("GM")?.stop().await?;
    let senegal = world.node("SN")?;
    let mut ids = Vec::new();
    for n in 0..200 {
        ids.push(raise(&senegal, alert(&format!("Convoy {n} due"))?).await?);
    }
    world.site("GM")?.start().await?;
    let gambia = world.node("GM")?;
    for id in &ids {
        wait_until("it has arrived and is receipted", || Ok(has_alert(&gambia, *id)? && receipted(&senegal, *id)?))
            .await?;
    }
    let order: Vec<_> = taken(&gambia, "SN")?.into_iter().map(|(_, position)| position).collect();
    assert_eq!(order, (1..=200).collect::<Vec<_>>(), "each once, in the order in which they were raised");
    drop((senegal, gambia));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_dial_each_other_at_once_end_with_one_session() -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "GM", "ML"]).await?;
    for round in 0..3 {
        world.joined().await?;
        for (own, peer) in [("SN", "GM"), ("GM", "SN"), ("GM", "ML"), ("ML", "GM"), ("SN", "ML"), ("ML", "SN")] {
            let (node, peer) = (world.node(own)?, society(peer));
            wait_until("one stream is left", || {
                let streams = node.link.trust.peer_connections().into_iter().filter(|info| info.society == peer);
                Ok(streams.count() == 1 && node.link.registry.is_up(peer))
            })
            .await?;
        }
        let id = raise(&*world.node("SN")?, alert(&format!("Round {round}"))?).await?;
        let (senegal, gambia) = (world.node("SN")?, world.node("GM")?);
        wait_until("alerts flow", || receipted(&senegal, id)).await?;
        assert_eq!(times_accepted(&gambia, id)?, 1);
        drop((senegal, gambia));
        world.site("GM")?.restart().await?;
    }
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_node_of_a_society_is_refused_while_the_first_is_alive() -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "GM"]).await?;
    world.joined().await?;
    let folder = world.folder().join("GM-twin");
    let mut twin = world.site("GM")?.twin(&folder, own_address())?;
    twin.start().await?;
    let (senegal, gambia, other) = (world.node("SN")?, world.node("GM")?, twin.node().expect("it runs"));
    wait_until("the twin was told why", || {
        Ok(other.link.statuses.of(senegal.society).last_error == Some(Code::SecondNode))
    })
    .await?;
    let id = raise(&senegal, alert("For the first node")?).await?;
    wait_until("the first node has it", || Ok(has_alert(&gambia, id)? && receipted(&senegal, id)?)).await?;
    assert!(!has_alert(&other, id)?, "the second node gets nothing");
    let recorded = |body: &Body| matches!(body, Body::Refused { code, .. } if code == "second_node");
    wait_until("the refusal is in the journal", || Ok(count(&senegal, recorded)? > 0)).await?;
    drop((senegal, gambia, other));
    twin.stop().await?;
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_removed_has_its_stream_closed_and_may_be_added_again() -> anyhow::Result<()> {
    let world = World::started(&["SN", "GM"]).await?;
    world.joined().await?;
    let (senegal, gambia) = (world.node("SN")?, world.node("GM")?);
    let signed = senegal.peers.bundle_of(gambia.society)?;
    let file = passerelle_node::trust::bundle_to_json(&signed);
    senegal.peers.remove(&operator(), gambia.society).await?;
    wait_until("the stream is closed", || {
        Ok(!senegal.link.registry.is_up(gambia.society)
            && senegal.link.trust.peer_connections().is_empty()
            && !gambia.link.registry.is_up(senegal.society))
    })
    .await?;
    let unheard = raise(&gambia, alert("Nobody listens")?).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!has_alert(&senegal, unheard)?);
    let words = signed.bundle().fingerprint().words().join(" ");
    senegal.peers.add(&operator(), file.as_bytes(), Some(&words)).await?;
    wait_until("what waited arrives", || has_alert(&senegal, unheard)).await?;
    drop((senegal, gambia));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consented_case_is_handed_over_and_no_further_than_the_consent_goes() -> anyhow::Result<()> {
    let world = World::started(&["GM", "ML", "SN"]).await?;
    world.joined().await?;
    let (gambia, mali) = (world.node("GM")?, world.node("ML")?);
    let (from, to) = (Handovers::of(&gambia).await?, Handovers::of(&mali).await?);
    let case = from.record_consent().await?;
    let id = from.offer(&case, "ML").await?;
    let offered = to.until(&id, "delivered").await?;
    assert!(!offered.package_here && !offered.offer_json.contains("Example"), "nothing that identifies has crossed");
    from.until(&id, "delivered").await?;
    to.accept(&id).await?;
    from.until(&id, "accepted").await?;
    let sections = from.release(&id).await?;
    assert!(sections.iter().all(|section| section != "health_min" && section != "pss"), "{sections:?}");
    assert!(to.until(&id, "disclosed").await?.package_here);
    let package = to.read(&id).await?;
    assert_eq!(package["contact"]["preferred_name"], "A.");
    assert!(package.get("pss").is_none_or(serde_json::Value::is_null), "what nobody agreed to stays at home");
    to.arrived(&id).await?;
    let view = from.until(&id, "in_service").await?;
    assert_eq!(view.responsible, "ML");
    let refused = from.offer(&case, "SN").await.expect_err("the consent does not name Senegal");
    let status = refused.downcast::<tonic::Status>()?;
    let reason = status.get_details_error_info().map(|info| info.reason);
    assert_eq!(reason.as_deref(), Some("consent_recipient"));
    drop((from, to, gambia, mali));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_be_released_on_acceptance_needs_no_person_and_survives_a_restart() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    world.joined().await?;
    let (first, second) = {
        let (from, to) = (Handovers::of(&*world.node("GM")?).await?, Handovers::of(&*world.node("ML")?).await?);
        let case = from.record_consent().await?;
        let (first, second) = (from.offer_as(&case, "ML", true).await?, from.offer_as(&case, "ML", true).await?);
        to.until(&first, "delivered").await?;
        to.until(&second, "delivered").await?;
        to.accept(&first).await?;
        assert!(to.until(&first, "disclosed").await?.package_here);
        (first, second)
    };
    // The other is accepted while the sender is off: it is found when the sender comes back.
    world.site("GM")?.stop().await?;
    Handovers::of(&*world.node("ML")?).await?.accept(&second).await?;
    world.site("GM")?.start().await?;
    let to = Handovers::of(&*world.node("ML")?).await?;
    assert!(to.until(&second, "disclosed").await?.package_here);
    assert_eq!(to.read(&first).await?["contact"]["preferred_name"], "A.");
    drop(to);
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_or_a_word_that_was_changed_in_the_store_is_found_by_verify() -> anyhow::Result<()> {
    let world = World::started(&["SN", "GM"]).await?;
    let (senegal, gambia) = (world.node("SN")?, world.node("GM")?);
    let id = raise(&senegal, alert("Convoy due")?).await?;
    wait_until("it is receipted", || receipted(&senegal, id)).await?;
    let entry = gambia.engine.view().alert(id)?.expect("it is there").entry;
    let whole = gambia.engine.view().object(entry)?.expect("it is kept");
    // The signature ends the object; what it signs begins it.
    for (at, fault) in [(whole.len() - 1, "not signed by a key of its origin"), (20, "entry")] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        put_object(&gambia, entry, &changed)?;
        let told = verified(&gambia).expect_err("something was changed").to_string();
        assert!(told.contains(fault), "{told}");
    }
    put_object(&gambia, entry, &whole)?;
    verified(&gambia)?;
    drop((senegal, gambia));
    world.end().await
}

/// Changes an object behind the engine's back, as a fault of the disk or a hand would.
fn put_object(node: &Node, entry: EntryIndex, object: &[u8]) -> anyhow::Result<()> {
    let mut view = node.engine.view();
    view.replace_object(entry, object)?;
    Ok(node.engine.store().commit(view.into_batch()?)?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_delivers_nothing_twice() -> anyhow::Result<()> {
    let world = World::started(&["SN", "GM"]).await?;
    let (senegal, gambia) = (world.node("SN")?, world.node("GM")?);
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(raise(&senegal, alert(&format!("Convoy {n} due"))?).await?);
    }
    let last = *ids.last().expect("five of them");
    wait_until("all are receipted", || receipted(&senegal, last)).await?;
    let entries = (0..journal(&senegal)?.len() as u64).map(EntryIndex).collect();
    let command = Command::Replay { caller: operator(), peer: gambia.society, entries };
    let Reply::Replayed { envelopes, withheld, .. } = senegal.engine.submit(command).await? else {
        anyhow::bail!("the engine gave another answer");
    };
    assert_eq!((envelopes, withheld), (5, Vec::new()));
    wait_until("the repetition is receipted", || {
        let lane = senegal.engine.view().lane_out(gambia.society, Lane::Routine)?;
        Ok(lane.queued.0 == 10 && lane.receipted == lane.queued)
    })
    .await?;
    for id in ids {
        assert_eq!(times_accepted(&gambia, id)?, 1);
    }
    assert_eq!(count(&gambia, |body| matches!(body, Body::Received { verdict: Verdict::Duplicate, .. }))?, 5);
    drop((senegal, gambia));
    world.end().await
}

/// Senegal is restored from a copy. `alone` alerts it raises before it meets its peer again.
async fn restored(alone: usize) -> anyhow::Result<()> {
    let mut world = World::started(&["SN", "GM"]).await?;
    let mut before = Vec::new();
    for n in 0..3 {
        before.push(raise(&*world.node("SN")?, alert(&format!("Before {n}"))?).await?);
    }
    let (senegal, gambia) = (world.node("SN")?, world.node("GM")?);
    let from_gambia = raise(&gambia, alert("From Gambia, before")?).await?;
    wait_until("all are receipted", || Ok(receipted(&senegal, before[2])? && receipted(&gambia, from_gambia)?)).await?;
    drop((senegal, gambia));
    let copy = world.folder().join("copy");
    world.site("SN")?.stop().await?;
    world.site("SN")?.back_up(&copy)?;
    world.site("SN")?.start().await?;

    let (senegal, gambia) = (world.node("SN")?, world.node("GM")?);
    let mut lost = Vec::new();
    for n in 0..4 {
        lost.push(raise(&senegal, alert(&format!("Lost {n}"))?).await?);
    }
    let again = raise(&gambia, alert("From Gambia, again")?).await?;
    wait_until("all are receipted", || Ok(receipted(&senegal, lost[3])? && receipted(&gambia, again)?)).await?;
    drop((senegal, gambia));
    world.site("SN")?.stop().await?;
    world.site("GM")?.stop().await?;
    world.site("SN")?.restore(&copy)?;
    world.site("SN")?.start().await?;
    let mut after = Vec::new();
    for n in 0..alone {
        after.push(raise(&*world.node("SN")?, alert(&format!("Alone {n}"))?).await?);
    }
    world.site("GM")?.start().await?;
    world.joined().await?;
    let (senegal, gambia) = (world.node("SN")?, world.node("GM")?);
    after.push(raise(&senegal, alert("After")?).await?);

    for id in &after {
        wait_until("what was raised since is at the peer and receipted", || {
            Ok(has_alert(&gambia, *id)? && receipted(&senegal, *id)?)
        })
        .await?;
    }
    wait_until("the peer sends again what was lost here", || has_alert(&senegal, again)).await?;
    for id in before.iter().chain(&lost).chain(&after) {
        assert_eq!(times_accepted(&gambia, *id)?, 1, "each alert took effect once");
    }
    let routine = |(lane, position): (Lane, u64)| (lane == Lane::Routine).then_some(position);
    let positions: Vec<u64> = taken(&gambia, "SN")?.into_iter().filter_map(routine).collect();
    assert_eq!(positions, (1..=positions.len() as u64).collect::<Vec<_>>(), "no position was used twice");
    assert!(senegal.link.statuses.of(gambia.society).alarms.contains("we_restored"));
    assert!(gambia.link.statuses.of(senegal.society).alarms.contains("peer_restored"));
    drop((senegal, gambia));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_restored_from_an_old_copy_goes_on_after_what_its_peers_hold() -> anyhow::Result<()> {
    restored(0).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_node_that_first_works_alone_loses_nothing_of_it() -> anyhow::Result<()> {
    restored(6).await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_did_what_stands_in_the_journal() -> anyhow::Result<()> {
    let world = World::started(&["SN", "GM"]).await?;
    let (senegal, gambia) = (world.node("SN")?, world.node("GM")?);
    let id = raise(&senegal, alert("Convoy due")?).await?;
    wait_until("it is receipted", || receipted(&senegal, id)).await?;
    let issued = journal(&senegal)?.into_iter().find(|entry| matches!(entry.body, Body::Issued(_)));
    assert_eq!(issued.map(|entry| entry.actor), Some(operator().actor));
    let received = journal(&gambia)?.into_iter().find(|entry| matches!(entry.body, Body::Received { .. }));
    assert_eq!(received.map(|entry| entry.actor), Some(Actor::Peer(senegal.society)));
    drop((senegal, gambia));
    world.end().await
}
