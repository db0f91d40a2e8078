//! Handovers: offered, answered, followed, read. What concerns the package itself stands in [`super::packages`].

use passerelle_domain::{
    consent::Tag,
    decide::{Command, missing_approvals},
    facts::Facts as _,
    fold::Content,
    handover::{GroupId, HandoverAnswer, HandoverDraft, Note, Offer, State, Verdict, permitted_roles},
    ids::{CaseId, EntryIndex, HandoverId},
    refusal::{Code, Refusal},
    rows::HandoverRow,
    society::Society,
};
use passerelle_proto::{
    convert::{handover, timestamp},
    v1::{self, handover_service_server::HandoverService},
};
use tonic::{Request, Response, Status};

use super::{
    CASE_ROLES, COUNTED_MAX, Operator, entry_and_content, errors::Refused, json, needed, optional, page_size, stamp,
};
use crate::store::{
    Direction, keys,
    view::{View, decode, failed},
};

#[tonic::async_trait]
impl HandoverService for Operator {
    async fn offer_handover(
        &self,
        request: Request<v1::OfferHandoverRequest>,
    ) -> Result<Response<v1::OfferHandoverResponse>, Status> {
        self.serve("offer_handover", request, |operator, caller, message| async move {
            caller.require(permitted_roles(passerelle_domain::handover::Action::Send))?;
            let case: CaseId = needed("case_id", &message.case_id)?;
            let mut draft: HandoverDraft = json::read("draft_json", &message.draft_json)?;
            if draft.consent.is_none() {
                draft.consent = operator.blocking(move |operator| operator.newest_consent(case)).await?;
            }
            let id: Option<HandoverId> = optional("id", &message.id)?;
            let id = id.unwrap_or_else(|| HandoverId::new(operator.clock.now(), operator.entropy.id()));
            let package = operator.keep_for_offer(id, case, message.package_json, message.letters).await?;
            let command = Command::OfferHandover {
                caller,
                id,
                case,
                entropy: operator.entropy.id(),
                draft: Box::new(draft),
                package,
                release_on_acceptance: message.release_on_acceptance,
            };
            let outcome = operator.submit_for_entry(command).await;
            if outcome.as_ref().is_err_and(Refused::changed_nothing) {
                operator.discard(package).await;
            }
            let EntryIndex(entry_index) = outcome?;
            let (row, offer) = operator.known_handover(id)?;
            let offer = offer.as_deref();
            Ok(v1::OfferHandoverResponse {
                id: id.to_string(),
                entry_index,
                short_code: offer.map(|offer| offer.short_code.to_string()).unwrap_or_default(),
                state: row.state.to_string(),
                data_will_be_in: operator.will_lie_with(row.to).country(),
                held_at_origin: operator.holds_for(row.to),
            })
        })
        .await
    }

    async fn accept_handover(
        &self,
        request: Request<v1::AcceptHandoverRequest>,
    ) -> Result<Response<v1::AcceptHandoverResponse>, Status> {
        self.serve("accept_handover", request, |operator, caller, message| async move {
            let id = needed("id", &message.id)?;
            let verdict = handover::acceptance(message)?;
            let entropy = operator.entropy.id();
            let command = Command::AnswerHandover { caller, entropy, id, verdict };
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            Ok(v1::AcceptHandoverResponse { entry_index })
        })
        .await
    }

    async fn reject_handover(
        &self,
        request: Request<v1::RejectHandoverRequest>,
    ) -> Result<Response<v1::RejectHandoverResponse>, Status> {
        self.serve("reject_handover", request, |operator, caller, message| async move {
            let id = needed("id", &message.id)?;
            let verdict = handover::rejection(message)?;
            let entropy = operator.entropy.id();
            let command = Command::AnswerHandover { caller, entropy, id, verdict };
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            Ok(v1::RejectHandoverResponse { entry_index })
        })
        .await
    }

    async fn release_handover(
        &self,
        request: Request<v1::ReleaseHandoverRequest>,
    ) -> Result<Response<v1::ReleaseHandoverResponse>, Status> {
        self.serve("release_handover", request, |operator, caller, message| async move {
            let id = needed("id", &message.id)?;
            operator.release(caller, id, message.package_json, message.letters).await
        })
        .await
    }

