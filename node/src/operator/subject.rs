//! Cards and requests of persons, for the operators. An answer to a check question lives here for one request, as long
//! as its slow hash takes.

use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2;
use passerelle_domain::{
    catalogue::{Right, Section},
    decide::{Caller, Command, RightsCommand, held_here, may_see},
    digest::Digest,
    entry::Body,
    facts::Facts as _,
    fold::Content,
    handover::{CaseShortCode, Note, Package},
    ids::{EntryIndex, RequestId},
    limits::{FREE_TEXT_CHARS_MAX, LIST_PAGE_MAX},
    refusal::{Code, Refusal},
    rights::{
        CardSecret, Held, News, Outcome, RequestReason, RequestRow, RightsEntry, SubjectRequest, Via, normalised,
    },
    rows::UseRow,
    society::Society,
};
use passerelle_proto::{
    convert::timestamp,
    v1::{self, subject_service_server::SubjectService},
};
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use super::{
    CASE_ROLES, Operator, correction, disclosures, each, entry_and_content, errors::Refused, lanes, needed, optional,
    stamp,
};
use crate::{requests, store::view::View};

/// Rounds of PBKDF2-HMAC-SHA256 (RFC 8018): the number that OWASP asks for, about a quarter of a second.
const ROUNDS: NonZeroU32 = match NonZeroU32::new(600_000) {
    Some(rounds) => rounds,
    None => NonZeroU32::MIN,
};

/// The slow hash of what a person said, salted with the card that it belongs to. None when nothing was said.
fn proof_of(society: Society, code: &CaseShortCode, said: &str) -> Result<Digest, Refusal> {
    if said.chars().count() > FREE_TEXT_CHARS_MAX {
        let message = format!("an answer has at most {FREE_TEXT_CHARS_MAX} characters");
        return Err(Refusal::new(Code::TooLarge, message).at("answer"));
    }
    let said = Zeroizing::new(normalised(said));
    if said.is_empty() {
        return Err(Refusal::new(Code::MissingField, "an answer has letters or digits").at("answer"));
    }
    let salt = [b"passerelle/card/v1\0".as_slice(), &society.bytes(), code.as_str().as_bytes()].concat();
    let mut proof = Digest::default();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, &salt, said.as_bytes(), &mut proof.0);
    Ok(proof)
}

#[tonic::async_trait]
impl SubjectService for Operator {
    async fn make_card(&self, request: Request<v1::MakeCardRequest>) -> Result<Response<v1::MakeCardResponse>, Status> {
        self.serve("make_card", request, |operator, caller, message| async move {
            operator.make_card(caller, message).await
        })
        .await
    }

    async fn ask_right(&self, request: Request<v1::AskRightRequest>) -> Result<Response<v1::AskRightResponse>, Status> {
        self.serve("ask_right", request, |operator, caller, message| async move { operator.ask(caller, message).await })
            .await
    }

    async fn list_subject_requests(
        &self,
        request: Request<v1::ListSubjectRequestsRequest>,
    ) -> Result<Response<v1::ListSubjectRequestsResponse>, Status> {
        self.serve("list_subject_requests", request, |operator, caller, message| async move {
            caller.require(&CASE_ROLES)?;
            Ok(operator.blocking(move |operator| operator.requests(&caller, message.open_only)).await?)
        })
        .await
    }

    async fn get_subject_request(
        &self,
        request: Request<v1::GetSubjectRequestRequest>,
    ) -> Result<Response<v1::GetSubjectRequestResponse>, Status> {
        self.serve("get_subject_request", request, |operator, caller, message| async move {
            let id: RequestId = needed("id", &message.id)?;
            let roles = caller.roles.clone();
            operator.submit_for_entry(RightsCommand::Read { caller, request: id }.into()).await?;
            let row = operator.view().request(id)?;
            let row =
                row.ok_or_else(|| Refusal::new(Code::UnknownRequest, "this node has no such request").at("id"))?;
            let mut request = operator.request_view(&operator.view(), &row, true)?;
            request.correction_json = operator.shown_correction(id, roles).await?;
            Ok(v1::GetSubjectRequestResponse { request: Some(request) })
        })
        .await
    }

