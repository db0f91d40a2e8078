//! Between real nodes: a child alone with approvals at both ends, an override by two others, and a family that is
//! accepted together and then one that is split.

use anyhow::Context as _;
use passerelle_domain::{
    catalogue::Role,
    decide::{Caller, SafeguardCommand},
    entry::{Actor, Body},
    ids::HandoverId,
};
use passerelle_node::run::Node;
use passerelle_proto::v1;
use passerelle_tests::world::{Handovers, World, journal};
use serde_json::{Value, json};

/// The code of a refusal.
fn code(error: &anyhow::Error) -> String {
    use tonic_types::StatusExt as _;
    let status = error.downcast_ref::<tonic::Status>();
    status.and_then(|status| status.get_details_error_info()).map(|info| info.reason).unwrap_or_default()
}

fn refused<T>(outcome: Result<T, tonic::Status>) -> String {
    outcome.err().map(|status| code(&status.into())).unwrap_or_default()
}

/// Another operator of the node approves; the code of the refusal, if it was one.
async fn approve(node: &Node, name: &str, role: Role, id: &str, overriding: bool) -> anyhow::Result<String> {
    let caller = Caller { actor: Actor::Operator(name.to_owned()), roles: vec![role] };
    let id: HandoverId = id.parse()?;
    let outcome = node.engine.submit(SafeguardCommand::Approve { caller, id, overriding, role: None }.into()).await;
    Ok(outcome.err().map(|refusal| refusal.code.to_string()).unwrap_or_default())
}

fn for_a_child(record: &mut Value) {
    record["capacity"] = "minor".into();
    record["age_band"] = "12_14".into();
    record["given_by"] = "trusted_adult".into();
    record["no_caregiver"] = "not_found".into();
    record["assent"] = true.into();
    record["assent_form"] = "written".into();
    record["collection"] = "written".into();
}