    async fn report_handover(
        &self,
        request: Request<v1::ReportHandoverRequest>,
    ) -> Result<Response<v1::ReportHandoverResponse>, Status> {
        self.serve("report_handover", request, |operator, caller, message| async move {
            let id = needed("id", &message.id)?;
            let accepted = operator.view().handover(id)?.map(|row| row.accepted).unwrap_or_default();
            let (step, note) = handover::step(message, &accepted)?;
            let entropy = operator.entropy.id();
            let command = Command::ReportHandover { caller, entropy, id, step, note };
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            let state = operator.known_handover(id)?.0.state.to_string();
            Ok(v1::ReportHandoverResponse { entry_index, state })
        })
        .await
    }

    async fn get_handover(
        &self,
        request: Request<v1::GetHandoverRequest>,
    ) -> Result<Response<v1::GetHandoverResponse>, Status> {
        self.serve("get_handover", request, |operator, caller, message| async move {
            caller.require(&CASE_ROLES)?;
            let id = needed("id", &message.id)?;
            Ok(v1::GetHandoverResponse { handover: Some(operator.whole_view(id)?) })
        })
        .await
    }

    async fn list_handovers(
        &self,
        request: Request<v1::ListHandoversRequest>,
    ) -> Result<Response<v1::ListHandoversResponse>, Status> {
        self.serve("list_handovers", request, |operator, caller, message| async move {
            caller.require(&CASE_ROLES)?;
            let wanted = Wanted {
                rows: page_size(message.page_size)?,
                before: optional("page_token", &message.page_token)?,
                state: optional("state", &message.state)?,
                society: optional("society", &message.society)?,
            };
            Ok(operator.blocking(move |operator| operator.handover_page(&wanted)).await?)
        })
        .await
    }

    async fn read_package(
        &self,
        request: Request<v1::ReadPackageRequest>,
    ) -> Result<Response<v1::ReadPackageResponse>, Status> {
        self.serve(
            "read_package",
            request,
            |operator, caller, message| async move { operator.read(caller, message).await },
        )
        .await
    }
}

/// Which handovers a list is to have.
struct Wanted {
    rows: usize,
    before: Option<HandoverId>,
    state: Option<State>,
    society: Option<Society>,
}

impl Operator {
    /// A handover, and its offer while that is kept.
    pub(super) fn known_handover(&self, id: HandoverId) -> Result<(HandoverRow, Option<Box<Offer>>), Refusal> {
        let view = self.view();
        let unknown = || Refusal::new(Code::UnknownHandover, "this node has no such handover").at("id");
        let row = view.handover(id)?.ok_or_else(unknown)?;
        let offer = offer_of(&view, &row)?;
        Ok((row, offer))
    }

    /// A handover with what lists leave out: missing approvals, its group, the notes of its steps.
    pub(super) fn whole_view(&self, id: HandoverId) -> Result<v1::HandoverView, Refusal> {
        let (row, offer) = self.known_handover(id)?;
        let mut shown = handover_view(id, &row, offer.as_deref());
        let (view, policy) = (self.view(), self.policy.borrow().clone());
        let Some(offer) = offer else { return Ok(shown) };
        shown.approvals_missing = missing_approvals(&self.context(&view, &policy), id, false)?;
        if let Some(group) = &offer.group {
            let bound = view.group(GroupId::of(row.from, row.to, &group.reference))?;
            if bound.is_some_and(|bound| bound.split.is_none()) {
                shown.group_reference = group.reference.as_str().to_owned();
            }
        }
        for (event, told) in shown.history.iter_mut().zip(&row.history) {
            let content = entry_and_content(&view, told.entry)?.and_then(|(_, content)| content);
            event.note = content.as_ref().and_then(note_of).map(|note| note.as_str().to_owned()).unwrap_or_default();
        }
        Ok(shown)
    }