    async fn answer_subject_request(
        &self,
        request: Request<v1::AnswerSubjectRequestRequest>,
    ) -> Result<Response<v1::AnswerSubjectRequestResponse>, Status> {
        self.serve("answer_subject_request", request, |operator, caller, message| async move {
            let (request, outcome) = (needed("id", &message.id)?, needed("outcome", &message.outcome)?);
            let reason = optional("reason", &message.reason)?;
            let EntryIndex(entry_index) = if outcome == Outcome::Done && operator.has_correction(request)? {
                operator.correct(caller, request).await?
            } else {
                let command = RightsCommand::Answer { caller, request, outcome, reason };
                operator.submit_for_entry(command.into()).await?
            };
            Ok(v1::AnswerSubjectRequestResponse { entry_index })
        })
        .await
    }

    async fn list_disclosures(
        &self,
        request: Request<v1::ListDisclosuresRequest>,
    ) -> Result<Response<v1::ListDisclosuresResponse>, Status> {
        self.serve("list_disclosures", request, |operator, caller, message| async move {
            caller.require(&CASE_ROLES)?;
            Ok(operator.blocking(move |operator| operator.disclosures(&message)).await?)
        })
        .await
    }

    async fn get_blast_radius(
        &self,
        request: Request<v1::GetBlastRadiusRequest>,
    ) -> Result<Response<v1::GetBlastRadiusResponse>, Status> {
        self.serve("get_blast_radius", request, |operator, caller, message| async move {
            caller.require(&disclosures::BREACH_ROLES)?;
            Ok(operator.blocking(move |operator| operator.blast_radius(&message)).await?)
        })
        .await
    }

    async fn record_breach(
        &self,
        request: Request<v1::RecordBreachRequest>,
    ) -> Result<Response<v1::RecordBreachResponse>, Status> {
        self.serve("record_breach", request, |operator, caller, message| async move {
            let breach = Box::new(disclosures::breach(&message)?);
            let command: Command = RightsCommand::RecordBreach { caller, breach }.into();
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            Ok(v1::RecordBreachResponse { entry_index })
        })
        .await
    }
}

impl Operator {
    async fn make_card(&self, caller: Caller, message: v1::MakeCardRequest) -> Result<v1::MakeCardResponse, Refused> {
        let handover = needed("handover_id", &message.handover_id)?;
        let (answer, word) = (Zeroizing::new(message.answer), Zeroizing::new(message.word));
        let (_, offer) = self.known_handover(handover)?;
        let gone = || Refusal::new(Code::PackageAbsent, "the offer was erased, and its code with it");
        let code = offer.ok_or_else(gone)?.short_code.clone();
        let own = self.own;
        let short_code = code.to_string();
        let secret = self.blocking(move |_| {
            let word = (!word.is_empty()).then(|| proof_of(own, &code, &word).map_err(|refusal| refusal.at("word")));
            Ok(CardSecret { answer: proof_of(own, &code, &answer)?, word: word.transpose()? })
        });
        let command = RightsCommand::MakeCard { caller, handover, secret: secret.await? };
        let EntryIndex(entry_index) = self.submit_for_entry(command.into()).await?;
        let (society, society_name) = (own.to_string(), lanes::name_of(own));
        let hotline = self.card_hotline.clone().unwrap_or_default();
        Ok(v1::MakeCardResponse { entry_index, short_code, society, society_name, hotline })
    }

    async fn ask(&self, caller: Caller, message: v1::AskRightRequest) -> Result<v1::AskRightResponse, Refused> {
        let answer = Zeroizing::new(message.answer);
        let correction = correction::read(&Zeroizing::new(message.correction_json))?;
        let card_of = optional("society", &message.society)?.unwrap_or(self.own);
        let code = CaseShortCode::from_typed(&message.code).map_err(|refusal| refusal.at("code"))?;
        let now = self.clock.now();
        let id: Option<RequestId> = optional("id", &message.id)?;
        let request = SubjectRequest {
            id: id.unwrap_or_else(|| RequestId::new(now, self.entropy.id())),
            right: needed("right", &message.right)?,
            via: optional("via", &message.via)?.unwrap_or(Via::Person),
            card_of,
            code: code.clone(),
            taken_by: self.own,
            received_at: now,
            due: now.plus(SubjectRequest::DUE_WITHIN),
            topic: optional("topic", &message.topic)?,
            sections: sections_of(&message.sections, correction.as_ref())?,
            note: optional::<Note>("note", &message.note)?,
        };
        let (id, due, own) = (request.id, request.due, card_of == self.own);
        // The same time for a card that exists and one that does not: the hash comes first.
        let proof = self.blocking(move |_| proof_of(card_of, &code, &answer)).await?;
        let carried = self.carry(id, card_of, correction).await?;
        let command = RightsCommand::Take { caller, request: Box::new(request), proof, correction: carried };
        let outcome = self.submit(command.into()).await;
        let kept = match &outcome {
            Ok(passerelle_domain::decide::Reply::CheckFailed { .. }) => false,
            Ok(_) => true,
            Err(refused) => !refused.changed_nothing(),
        };
        if !kept {
            self.drop_carried(id, carried).await;
        }
        let entry = match outcome? {
            passerelle_domain::decide::Reply::CheckFailed { locked } => {
                let refusal = if locked {
                    Refusal::new(Code::CheckLocked, "the third wrong answer with this code; none is taken for a day")
                } else {
                    Refusal::new(Code::CheckFailed, "no card has this code with this answer")
                };
                // Its own entry says so already.
                return Err(Refused::by_engine(refusal));
            }
            passerelle_domain::decide::Reply::Done { entry } => entry,
            _ => EntryIndex(self.engine.durable().borrow().entries),
        };
        let due = Some(timestamp(due));
        Ok(v1::AskRightResponse { id: id.to_string(), entry_index: entry.0, due, checked: own })
    }

