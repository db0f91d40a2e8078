//! `passerelle consent`: recording what a person agreed to, and asking what it covers.

use std::io::Write as _;

use passerelle_domain::{digest::Digest, ids::ConsentId, limits::PACKAGE_BYTES_MAX, time::Time};
use passerelle_proto::v1::{
    CheckConsentRequest, CheckConsentResponse, Consent, ConsentSummary, GetConsentRequest, GetConsentResponse,
    GetWithdrawalRequest, GetWithdrawalResponse, HolderView, KeepEvidenceRequest, KeepEvidenceResponse,
    ListConsentsRequest, ListConsentsResponse, ReadEvidenceRequest, ReadEvidenceResponse, RecordConsentRequest,
    RecordConsentResponse, WithdrawConsentRequest, WithdrawConsentResponse,
};

use super::{Session, consent_form, given_or_new, pages};
use crate::{
    args::{ConsentCommand, WithdrawArgs},
    failure::{Exit, Failure},
    files,
    render::{Answer, json, page::Page, time},
};

pub(super) async fn run(command: ConsentCommand, session: &mut Session<'_, '_>) -> Result<Exit, Failure> {
    let client = session.client.clone();
    match command {
        ConsentCommand::Record(args) => {
            let (id, _) = given_or_new::<ConsentId>(args.id.as_deref(), (session.console.now)())?;
            let id = id.to_string();
            let mut args = *args;
            let file = args.evidence_file.take();
            let evidence = file.map(|file| files::read(&file, PACKAGE_BYTES_MAX, session.console)).transpose()?;
            let kind = std::mem::take(&mut args.evidence_kind);
            if let Some(content) = &evidence {
                args.evidence = Some(Digest::of(content).to_string());
            }
            let consent = Consent { case_id: args.case_id.clone(), record_json: consent_form::read(args, session)? };
            let request = RecordConsentRequest { id: id.clone(), consent: Some(consent) };
            let recorded = client.call(client.consents().record_consent(request)).await;
            let recorded = recorded.map_err(|failure| failure.repeat_with_id(&id))?;
            if let Some(content) = evidence {
                let request = KeepEvidenceRequest { consent_id: id.clone(), kind, content };
                let kept = client.call(client.consents().keep_evidence(request)).await;
                kept.map_err(|failure| failure.repeat_with_id(&id))?;
            }
            session.print(&recorded)
        }
        ConsentCommand::KeepEvidence { id, file, kind } => {
            let content = files::read(&file, PACKAGE_BYTES_MAX, session.console)?;
            let request = KeepEvidenceRequest { consent_id: id, kind, content };
            let answer = client.call(client.consents().keep_evidence(request)).await?;
            session.print(&answer)
        }
        ConsentCommand::ReadEvidence { id, purpose, digest, out } => {
            // The file first: a reading that is in the journal should not fail for a name that is taken.
            let mut file = super::audit::new_file(&out)?;
            let request = ReadEvidenceRequest { consent_id: id, purpose, digest };
            let mut answer = match client.call(client.consents().read_evidence(request)).await {
                Ok(answer) => answer,
                Err(failure) => {
                    drop(file);
                    std::fs::remove_file(&out)?;
                    return Err(failure);
                }
            };
            file.write_all(&answer.content)?;
            // It is for a file, not for a screen.
            answer.content.clear();
            session.console.say(format!("Wrote it to {}.", out.display()));
            session.print(&answer)
        }
        ConsentCommand::Show { id } => {
            let answer = client.call(client.consents().get_consent(GetConsentRequest { id })).await?;
            session.print(&answer)
        }
        ConsentCommand::List { limit } => {
            let (consents, more) = pages(limit.limit, async |page_size, page_token| {
                let request = ListConsentsRequest { page_size, page_token };
                let answer = client.call(client.consents().list_consents(request)).await?;
                Ok((answer.consents, answer.next_page_token))
            })
            .await?;
            let answer = ListConsentsResponse { consents, next_page_token: String::new() };
            session.print_list(&answer, "consents", more)
        }
        ConsentCommand::Withdraw(args) => {
            let request = withdrawal(args);
            let answer = client.call(client.consents().withdraw_consent(request)).await?;
            session.print(&answer)
        }
        ConsentCommand::Narrow { withdraw, purposes, recipients, categories } => {
            let request = WithdrawConsentRequest { purposes, recipients, categories, ..withdrawal(withdraw) };
            let answer = client.call(client.consents().withdraw_consent(request)).await?;
            session.print(&answer)
        }
        ConsentCommand::Status(about) => {
            let request = GetWithdrawalRequest {
                case_id: about.case_id.unwrap_or_default(),
                consent_id: about.consent_id.unwrap_or_default(),
                handover_id: about.handover_id.unwrap_or_default(),
            };
            let answer = client.call(client.consents().get_withdrawal(request)).await?;
            session.print(&answer)
        }
        ConsentCommand::Check { id, to, services } => {
            let request = CheckConsentRequest { id, to: to.code().to_owned(), services };
            let answer = client.call(client.consents().check_consent(request)).await?;
            session.print(&answer)?;
            Ok(if answer.allowed { Exit::Ok } else { Exit::Refused })
        }
    }
}