    fn handover_page(&self, wanted: &Wanted) -> Result<v1::ListHandoversResponse, Refusal> {
        let view = self.view();
        let (from, mut until) = keys::all(b'h');
        if let Some(before) = wanted.before {
            until = keys::handover(before);
        }
        let mut page = v1::ListHandoversResponse::default();
        for pair in self.engine.store().scan(&from, &until, Direction::Backward) {
            let (key, value) = pair.map_err(failed)?;
            let row: HandoverRow = decode(&value)?;
            let fits = wanted.state.is_none_or(|state| state == row.state)
                && wanted.society.is_none_or(|society| row.from == society || row.to == society);
            let Some(id) = keys::id_bytes(&key).filter(|_| fits).map(HandoverId::from_bytes) else { continue };
            if page.handovers.len() == wanted.rows {
                page.next_page_token = page.handovers.last().map(|last| last.id.clone()).unwrap_or_default();
                break;
            }
            let offer = offer_of(&view, &row)?;
            page.handovers.push(handover_view(id, &row, offer.as_deref()));
        }
        Ok(page)
    }

    /// How many of the newest handovers have not ended.
    pub(super) fn handovers_open(&self) -> Result<u64, Refusal> {
        let (from, until) = keys::all(b'h');
        let mut open = 0;
        for pair in self.engine.store().scan(&from, &until, Direction::Backward).take(COUNTED_MAX) {
            let row: HandoverRow = decode(&pair.map_err(failed)?.1)?;
            open += u64::from(!row.state.has_ended());
        }
        Ok(open)
    }
}

fn offer_of(view: &View<'_>, row: &HandoverRow) -> Result<Option<Box<Offer>>, Refusal> {
    Ok(match entry_and_content(view, row.entry)? {
        Some((_, Some(Content::Offer(offer)))) => Some(offer),
        _ => None,
    })
}

fn handover_view(id: HandoverId, row: &HandoverRow, offer: Option<&Offer>) -> v1::HandoverView {
    let in_care = matches!(row.state, State::InService | State::Completed);
    let services = offer.map(|offer| offer.service_codes().map(|service| service.to_string()).collect());
    let group = offer.and_then(|offer| offer.group.as_ref()).map(|group| u32::from(group.size));
    v1::HandoverView {
        id: id.to_string(),
        from: row.from.to_string(),
        to: row.to.to_string(),
        kind: row.kind.to_string(),
        state: row.state.to_string(),
        short_code: offer.map(|offer| offer.short_code.to_string()).unwrap_or_default(),
        priority: offer.map(|offer| offer.priority.to_string()).unwrap_or_default(),
        to_team: team_of(row, offer),
        services: services.unwrap_or_default(),
        accepted_services: row.accepted.iter().map(ToString::to_string).collect(),
        age_band: offer.map(|offer| offer.age_band.to_string()).unwrap_or_default(),
        group_size: group.unwrap_or_default(),
        offered_at: offer.map(|offer| timestamp(offer.offered_at)),
        due_by: stamp(offer.and_then(|offer| offer.due_by)),
        expires_at: Some(timestamp(row.expires_at)),
        consent_id: row.consent.id.to_string(),
        consent_version: row.consent.version,
        consent_digest: row.consent.hash.to_string(),
        reason: row.history.last().and_then(|event| event.reason.clone()).unwrap_or_default(),
        sections: row.sections.clone(),
        responsible: if in_care { row.to } else { row.from }.to_string(),
        history: row.history.iter().map(event_view).collect(),
        entry_index: row.entry.0,
        offer_json: offer.map(json::write).unwrap_or_default(),
        package_here: row.package.is_some(),
        approvals_missing: Vec::new(),
        group_reference: String::new(),
        frozen: row.frozen,
        held_at_origin: row.held_at_origin.is_some(),
    }
}

fn note_of(content: &Content) -> Option<&Note> {
    match content {
        Content::Step(step) => step.note.as_ref(),
        Content::Answer(HandoverAnswer { verdict: Verdict::Reject { note, .. }, .. }) => note.as_ref(),
        _ => None,
    }
}

fn team_of(row: &HandoverRow, offer: Option<&Offer>) -> String {
    let asked = offer.and_then(|offer| offer.to_team.as_ref()).map(Tag::as_str);
    row.team.as_deref().or(asked).unwrap_or_default().to_owned()
}

fn event_view(event: &passerelle_domain::rows::HandoverEvent) -> v1::HandoverEvent {
    v1::HandoverEvent {
        at: Some(timestamp(event.at)),
        step: event.action.to_string(),
        by: event.by.to_string(),
        state: event.state.to_string(),
        reason: event.reason.clone().unwrap_or_default(),
        entry_index: event.entry.0,
        note: String::new(),
    }
}
