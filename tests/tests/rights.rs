//! Rights of the person between real nodes: with the card of The Gambia, at Mali which holds the case, and at Senegal
//! which holds nothing.

use std::time::Duration;

use anyhow::Context as _;
use passerelle_domain::{
    decide::Command,
    entry::{Body, Entry},
};
use passerelle_proto::v1::{self, subject_service_client::SubjectServiceClient};
use passerelle_tests::world::{
    Handovers, PATIENCE, World, alert, channel, has_alert, journal, operator, raise, search, vault_files, verified,
    wait_until,
};
use tonic::transport::Channel;
use tonic_types::StatusExt as _;

type Subjects = SubjectServiceClient<Channel>;

const ANSWER: &str = "Le marché de Kayes";

async fn subjects(world: &World, code: &str) -> anyhow::Result<Subjects> {
    Ok(SubjectServiceClient::new(channel(&world.node(code)?.config.operator.socket).await?))
}

fn ask(right: &str, code: &str, answer: &str) -> v1::AskRightRequest {
    v1::AskRightRequest {
        right: right.to_owned(),
        society: "GM".to_owned(),
        code: code.to_owned(),
        answer: answer.to_owned(),
        ..Default::default()
    }
}

/// Waits until a request is in a state at a node, with so many answers.
async fn until(subjects: &mut Subjects, id: &str, answers: usize) -> anyhow::Result<v1::SubjectRequestView> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let request = v1::GetSubjectRequestRequest { id: id.to_owned() };
        let view = subjects.get_subject_request(request).await?.into_inner().request.context("a request")?;
        if view.holders.iter().filter(|holder| holder.answered_at.is_some()).count() >= answers {
            return Ok(view);
        }
        anyhow::ensure!(tokio::time::Instant::now() < deadline, "nobody answers: {view:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn reason(status: &tonic::Status) -> Option<String> {
    status.get_details_error_info().map(|info| info.reason)
}

