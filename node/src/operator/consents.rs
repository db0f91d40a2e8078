//! Consent records: made, read, and asked what they cover.

use passerelle_domain::{
    catalogue::{Role, Section, Service},
    consent::{self, ConsentDraft, ConsentRecord, CoverageRequest, Recipient, RecordContext, Restrictions, covers},
    decide::{Command, known_events},
    facts::Facts as _,
    ids::{CaseId, ConsentId, EntryIndex},
    refusal::{Code, Refusal},
    rows::{ConsentRow, UseRow},
    society::Society,
    time::Time,
};
use passerelle_proto::{
    convert::timestamp,
    v1::{self, consent_service_server::ConsentService},
};
use tonic::{Request, Response, Status};

use super::{CASE_ROLES, Operator, each, json, needed, optional, page_size};
use crate::store::{
    Direction, keys,
    view::{View, decode, failed},
};

#[tonic::async_trait]
impl ConsentService for Operator {
    async fn record_consent(
        &self,
        request: Request<v1::RecordConsentRequest>,
    ) -> Result<Response<v1::RecordConsentResponse>, Status> {
        self.serve("record_consent", request, |operator, caller, message| async move {
            caller.require(&[Role::Caseworker, Role::Supervisor, Role::RflOfficer, Role::CpOfficer])?;
            let consent = message.consent.unwrap_or_default();
            let case: CaseId = match optional("consent.case_id", &consent.case_id)? {
                Some(case) => case,
                None => CaseId::new(operator.clock.now(), operator.entropy.id()),
            };
            let draft: ConsentDraft = json::read("consent.record_json", &consent.record_json)?;
            let given: Option<ConsentId> = optional("id", &message.id)?;
            // The same request again is taken up at the instant at which it was first, so that it is the same record.
            let known = given.map(|id| operator.view().consent(id)).transpose()?.flatten();
            let now = match known.filter(|row| row.record.version == draft.version) {
                Some(row) => operator.recorded_at_first(&row)?,
                None => operator.clock.now(),
            };
            let id = given.unwrap_or_else(|| ConsentId::new(now, operator.entropy.id()));
            let context = RecordContext { id, subject: operator.pseudonyms.own(case), society: operator.own, now };
            let record = ConsentRecord::from_draft(draft, context)?;
            let digest = record.reference().hash.to_string();
            let command = Command::RecordConsent { caller, case, record: Box::new(record) };
            let EntryIndex(entry_index) = operator.submit_for_entry(command).await?;
            Ok(v1::RecordConsentResponse { id: id.to_string(), case_id: case.to_string(), entry_index, digest })
        })
        .await
    }

    async fn get_consent(
        &self,
        request: Request<v1::GetConsentRequest>,
    ) -> Result<Response<v1::GetConsentResponse>, Status> {
        self.serve("get_consent", request, |operator, caller, message| async move {
            caller.require(&CASE_ROLES)?;
            let id = needed("id", &message.id)?;
            Ok(v1::GetConsentResponse { consent: Some(operator.consent_view(id)?) })
        })
        .await
    }

    async fn list_consents(
        &self,
        request: Request<v1::ListConsentsRequest>,
    ) -> Result<Response<v1::ListConsentsResponse>, Status> {
        self.serve("list_consents", request, |operator, caller, message| async move {
            caller.require(&CASE_ROLES)?;
            let rows = page_size(message.page_size)?;
            let before = optional("page_token", &message.page_token)?;
            Ok(operator.blocking(move |operator| operator.consent_page(rows, before)).await?)
        })
        .await
    }

    async fn withdraw_consent(
        &self,
        request: Request<v1::WithdrawConsentRequest>,
    ) -> Result<Response<v1::WithdrawConsentResponse>, Status> {
        self.serve("withdraw_consent", request, |operator, caller, message| async move {
            operator.withdraw(caller, message).await
        })
        .await
    }