fn withdrawal(args: WithdrawArgs) -> WithdrawConsentRequest {
    WithdrawConsentRequest {
        case_id: args.about.case_id.unwrap_or_default(),
        consent_id: args.about.consent_id.unwrap_or_default(),
        handover_id: args.about.handover_id.unwrap_or_default(),
        by: args.by,
        method: args.channel.unwrap_or_default(),
        ..WithdrawConsentRequest::default()
    }
}

impl Answer for KeepEvidenceResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Kept in the vault, by entry {} of the journal.", self.entry_index));
        page.pairs([("digest", self.digest.clone())]);
    }
}

impl Answer for ReadEvidenceResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.pairs([
            ("kind", self.kind.clone()),
            ("digest", self.digest.clone()),
            ("entry", self.entry_index.to_string()),
        ]);
    }
}

impl Answer for WithdrawConsentResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Taken back, by entry {} of the journal.", self.entry_index));
        page.pairs([("consent", self.consent_ids.join(", ")), ("told", self.told.join(" "))]);
    }
}

impl Answer for GetWithdrawalResponse {
    fn page(&self, page: &mut Page, now: Time) {
        for one in &self.withdrawals {
            page.pairs([
                ("consent", one.consent_id.clone()),
                ("taken back", one.state.clone()),
                ("purposes", one.purposes.join(", ")),
                ("recipients", one.recipients.join(", ")),
                ("categories", one.categories.join(", ")),
                ("own copy", one.own_state.clone()),
            ]);
            let row = |holder: &HolderView| {
                [
                    holder.society.clone(),
                    holder.state.clone(),
                    time::age(holder.told_at.as_ref(), now),
                    time::age(holder.answered_at.as_ref(), now),
                    time::age(holder.erased_at.as_ref(), now),
                    holder.late.clone(),
                    holder.onward.join(" "),
                    holder.kept.join(" "),
                    holder.handover_id.clone(),
                ]
            };
            let header = ["HOLDER", "STATE", "TOLD", "ANSWERED", "ERASED", "LATE", "ONWARD", "KEPT", "HANDOVER"];
            page.table(header, one.holders.iter().map(row).collect(), "nobody else holds anything of it");
        }
    }
}

impl Answer for RecordConsentResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(format!("Recorded, by entry {} of the journal.", self.entry_index));
        page.pairs([("id", self.id.clone()), ("case", self.case_id.clone()), ("digest", self.digest.clone())]);
    }
}

impl Answer for GetConsentResponse {
    fn page(&self, page: &mut Page, now: Time) {
        let Some(view) = &self.consent else { return };
        let consent = view.consent.clone().unwrap_or_default();
        page.pairs([
            ("id", view.id.clone()),
            ("case", consent.case_id),
            ("state", view.state.clone()),
            ("version", view.version.to_string()),
            ("recorded", time::utc_with_age(view.recorded_at.as_ref(), now)),
            ("digest", view.digest.clone()),
            ("entry", view.entry_index.to_string()),
            ("evidence here", view.evidence.iter().map(|one| one.kind.as_str()).collect::<Vec<_>>().join(", ")),
            ("evidence destroyed", time::utc(view.evidence_destroyed_at.as_ref())),
        ]);
        page.heading("RECORD");
        match json::document(&consent.record_json) {
            Some(record) => page.outline(&record),
            None => page.line(&consent.record_json),
        }
    }
}

impl Answer for ListConsentsResponse {
    fn page(&self, page: &mut Page, now: Time) {
        let row = |consent: &ConsentSummary| {
            [
                time::age(consent.recorded_at.as_ref(), now),
                consent.state.clone(),
                consent.version.to_string(),
                consent.recipients.join(" "),
                time::utc(consent.valid_until.as_ref()),
                consent.case_id.clone(),
                consent.id.clone(),
            ]
        };
        let header = ["RECORDED", "STATE", "VERSION", "RECIPIENTS", "VALID UNTIL", "CASE", "ID"];
        page.table(header, self.consents.iter().map(row).collect(), "no consent records");
    }
}

impl Answer for CheckConsentResponse {
    fn page(&self, page: &mut Page, _: Time) {
        page.line(if self.allowed { "Covered." } else { "Not covered: nothing may be sent." });
        let next = passerelle_domain::refusal::Code::parse(&self.code).map(|code| code.next_step().to_owned());
        page.pairs([
            ("sections", self.sections.join(", ")),
            ("reason", self.message.clone()),
            ("code", self.code.clone()),
            ("missing", self.missing.join(", ")),
            ("next", next.unwrap_or_default()),
        ]);
    }
}