/// The Gambia's case is in service in Mali, was read there, and has a card; the handover and the code.
async fn with_card(world: &World) -> anyhow::Result<(Handovers, Handovers, String, String)> {
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    let mali = Handovers::of(&*world.node("ML")?).await?;
    let case = gambia.record_consent().await?;
    let id = gambia.offer(&case, "ML").await?;
    mali.until(&id, "delivered").await?;
    mali.accept(&id).await?;
    gambia.until(&id, "accepted").await?;
    gambia.release(&id).await?;
    mali.until(&id, "disclosed").await?;
    mali.read(&id).await?;
    let card =
        v1::MakeCardRequest { handover_id: id.clone(), answer: ANSWER.to_owned(), word: "baobab lune".to_owned() };
    let made = subjects(world, "GM").await?.make_card(card).await?.into_inner();
    assert_eq!(made.society, "GM");
    Ok((gambia, mali, id, made.short_code))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_of_the_gambia_works_in_mali_and_in_senegal() -> anyhow::Result<()> {
    let world = World::started(&["GM", "ML", "SN"]).await?;
    let (gambia, mali, id, code) = with_card(&world).await?;
    let mut at_mali = subjects(&world, "ML").await?;
    let mut at_senegal = subjects(&world, "SN").await?;
    let mut at_gambia = subjects(&world, "GM").await?;

    // Access, asked in Mali, answered by both holders: what, since when, and who read it.
    let taken = at_mali.ask_right(ask("access", &code, "LE MARCHÉ, de kayes!")).await?.into_inner();
    assert!(!taken.checked, "The Gambia checks the answer");
    let view = until(&mut at_mali, &taken.id, 2).await?;
    let of_mali = view.holders.iter().find(|holder| holder.society == "ML").context("Mali")?;
    let held = of_mali.held.as_ref().context("what is held")?;
    assert!(held.sections.contains(&"contact".to_owned()) && held.reads.len() == 1, "{held:?}");
    let of_gambia = view.holders.iter().find(|holder| holder.society == "GM").context("The Gambia")?;
    assert_eq!(of_gambia.held.as_ref().map(|held| held.onward.clone()), Some(vec!["ML".to_owned()]));

    // A wrong answer, in Senegal, is refused in The Gambia and told in Senegal.
    let wrong = at_senegal.ask_right(ask("access", &code, "Bamako")).await?.into_inner();
    let view = until(&mut at_senegal, &wrong.id, 1).await?;
    assert_eq!((view.state.as_str(), view.holders[0].reason.as_str()), ("refused", "not_identified"));

    // Who received or read what, and whose package lay in Mali.
    let disclosures = at_gambia.list_disclosures(v1::ListDisclosuresRequest { id: id.clone() }).await?.into_inner();
    let events: Vec<_> = disclosures.disclosures.iter().map(|one| (one.event.as_str(), one.who.as_str())).collect();
    assert_eq!(events, [("offered", "ML"), ("released", "ML")]);
    assert!(disclosures.disclosures[1].basis.starts_with("consent "));
    let read = at_mali.list_disclosures(v1::ListDisclosuresRequest { id: id.clone() }).await?.into_inner();
    assert!(read.disclosures.iter().any(|one| one.event == "read" && one.basis == "svc.transport"), "{read:?}");
    let radius = v1::GetBlastRadiusRequest { society: "ML".to_owned(), from: None, until: None };
    let radius = at_gambia.get_blast_radius(radius).await?.into_inner();
    assert_eq!((radius.packages.len(), radius.cases), (1, 1));
    assert!(radius.packages[0].gone_at.is_none());

    // Restriction, asked in Senegal with the word on the card: Mali reads nothing more.
    let restricted = at_senegal.ask_right(ask("restriction", &code, "Baobab, lune")).await?.into_inner();
    until(&mut at_senegal, &restricted.id, 2).await?;
    let frozen = mali.read(&id).await.err().context("it is frozen")?;
    assert_eq!(frozen.downcast_ref::<tonic::Status>().and_then(reason).as_deref(), Some("frozen"));

    // Erasure, asked in Senegal: it ends in erasure everywhere.
    let erased = at_senegal.ask_right(ask("erasure", &code, "baobab lune")).await?.into_inner();
    until(&mut at_senegal, &erased.id, 1).await?;
    gambia.until(&id, "erased").await?;
    mali.until(&id, "erased").await?;
    gambia.until_erased_by(&id, "ML").await?;
    let view = until(&mut at_gambia, &erased.id, 2).await?;
    assert!(view.holders.iter().any(|one| one.society == "ML" && one.state == "erased"), "{view:?}");
    for code in ["GM", "ML", "SN"] {
        verified(&*world.node(code)?)?;
    }
    drop((gambia, mali, at_mali, at_senegal, at_gambia));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn three_wrong_answers_lock_a_code_and_an_unknown_one_looks_the_same() -> anyhow::Result<()> {
    let world = World::started(&["GM", "ML"]).await?;
    let (gambia, mali, _, code) = with_card(&world).await?;
    let mut here = subjects(&world, "GM").await?;
    for code in [code.as_str(), "0000000"] {
        let mut told = Vec::new();
        for answer in ["one", "two", "three", ANSWER] {
            let status = here.ask_right(ask("access", code, answer)).await.err().context("it is wrong")?;
            told.push(reason(&status).unwrap_or_default());
        }
        assert_eq!(told, ["check_failed", "check_failed", "check_locked", "check_locked"], "{code}");
    }
    let bare = here.ask_right(ask("access", "0000000", "?!")).await.err().context("no answer")?;
    assert_eq!(reason(&bare).as_deref(), Some("missing_field"));
    drop((gambia, mali, here));
    world.end().await
}

/// What a node shows of a request, once it has something to apply.
async fn with_correction(subjects: &mut Subjects, id: &str) -> anyhow::Result<v1::SubjectRequestView> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let request = v1::GetSubjectRequestRequest { id: id.to_owned() };
        if let Ok(answer) = subjects.get_subject_request(request).await {
            let view = answer.into_inner().request.context("a request")?;
            if !view.correction_json.is_empty() {
                return Ok(view);
            }
        }
        anyhow::ensure!(tokio::time::Instant::now() < deadline, "no correction came");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_put_right_in_mali_is_right_at_both_ends_and_stands_in_no_file() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let folders = [world.site("GM")?.folder().to_owned(), world.site("ML")?.folder().to_owned()];
    let (gambia, mali, id, code) = with_card(&world).await?;
    let mut at_gambia = subjects(&world, "GM").await?;
    let mut at_mali = subjects(&world, "ML").await?;
    let number = "+22300000099";
    let needles = [("the new number".to_owned(), number.as_bytes().to_vec())];
    let nothing = |when: &str| folders.iter().try_for_each(|folder| search(folder, &needles, when));
    let correction_json = format!("{{\"contact\": {{\"safe_phone\": \"{number}\"}}}}");
    let wrong = v1::AskRightRequest { correction_json: correction_json.clone(), ..ask("access", &code, ANSWER) };
    let refused = at_mali.ask_right(wrong).await.err().context("access corrects nothing")?;
    assert_eq!(reason(&refused).as_deref(), Some("malformed"));
    let asked = v1::AskRightRequest { correction_json, ..ask("rectification", &code, ANSWER) };
    let taken = at_mali.ask_right(asked.clone()).await?.into_inner();
    let again = v1::AskRightRequest { id: taken.id.clone(), ..asked };
    assert_eq!(at_mali.ask_right(again).await?.into_inner().entry_index, taken.entry_index, "once");
    let old = mali.read(&id).await?["contact"]["safe_phone"].clone();

    let shown = with_correction(&mut at_gambia, &taken.id).await?;
    assert!(shown.correction_json.contains(number) && shown.sections == ["contact"] && !shown.corrected, "{shown:?}");
    let done = |id: &str| v1::AnswerSubjectRequestRequest {
        id: id.to_owned(),
        outcome: "done".to_owned(),
        reason: String::new(),
    };
    at_gambia.answer_subject_request(done(&taken.id)).await?;
    let shown = with_correction(&mut at_mali, &taken.id).await?;
    assert!(!shown.corrected, "a person there looks at it too");
    assert_eq!(mali.read(&id).await?["contact"]["safe_phone"], old, "until then it is as it was");
    at_mali.answer_subject_request(done(&taken.id)).await?;
    assert_eq!(mali.read(&id).await?["contact"]["safe_phone"], number);
    assert_eq!(gambia.read(&id).await?["contact"]["safe_phone"], number);
    let view = until(&mut at_gambia, &taken.id, 2).await?;
    assert!(view.corrected && view.state == "answered", "{view:?}");
    until(&mut at_mali, &taken.id, 2).await?;
    nothing("put right")?;

    // All have answered: what was asked for goes from both vaults, what the packages said before stays with them.
    for code in ["GM", "ML"] {
        let node = world.node(code)?;
        node.upkeep.sweep().await?;
        verified(&node)?;
    }
    assert!(
        at_mali
            .get_subject_request(v1::GetSubjectRequestRequest { id: taken.id.clone() })
            .await?
            .into_inner()
            .request
            .is_some_and(|request| request.correction_json.is_empty())
    );
    let before: Vec<_> = folders.iter().map(|folder| vault_files(folder)).collect::<Result<_, _>>()?;
    drop((gambia, at_gambia, at_mali));
    // A start removes nothing that is still known.
    world.site("GM")?.restart().await?;
    assert_eq!(vault_files(&folders[0])?, before[0]);
    mali.withdraw(&id).await?;
    let gambia = Handovers::of(&*world.node("GM")?).await?;
    gambia.until_erased_by(&id, "ML").await?;
    // The Gambia erases its own copy beside that, and says so once the files are gone.
    let node = world.node("GM")?;
    let erased = |entry: &Entry| matches!(entry.body, Body::CaseErased { .. });
    wait_until("The Gambia has erased the case", || Ok(journal(&node)?.iter().any(erased))).await?;
    drop(node);
    for folder in &folders {
        assert_eq!(vault_files(folder)?, 0, "what stood there before too");
    }
    nothing("erased")?;
    drop((gambia, mali));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_that_waited_is_not_sent_to_a_peer_that_was_suspended_meanwhile() -> anyhow::Result<()> {
    let mut world = World::started(&["GM", "ML"]).await?;
    let (gambia, mali, _, code) = with_card(&world).await?;
    drop(mali);
    world.site("ML")?.stop().await?;
    let mut at_gambia = subjects(&world, "GM").await?;
    let correction_json = r#"{"contact": {"safe_phone": "+22300000099"}}"#.to_owned();
    let asked = v1::AskRightRequest { correction_json, ..ask("rectification", &code, ANSWER) };
    let taken = at_gambia.ask_right(asked).await?.into_inner();
    let (id, outcome) = (taken.id.clone(), "done".to_owned());
    let done = v1::AnswerSubjectRequestRequest { id, outcome, reason: String::new() };
    at_gambia.answer_subject_request(done).await?;
    let node = world.node("GM")?;
    let suspend = Command::SuspendPeer {
        caller: operator(),
        peer: "ML".parse()?,
        suspended: true,
        reason: "their node was seized".parse()?,
    };
    node.engine.submit(suspend).await?;
    world.site("ML")?.start().await?;
    let withheld =
        |entry: &Entry| matches!(&entry.body, Body::DeliveryWithheld { code, .. } if code == "peer_suspended");
    wait_until("the correction is withheld", || Ok(journal(&node)?.iter().any(withheld))).await?;
    // What comes behind it is held up by nothing.
    let alert = raise(&node, alert("Convoy due")?).await?;
    let there = world.node("ML")?;
    wait_until("the alert is there", || has_alert(&there, alert)).await?;
    let request = v1::GetSubjectRequestRequest { id: taken.id };
    let unknown = subjects(&world, "ML").await?.get_subject_request(request).await.err();
    assert_eq!(unknown.and_then(|status| reason(&status)).as_deref(), Some("unknown_request"));
    drop((gambia, at_gambia, node, there));
    world.end().await
}