    async fn get_withdrawal(
        &self,
        request: Request<v1::GetWithdrawalRequest>,
    ) -> Result<Response<v1::GetWithdrawalResponse>, Status> {
        self.serve("get_withdrawal", request, |operator, caller, message| async move {
            caller.require(&CASE_ROLES)?;
            Ok(operator.blocking(move |operator| operator.withdrawal(&message)).await?)
        })
        .await
    }

    async fn keep_evidence(
        &self,
        request: Request<v1::KeepEvidenceRequest>,
    ) -> Result<Response<v1::KeepEvidenceResponse>, Status> {
        self.serve("keep_evidence", request, |operator, caller, message| async move {
            operator.keep_evidence(caller, message).await
        })
        .await
    }

    async fn read_evidence(
        &self,
        request: Request<v1::ReadEvidenceRequest>,
    ) -> Result<Response<v1::ReadEvidenceResponse>, Status> {
        self.serve("read_evidence", request, |operator, caller, message| async move {
            operator.read_evidence(caller, message).await
        })
        .await
    }

    async fn check_consent(
        &self,
        request: Request<v1::CheckConsentRequest>,
    ) -> Result<Response<v1::CheckConsentResponse>, Status> {
        self.serve("check_consent", request, |operator, caller, message| async move {
            caller.require(&CASE_ROLES)?;
            let services: Vec<Service> = each("services", &message.services)?;
            if services.is_empty() {
                return Err(Refusal::new(Code::MissingField, "name at least one service").at("services").into());
            }
            let to = needed("to", &message.to)?;
            Ok(operator.check(needed("id", &message.id)?, to, &services)?)
        })
        .await
    }
}

impl Operator {
    fn recorded_at_first(&self, row: &ConsentRow) -> Result<Time, Refusal> {
        let Some(record) = record_of(&self.view(), row)? else { return Ok(row.at) };
        // What is left out of a draft counts from the moment at which the notice was explained.
        Ok(record.events.first().map_or(row.at, |event| event.at))
    }

    pub(super) fn known_consent(&self, id: ConsentId) -> Result<ConsentRow, Refusal> {
        let unknown = || Refusal::new(Code::UnknownConsent, "this node has no such consent record").at("id");
        self.view().consent(id)?.ok_or_else(unknown)
    }

    fn consent_view(&self, id: ConsentId) -> Result<v1::ConsentView, Refusal> {
        let row = self.known_consent(id)?;
        let record = record_of(&self.view(), &row)?;
        let record_json = record.as_ref().map(json::write).unwrap_or_default();
        let view = v1::ConsentView {
            id: id.to_string(),
            consent: Some(v1::Consent { case_id: row.case.to_string(), record_json }),
            state: state(record.as_ref(), &self.view().uses(id)?.unwrap_or_default(), self.clock.now()).to_owned(),
            version: row.record.version,
            digest: row.record.hash.to_string(),
            entry_index: row.entry.0,
            recorded_at: Some(timestamp(row.at)),
            ..Default::default()
        };
        self.with_evidence(view, id)
    }

    fn consent_page(&self, rows: usize, before: Option<ConsentId>) -> Result<v1::ListConsentsResponse, Refusal> {
        let (view, now) = (self.view(), self.clock.now());
        let (from, mut until) = keys::all(b'c');
        if let Some(before) = before {
            until = keys::consent(before);
        }
        let mut page = v1::ListConsentsResponse::default();
        for pair in self.engine.store().scan(&from, &until, Direction::Backward) {
            let (key, value) = pair.map_err(failed)?;
            let Some(id) = keys::id_bytes(&key).map(ConsentId::from_bytes) else { continue };
            if page.consents.len() == rows {
                page.next_page_token = page.consents.last().map(|last| last.id.clone()).unwrap_or_default();
                break;
            }
            let row: ConsentRow = decode(&value)?;
            let record = record_of(&view, &row)?;
            let recipients = record.as_ref().map(|record| record.recipients.iter().filter_map(society).collect());
            page.consents.push(v1::ConsentSummary {
                id: id.to_string(),
                case_id: row.case.to_string(),
                state: state(record.as_ref(), &view.uses(id)?.unwrap_or_default(), now).to_owned(),
                version: row.record.version,
                recipients: recipients.unwrap_or_default(),
                valid_until: record.as_ref().map(|record| timestamp(record.valid_until)),
                recorded_at: Some(timestamp(row.at)),
            });
        }
        Ok(page)
    }