    fn requests(&self, caller: &Caller, open_only: bool) -> Result<v1::ListSubjectRequestsResponse, Refusal> {
        let view = self.view();
        let mut requests = Vec::new();
        requests::each(&self.engine, |row| {
            if may_see(caller, &row) && !(open_only && row.is_answered()) {
                requests.push(self.request_view(&view, &row, false)?);
            }
            Ok(requests.len() < LIST_PAGE_MAX as usize)
        })?;
        Ok(v1::ListSubjectRequestsResponse { requests })
    }

    /// How many requests of persons are late.
    pub(super) fn requests_late(&self) -> Result<u64, Refusal> {
        Ok(requests::late(&self.engine, self.clock.now())?.values().sum())
    }

    fn request_view(&self, view: &View<'_>, row: &RequestRow, whole: bool) -> Result<v1::SubjectRequestView, Refusal> {
        let request = &row.request;
        let unknown =
            |holder: &passerelle_domain::rights::RequestHolder| holder.reason == Some(RequestReason::NotIdentified);
        let state = match row.holders.as_slice() {
            [] => "asked",
            holders if holders.iter().any(unknown) => "refused",
            _ if row.is_answered() => "answered",
            _ => "open",
        };
        let mut holders = row.holders.iter().map(|one| holder_view(view, one, whole)).collect::<Result<Vec<_>, _>>()?;
        if whole && request.right == Right::Access {
            self.own_held(view, row, &mut holders)?;
        }
        if request.right == Right::Erasure {
            holders.extend(self.erasing(view, row)?);
        }
        Ok(v1::SubjectRequestView {
            id: request.id.to_string(),
            right: request.right.to_string(),
            via: request.via.to_string(),
            society: request.card_of.to_string(),
            code: request.code.to_string(),
            taken_by: request.taken_by.to_string(),
            received_at: Some(timestamp(request.received_at)),
            due: Some(timestamp(request.due)),
            state: state.to_owned(),
            late: row.is_late(self.clock.now()),
            topic: request.topic.map(|topic| topic.to_string()).unwrap_or_default(),
            sections: request.sections.iter().map(ToString::to_string).collect(),
            note: note_of(view, row)?,
            holders,
            entry_index: row.entry.0,
            correction_json: String::new(),
            corrected: view.correction(request.id)?.is_some_and(|row| row.applied.is_some()),
        })
    }

    /// What the Society of the card holds itself, at its own node: looked up when it is read.
    fn own_held(&self, view: &View<'_>, row: &RequestRow, holders: &mut [v1::RequestHolder]) -> Result<(), Refusal> {
        let Some((card, _)) = view.card(&row.request.code)?.and_then(|card| card.made) else { return Ok(()) };
        let own = holders.iter_mut().find(|one| one.handover_id.is_empty() && row.opened.is_some());
        if let Some(own) = own.filter(|own| own.society == self.own.to_string()) {
            let case = view.handover(card)?.and_then(|handover| handover.case);
            let case = case.map(|case| view.case(case)).transpose()?.flatten();
            let handovers = case.map_or_else(|| vec![card], |case| case.handovers);
            let policy = self.policy.borrow().clone();
            own.held = Some(held_view(held_here(&self.context(view, &policy), &handovers)?));
        }
        Ok(())
    }