fn alone(draft: &mut Value, package: &mut Value) {
    draft["age_band"] = "12_14".into();
    draft["minor_status"] = "unaccompanied".into();
    draft["best_interest_ref"] = "bia.7".into();
    package["child"] = json!({ "caregiver_concern": true, "caregiver": "An uncle", "family_verification": "verified" });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_alone_crosses_with_two_approvals_at_both_ends() -> anyhow::Result<()> {
    let world = World::started(&["GM", "ML"]).await?;
    world.joined().await?;
    let (gambia, mali) = (world.node("GM")?, world.node("ML")?);
    let (from, to) = (Handovers::of(&gambia).await?, Handovers::of(&mali).await?);
    let case = from.record_consent_with(for_a_child).await?;
    let without = from.request(&case, |draft, package| {
        alone(draft, package);
        draft.as_object_mut().map(|fields| fields.remove("best_interest_ref"));
    })?;
    let error = from.offer_request(without).await.expect_err("the assessment is mandatory");
    assert_eq!(code(&error), "missing_field");
    let (id, state) = from.offer_request(from.request(&case, alone)?).await?;
    assert_eq!(state, "draft");
    let send = || v1::SendHandoverRequest { id: id.clone() };
    let own = v1::ApproveHandoverRequest { id: id.clone(), role: String::new() };
    assert_eq!(refused(from.safeguards().approve_handover(own).await), "self_approval");
    assert_eq!(approve(&gambia, "binta", Role::Supervisor, &id, false).await?, "");
    assert_eq!(refused(from.safeguards().send_handover(send()).await), "approval_missing");
    assert_eq!(approve(&gambia, "chérif", Role::CpOfficer, &id, false).await?, "");
    from.safeguards().send_handover(send()).await?;

    to.until(&id, "delivered").await?;
    let error = to.accept(&id).await.expect_err("nobody has approved it here");
    assert_eq!(code(&error), "approval_missing");
    assert_eq!(approve(&mali, "seydou", Role::Supervisor, &id, false).await?, "");
    assert_eq!(approve(&mali, "fanta", Role::CpOfficer, &id, false).await?, "");
    to.accept(&id).await?;
    from.until(&id, "accepted").await?;
    from.release(&id).await?;
    to.until(&id, "disclosed").await?;
    let package = to.read(&id).await?;
    assert_eq!(package["contact"]["preferred_name"], "A.");
    assert!(package["contact"].get("safe_phone").is_none(), "nothing leads to the caregiver: {package}");
    let approvals = |node: &Node| -> anyhow::Result<usize> {
        Ok(journal(node)?.iter().filter(|entry| matches!(entry.body, Body::Approved { .. })).count())
    };
    assert_eq!((approvals(&gambia)?, approvals(&mali)?), (2, 2));
    drop((from, to, gambia, mali));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_does_not_travel_to_a_family_that_nobody_verified() -> anyhow::Result<()> {
    let world = World::started(&["GM", "ML"]).await?;
    world.joined().await?;
    let (gambia, mali) = (world.node("GM")?, world.node("ML")?);
    let (from, to) = (Handovers::of(&gambia).await?, Handovers::of(&mali).await?);
    let case = from.record_consent_with(for_a_child).await?;
    let request = from.request(&case, |draft, package| {
        alone(draft, package);
        package["child"]["family_verification"] = "doubtful".into();
    })?;
    let (id, _) = from.offer_request(request).await?;
    for (node, supervisor) in [(&gambia, "binta"), (&mali, "seydou")] {
        if node.society.code() == "ML" {
            from.safeguards().send_handover(v1::SendHandoverRequest { id: id.clone() }).await?;
            to.until(&id, "delivered").await?;
        }
        assert_eq!(approve(node, supervisor, Role::Supervisor, &id, false).await?, "");
        assert_eq!(approve(node, "cp", Role::CpOfficer, &id, false).await?, "");
    }
    to.accept(&id).await?;
    from.until(&id, "accepted").await?;
    let error = from.release(&id).await.expect_err("the link is doubtful");
    assert_eq!(code(&error), "family_unverified");
    drop((from, to, gambia, mali));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_be_asked_is_helped_by_an_override_of_two() -> anyhow::Result<()> {
    let world = World::started(&["GM", "ML"]).await?;
    world.joined().await?;
    let (gambia, mali) = (world.node("GM")?, world.node("ML")?);
    let (from, to) = (Handovers::of(&gambia).await?, Handovers::of(&mali).await?);
    let (case_id, consent) = from
        .record_consent_with(|record| {
            record["decision"] = "deferred".into();
            record["capacity"] = "shock_or_sedated".into();
        })
        .await?;
    let case = (case_id.clone(), consent);
    let ambulance = |draft: &mut Value, _: &mut Value| draft["services"] = json!([{ "service": "ambulance" }]);
    let offer = from.request(&case, ambulance)?;
    let error = from.offer_request(offer.clone()).await.expect_err("nobody has agreed");
    assert_eq!(code(&error), "consent_state");
    let request = v1::RequestOverrideRequest {
        id: String::new(),
        reason: "unconscious".into(),
        note: "Found unconscious on the beach; the clinic is across the river.".into(),
        case_id,
        draft_json: offer.draft_json,
        package_json: offer.package_json,
    };
    let asked = from.safeguards().request_override(request).await?.into_inner();
    let id = asked.id;
    let own = v1::ApproveOverrideRequest { id: id.clone(), role: String::new() };
    assert_eq!(refused(from.safeguards().approve_override(own).await), "self_approval");
    assert_eq!(approve(&gambia, "binta", Role::Supervisor, &id, true).await?, "");
    let send = || v1::SendHandoverRequest { id: id.clone() };
    assert_eq!(refused(from.safeguards().send_handover(send()).await), "approval_missing");
    assert_eq!(approve(&gambia, "moussa", Role::Medical, &id, true).await?, "");
    from.safeguards().send_handover(send()).await?;
    to.until(&id, "delivered").await?;
    to.accept(&id).await?;
    from.until(&id, "accepted").await?;
    assert_eq!(from.release(&id).await?, ["contact", "travel", "health_min"]);
    to.until(&id, "disclosed").await?;
    let overrides = from.safeguards().list_overrides(v1::ListOverridesRequest { due_only: true }).await?.into_inner();
    let due = overrides.overrides.first().context("it waits for its review")?;
    assert!(due.review_by.is_some() && due.told_at.is_none() && !due.late);
    let review = |finding: &str| v1::ReviewOverrideRequest { id: id.clone(), finding: finding.into() };
    from.safeguards().review_override(review("told")).await?;
    assert_eq!(refused(from.safeguards().review_override(review("upheld")).await), "self_approval");
    drop((from, to, gambia, mali));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_family_is_accepted_together_and_another_is_split_deliberately() -> anyhow::Result<()> {
    let world = World::started(&["GM", "ML"]).await?;
    world.joined().await?;
    let (gambia, mali) = (world.node("GM")?, world.node("ML")?);
    let (from, to) = (Handovers::of(&gambia).await?, Handovers::of(&mali).await?);
    let mut families = Vec::new();
    for reference in ["g.banjul.1", "g.banjul.2"] {
        let (mother, sister) = (from.record_consent().await?, from.record_consent().await?);
        let members = vec![from.request(&mother, |_, _| ())?, from.request(&sister, |_, _| ())?];
        let request = v1::OfferGroupRequest { reference: reference.into(), members };
        let offered = from.safeguards().offer_group(request).await?.into_inner().members;
        families.push([offered[0].id.clone(), offered[1].id.clone()]);
    }
    for id in families.iter().flatten() {
        to.until(id, "delivered").await?;
    }
    let [together, apart] = &families[..] else { anyhow::bail!("two families") };
    let error = to.accept(&together[0]).await.expect_err("not one alone");
    assert_eq!(code(&error), "group_together");
    let accept = v1::AcceptGroupRequest { id: together[1].clone(), team: "intake.kayes".into() };
    to.safeguards().accept_group(accept).await?;
    for id in together {
        from.until(id, "accepted").await?;
    }
    for id in together {
        from.release(id).await?;
        assert!(to.until(id, "disclosed").await?.package_here);
    }

    let split = v1::SplitGroupRequest { id: apart[0].clone(), reason: "medical_emergency".into() };
    to.safeguards().split_group(split).await?;
    to.accept(&apart[0]).await?;
    from.until(&apart[0], "accepted").await?;
    from.release(&apart[0]).await?;
    assert_eq!(to.until(&apart[1], "delivered").await?.group_reference, "", "bound to nobody any more");
    let shown = from.safeguards().get_group(v1::GetGroupRequest { id: apart[1].clone() }).await?.into_inner();
    assert_eq!((shown.split_by.as_str(), shown.split_reason.as_str()), ("ML", "medical_emergency"));
    let report = from.safeguards().list_exceptions(v1::ListExceptionsRequest {}).await?.into_inner();
    assert!(report.exceptions.iter().any(|one| one.kind == "group_split"));
    drop((from, to, gambia, mali));
    world.end().await
}