    /// The newest consent record of a case.
    pub(super) fn newest_consent(&self, case: CaseId) -> Result<Option<ConsentId>, Refusal> {
        let (from, until) = keys::all(b'c');
        let mut newest: Option<(EntryIndex, ConsentId)> = None;
        for pair in self.engine.store().scan(&from, &until, Direction::Backward) {
            let (key, value) = pair.map_err(failed)?;
            let row: ConsentRow = decode(&value)?;
            if let Some(id) = keys::id_bytes(&key).filter(|_| row.case == case) {
                newest = newest.max(Some((row.entry, ConsentId::from_bytes(id))));
            }
        }
        Ok(newest.map(|(_, id)| id))
    }

    fn check(&self, id: ConsentId, to: Society, services: &[Service]) -> Result<v1::CheckConsentResponse, Refusal> {
        let row = self.known_consent(id)?;
        let erased = || Refusal::new(Code::UnknownConsent, "the consent record was erased").at("id");
        let record = record_of(&self.view(), &row)?.ok_or_else(erased)?;
        let view = self.view();
        let policy = self.policy.borrow().clone();
        let events = known_events(&self.context(&view, &policy), id)?;
        let mut sections = std::collections::BTreeSet::<Section>::new();
        for service in services {
            let mut request = CoverageRequest {
                subject: self.pseudonyms.own(row.case),
                consent: record.reference(),
                purpose: service.purpose(),
                service: *service,
                recipient: to.into(),
                role: None,
                country: to.into(),
                categories: service.minimal_categories(),
                onward: false,
                restrictions: Restrictions::default(),
                now: self.clock.now(),
            };
            request.leave_out_excluded(&record);
            match covers(&record, &events, &request) {
                Ok(coverage) => sections.extend(coverage.sections()),
                Err(denial) => {
                    let refusal = denial.refusal();
                    return Ok(v1::CheckConsentResponse {
                        allowed: false,
                        code: refusal.code.to_string(),
                        message: format!("{service}: {}", refusal.message),
                        missing: denial.missing.iter().map(ToString::to_string).collect(),
                        sections: Vec::new(),
                    });
                }
            }
        }
        let sections = sections.iter().map(ToString::to_string).collect();
        Ok(v1::CheckConsentResponse { allowed: true, sections, ..Default::default() })
    }
}

fn record_of(view: &View<'_>, row: &ConsentRow) -> Result<Option<ConsentRecord>, Refusal> {
    view.object(row.entry)?.map(|object| ConsentRecord::from_cbor(&object)).transpose()
}

fn society(recipient: &Recipient) -> Option<String> {
    match recipient {
        Recipient::Society(society) => Some(society.to_string()),
        _ => None,
    }
}

/// Where a record stands now; `erased` when only its digest is left.
fn state(record: Option<&ConsentRecord>, uses: &UseRow, now: Time) -> &'static str {
    let Some(record) = record else { return "erased" };
    if uses.whole {
        return consent::State::Withdrawn.as_str();
    }
    let state = consent::standing(record, &[], now).state;
    if state.in_force() && now >= record.valid_until {
        consent::State::Expired.as_str()
    } else if state.in_force() && !uses.withdrawn.is_empty() {
        consent::State::Narrowed.as_str()
    } else {
        state.as_str()
    }
}
