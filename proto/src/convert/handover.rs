//! Answers and steps of handovers: from requests into what travels.

use passerelle_domain::{
    catalogue::Service,
    handover::{Attachment, Note, Outcome, Step, Verdict},
    refusal::{Code, Refusal},
};

use super::Faults;
use crate::v1;

/// The yes of a request. Without services it is for all that were asked for.
///
/// # Errors
/// Everything that is no value of its field, each with its path.
pub fn acceptance(request: v1::AcceptHandoverRequest) -> Result<Verdict, Vec<Refusal>> {
    let mut faults = Faults::default();
    let team = faults.needed("team", &request.team);
    let services = faults.texts("services", request.services);
    match team {
        Some(team) if faults.0.is_empty() => Ok(Verdict::Accept { team, services }),
        _ => Err(faults.0),
    }
}

/// The letters of a request, each at its place in `letters`.
///
/// # Errors
/// `unknown_code` or `missing_field`, with the path.
pub fn letters(letters: Vec<v1::Letter>) -> Result<Vec<Attachment>, Vec<Refusal>> {
    let mut faults = Faults::default();
    let mut read = Vec::with_capacity(letters.len());
    for (index, letter) in letters.into_iter().enumerate() {
        let kind = faults.needed(format!("letters[{index}].kind"), &letter.kind);
        let media_type = faults.needed(format!("letters[{index}].media_type"), &letter.media_type);
        if letter.content.is_empty() {
            let refusal = Refusal::new(Code::MissingField, "a letter has a content");
            faults.0.push(refusal.at(format!("letters[{index}].content")));
        }
        if let (Some(kind), Some(media_type)) = (kind, media_type) {
            read.push(Attachment { kind, media_type, bytes: letter.content });
        }
    }
    if faults.0.is_empty() { Ok(read) } else { Err(faults.0) }
}

/// A letter, on its way to whoever may read it.
#[must_use]
pub fn letter(attachment: &Attachment) -> v1::Letter {
    let Attachment { kind, media_type, bytes } = attachment;
    v1::Letter { kind: kind.to_string(), media_type: media_type.to_string(), content: bytes.clone() }
}

/// The no of a request.
///
/// # Errors
/// Everything that is no value of its field, each with its path.
pub fn rejection(request: v1::RejectHandoverRequest) -> Result<Verdict, Vec<Refusal>> {
    let mut faults = Faults::default();
    let reason = faults.needed("reason", &request.reason);
    let note = faults.optional("note", &request.note);
    match reason {
        Some(reason) if faults.0.is_empty() => Ok(Verdict::Reject { reason, note }),
        _ => Err(faults.0),
    }
}

/// The step of a request and its note, given the services that were accepted: those not delivered remain unmet.
///
/// # Errors
/// Everything that is no value of its field, or belongs to another step, each with its path.
pub fn step(request: v1::ReportHandoverRequest, accepted: &[Service]) -> Result<(Step, Option<Note>), Vec<Refusal>> {
    let mut faults = Faults::default();
    let f = &mut faults;
    let note = f.optional("note", &request.note);
    let delivered: Vec<Service> = f.texts("services_delivered", request.services_delivered);
    let completes = request.step == "completed";
    let reasonless = matches!(request.step.as_str(), "in_service" | "not_arrived" | "withdrawn" | "erased");
    let mut out_of_place = |field: &str, given: bool| {
        if given {
            let message = format!("{field} has no place in the step {}", request.step);
            f.0.push(Refusal::new(Code::Malformed, message).at(field));
        }
    };
    out_of_place("services_delivered", !completes && !delivered.is_empty());
    out_of_place("reason", reasonless && !request.reason.is_empty());
    let step = match request.step.as_str() {
        "in_service" => Some(Step::InService),
        "not_arrived" => Some(Step::NotArrived),
        "completed" => f.needed("reason", &request.reason).map(|reason| {
            let unmet = accepted.iter().copied().filter(|service| !delivered.contains(service)).collect();
            Step::Completed(Outcome { reason, delivered, unmet, satisfied: None })
        }),
        "returned" => f.needed("reason", &request.reason).map(Step::Returned),
        "cancelled" => f.needed("reason", &request.reason).map(Step::Cancelled),
        "revoked" => f.needed("reason", &request.reason).map(Step::Revoked),
        "withdrawn" => Some(Step::Withdrawn),
        "erased" => Some(Step::Erased),
        _ => {
            let steps = "in_service, not_arrived, completed, returned, cancelled, revoked, withdrawn, erased";
            f.0.push(Refusal::new(Code::UnknownCode, format!("the steps are {steps}")).at("step"));
            None
        }
    };
    match step {
        Some(step) if faults.0.is_empty() => Ok((step, note)),
        _ => Err(faults.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_takes_what_belongs_to_it_and_nothing_else() {
        let request = |step: &str, reason: &str, delivered: &[&str]| v1::ReportHandoverRequest {
            step: step.into(),
            reason: reason.into(),
            services_delivered: delivered.iter().map(ToString::to_string).collect(),
            ..Default::default()
        };
        let accepted = [Service::Food, Service::Shelter];
        let close = passerelle_domain::catalogue::CloseReason::ALL[0];
        let done = step(request("completed", close.as_str(), &["food"]), &accepted);
        let outcome =
            Outcome { reason: close, delivered: vec![Service::Food], unmet: vec![Service::Shelter], satisfied: None };
        assert_eq!(done, Ok((Step::Completed(outcome), None)));
        assert_eq!(step(request("in_service", "", &[]), &accepted), Ok((Step::InService, None)));
        for (wrong, field) in [
            (request("in_service", close.as_str(), &[]), "reason"),
            (request("not_arrived", "", &["food"]), "services_delivered"),
            (request("completed", "", &[]), "reason"),
            (request("completed", close.as_str(), &["nothing"]), "services_delivered[0]"),
            (request("vanished", "", &[]), "step"),
            (v1::ReportHandoverRequest { note: "+221 77 000 00 01".into(), ..request("in_service", "", &[]) }, "note"),
        ] {
            let faults = step(wrong, &accepted).expect_err(field);
            assert_eq!(faults[0].field.as_deref(), Some(field));
        }
    }

    #[test]
    fn an_answer_says_who_or_why() {
        assert!(acceptance(v1::AcceptHandoverRequest::default()).is_err());
        assert!(rejection(v1::RejectHandoverRequest::default()).is_err());
        let yes = acceptance(v1::AcceptHandoverRequest { team: "intake.kayes".into(), ..Default::default() });
        assert!(matches!(yes, Ok(Verdict::Accept { services, .. }) if services.is_empty()));
    }
}