    /// How far the holders are with an erasure: what the withdrawal says that it became.
    fn erasing(&self, view: &View<'_>, row: &RequestRow) -> Result<Vec<v1::RequestHolder>, Refusal> {
        let card = view.card(&row.request.code)?.and_then(|card| card.made).filter(|_| row.opened.is_some());
        let Some((card, _)) = card else { return Ok(Vec::new()) };
        let case = view.handover(card)?.and_then(|handover| handover.case);
        let consents = case.map(|case| view.case(case)).transpose()?.flatten().unwrap_or_default().consents;
        let mut holders = Vec::new();
        for consent in consents {
            let uses: UseRow = view.uses(consent)?.unwrap_or_default();
            holders.extend(uses.resting.iter().map(|one| {
                v1::RequestHolder {
                    society: one.other.to_string(),
                    handover_id: one.handover.to_string(),
                    state: match (one.erased_at, one.answered_at) {
                        (Some(_), _) => "erased",
                        (None, Some(_)) => "stopped",
                        (None, None) => "waiting",
                    }
                    .to_owned(),
                    reason: String::new(),
                    answered_at: stamp(one.erased_at.or(one.answered_at)),
                    held: None,
                }
            }));
        }
        Ok(holders)
    }
}

/// The sections of a request: those that were named, and those of what is to be put right.
fn sections_of(codes: &[String], correction: Option<&Package>) -> Result<Vec<Section>, Refusal> {
    let mut sections: Vec<Section> = each("sections", codes)?;
    sections.extend(correction.into_iter().flat_map(Package::sections));
    sections.sort_unstable();
    sections.dedup();
    Ok(sections)
}

/// The sentence that came with a request, while the object that holds it is there.
fn note_of(view: &View<'_>, row: &RequestRow) -> Result<String, Refusal> {
    let note = match entry_and_content(view, row.entry)? {
        Some((_, Some(Content::Request(request)))) => request.note,
        Some((_, Some(Content::Rights(message)))) => message.request.note,
        _ => None,
    };
    Ok(note.map(|note| note.as_str().to_owned()).unwrap_or_default())
}

fn holder_view(
    view: &View<'_>,
    one: &passerelle_domain::rights::RequestHolder,
    whole: bool,
) -> Result<v1::RequestHolder, Refusal> {
    let delivered = match one.told {
        Some(told) => view.lane_out(told.peer, told.lane)?.receipted >= told.position,
        None => false,
    };
    let state = match one.answer {
        Some((outcome, ..)) => outcome.to_string(),
        None if delivered => "delivered".to_owned(),
        None => "waiting".to_owned(),
    };
    let held = match one.answer {
        Some((Outcome::Done, _, entry)) if whole => held_in(view, entry)?,
        _ => None,
    };
    Ok(v1::RequestHolder {
        society: one.society.to_string(),
        handover_id: one.handover.map(|id| id.to_string()).unwrap_or_default(),
        state,
        reason: one.reason.map(|reason| reason.to_string()).unwrap_or_default(),
        answered_at: stamp(one.answer.map(|(_, at, _)| at)),
        held: held.map(held_view),
    })
}

/// What a holder said that it holds, in the entry that brought its answer; none where it is this node's own.
fn held_in(view: &View<'_>, entry: EntryIndex) -> Result<Option<Held>, Refusal> {
    Ok(match entry_and_content(view, entry)? {
        Some((_, Some(Content::Rights(message)))) => match message.news {
            News::Answered { held, .. } => held,
            _ => None,
        },
        _ => None,
    })
}

fn held_view(held: Held) -> v1::HeldView {
    let reads = held.reads.into_iter().map(|read| v1::ReadingView {
        at: Some(timestamp(read.at)),
        purpose: read.purpose,
        sections: read.sections,
    });
    v1::HeldView {
        sections: held.sections,
        since: stamp(held.since),
        reads: reads.collect(),
        onward: held.onward.iter().map(ToString::to_string).collect(),
    }
}

/// What an entry of the rights of a person says, for people who audit it.
pub(super) fn entry_json(body: &Body) -> serde_json::Value {
    use serde_json::json;
    match body {
        Body::Rights(entry) => match entry {
            RightsEntry::CardMade { handover, code, digest } => {
                json!({"handover": handover, "code": code, "digest": digest})
            }
            RightsEntry::Taken { request, digest } => json!({"request": request, "digest": digest}),
            RightsEntry::Opened { request, .. } | RightsEntry::Read { request } => json!({"request": request}),
            RightsEntry::Answered { request, outcome, reason } => {
                json!({"request": request, "outcome": outcome, "reason": reason})
            }
            RightsEntry::CheckFailed { code } => json!({"code": code}),
        },
        Body::Breach(breach) => json!(breach),
        _ => serde_json::Value::Null,
    }
}
