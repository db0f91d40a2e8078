//! The scripted node: each call is written down and answered with a sample, unless it is to refuse.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use passerelle_proto::v1::{
    alert_service_server::{AlertService, AlertServiceServer},
    audit_service_server::{AuditService, AuditServiceServer},
    consent_service_server::{ConsentService, ConsentServiceServer},
    handover_service_server::{HandoverService, HandoverServiceServer},
    peer_service_server::{PeerService, PeerServiceServer},
    retention_service_server::{RetentionService, RetentionServiceServer},
    safeguard_service_server::SafeguardServiceServer,
    status_service_server::{StatusService, StatusServiceServer},
    subject_service_server::SubjectServiceServer,
    watch_service_server::{WatchService, WatchServiceServer},
    *,
};
use prost_types::Timestamp;
use tokio_stream::Stream;
use tonic::{
    Code, Request, Response, Status,
    transport::{Server, server::Router},
};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::Seen;

/// The node and its script.
#[derive(Clone, Default)]
pub struct Node {
    pub seen: Seen,
    /// What it refuses everything with.
    pub refusal: Option<Arc<Status>>,
    /// What it refuses to publish at once with.
    pub refused_raise: Option<Arc<Status>>,
    /// Faults that a verification finds.
    pub faults: Vec<String>,
    /// Whether a peer's bundle is the first of its Society.
    pub first_bundle: bool,
    /// How often a stream of events has been asked for; the first one breaks.
    pub watched: Arc<AtomicUsize>,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// An instant so many seconds before that of the tests.
pub fn ago(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds: 1_795_501_800 - seconds, nanos: 0 })
}

pub fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl Node {
    pub fn register(self, mut server: Server) -> Router {
        server
            .add_service(AlertServiceServer::new(self.clone()))
            .add_service(AuditServiceServer::new(self.clone()))
            .add_service(ConsentServiceServer::new(self.clone()))
            .add_service(HandoverServiceServer::new(self.clone()))
            .add_service(PeerServiceServer::new(self.clone()))
            .add_service(SafeguardServiceServer::new(self.clone()))
            .add_service(RetentionServiceServer::new(self.clone()))
            .add_service(StatusServiceServer::new(self.clone()))
            .add_service(SubjectServiceServer::new(self.clone()))
            .add_service(WatchServiceServer::new(self))
    }

    pub fn take<T: std::fmt::Debug>(&self, request: Request<T>) -> Result<T, Status> {
        let request = request.into_inner();
        self.seen.lock().expect("no panic holds the lock").push(format!("{request:?}"));
        match &self.refusal {
            Some(status) => {
                Err(Status::with_details(status.code(), status.message(), status.details().to_vec().into()))
            }
            None => Ok(request),
        }
    }

    fn stream<T: Send + 'static>(items: Vec<Result<T, Status>>) -> Response<Answers<T>> {
        Response::new(Box::pin(tokio_stream::iter(items)))
    }
}

pub fn ok<T>(answer: T) -> Result<Response<T>, Status> {
    Ok(Response::new(answer))
}

fn draft(id: String) -> DraftView {
    let text = AlertText { language: "fr".into(), headline: "Naufrage".into(), ..AlertText::default() };
    let alert = Alert {
        mode: "Actual".into(),
        event: "sea.shipwreck".into(),
        severity: "Extreme".into(),
        texts: vec![text],
        ..Alert::default()
    };
    DraftView {
        id,
        state: "draft".into(),
        source: "operator".into(),
        needs_approval: true,
        drafted_by: "awa".into(),
        drafted_at: ago(120),
        digest: "d9".into(),
        alert: Some(alert),
        entry_index: 40,
        ..DraftView::default()
    }
}

#[tonic::async_trait]
impl AlertService for Node {
    async fn raise_alert(&self, request: Request<RaiseAlertRequest>) -> Result<Response<RaiseAlertResponse>, Status> {
        let id = self.take(request)?.id;
        if let Some(status) = &self.refused_raise {
            let details = status.details().to_vec().into();
            return Err(Status::with_details(status.code(), status.message(), details));
        }
        ok(RaiseAlertResponse {
            id,
            entry_index: 7,
            digest: "d1".into(),
            recipients: words(&["GM", "MR"]),
            ..Default::default()
        })
    }

    async fn update_alert(
        &self,
        request: Request<UpdateAlertRequest>,
    ) -> Result<Response<UpdateAlertResponse>, Status> {
        let id = self.take(request)?.id;
        ok(UpdateAlertResponse { id, entry_index: 8, digest: "d2".into(), ..Default::default() })
    }

    async fn cancel_alert(
        &self,
        request: Request<CancelAlertRequest>,
    ) -> Result<Response<CancelAlertResponse>, Status> {
        self.take(request)?;
        ok(CancelAlertResponse { entry_index: 9 })
    }

    async fn acknowledge_alert(
        &self,
        request: Request<AcknowledgeAlertRequest>,
    ) -> Result<Response<AcknowledgeAlertResponse>, Status> {
        self.take(request)?;
        ok(AcknowledgeAlertResponse { entry_index: 10 })
    }

    async fn get_alert(&self, request: Request<GetAlertRequest>) -> Result<Response<GetAlertResponse>, Status> {
        let id = self.take(request)?.id;
        let count = |best, min, max| {
            Some(Count { best: Some(best), min: Some(min), max: Some(max), basis: "estimated".into() })
        };
        let alert = Alert {
            mode: "Exercise".into(),
            event: "return.convoy_land".into(),
            severity: "Severe".into(),
            urgency: "Expected".into(),
            certainty: "Likely".into(),
            sent_at: ago(600),
            onset_from: ago(-3_600 * 3),
            onset_until: ago(-3_600 * 6),
            expires_at: ago(-86_400 * 2),
            source_type: "volunteer".into(),
            source_reliability: "B".into(),
            info_credibility: 3,
            verification: "unverified".into(),
            ack_required: true,
            ack_by: ago(-5_400),
            route_segment: "land.sn-mr.rosso".into(),
            people: Some(People { total: count(120, 110, 140), uasc: count(4, 4, 4), ..People::default() }),
            needs: vec![NeedItem { code: "water".into(), priority: 1, quantity_band: "100-199".into() }],
            places: vec![Place {
                role: "heading_to".into(),
                name: "Rosso".into(),
                country: "SN".into(),
                latitude: Some(16.5),
                longitude: Some(-15.811),
                precision_km: Some(2.0),
                ..Place::default()
            }],
            etas: vec![Eta { place: "Rosso".into(), from: ago(-10_800), transport: "bus".into(), ..Eta::default() }],
            texts: vec![AlertText {
                language: "fr".into(),
                headline: "Convoi de 3 bus vers Rosso".into(),
                instruction: "Préparer l'accueil et l'eau.".into(),
                origin: "machine".into(),
                ..AlertText::default()
            }],
            ..Alert::default()
        };
        ok(GetAlertResponse {
            alert: Some(AlertView {
                id,
                origin: "MR".into(),
                alert: Some(alert),
                state: "active".into(),
                entry_index: 7,
                deliveries: vec![AlertDelivery {
                    society: "SN".into(),
                    state: "delivered".into(),
                    at: ago(590),
                    code: String::new(),
                }],
                acknowledgements: vec![AlertAcknowledgement {
                    society: "SN".into(),
                    kind: "ack".into(),
                    note: String::new(),
                    at: ago(60),
                }],
                imported: Some(ImportedDocument {
                    sender: "meteo@example.org".into(),
                    identifier: "vent-7".into(),
                    sent: ago(660),
                    digest: "00ff".into(),
                    languages: vec!["fr".into(), "ar".into()],
                    signature: "present_not_verified".into(),
                    only_in_original: vec!["info/web".into(), "info/resource (2)".into()],
                }),
                ..AlertView::default()
            }),
        })
    }

    async fn draft_alert(&self, request: Request<DraftAlertRequest>) -> Result<Response<DraftAlertResponse>, Status> {
        let id = self.take(request)?.id;
        ok(DraftAlertResponse { draft: Some(draft(id)) })
    }

    async fn list_drafts(&self, request: Request<ListDraftsRequest>) -> Result<Response<ListDraftsResponse>, Status> {
        self.take(request)?;
        ok(ListDraftsResponse { drafts: vec![draft("d1".into())], next_page_token: String::new() })
    }

    async fn get_draft(&self, request: Request<GetDraftRequest>) -> Result<Response<GetDraftResponse>, Status> {
        let id = self.take(request)?.id;
        ok(GetDraftResponse { draft: Some(draft(id)) })
    }

    async fn approve_alert(
        &self,
        request: Request<ApproveAlertRequest>,
    ) -> Result<Response<ApproveAlertResponse>, Status> {
        self.take(request)?;
        ok(ApproveAlertResponse { entry_index: 41 })
    }

    async fn publish_alert(
        &self,
        request: Request<PublishAlertRequest>,
    ) -> Result<Response<PublishAlertResponse>, Status> {
        let id = self.take(request)?.id;
        ok(PublishAlertResponse { id, entry_index: 42, digest: "d3".into(), recipients: words(&["GM"]) })
    }

    async fn discard_alert(
        &self,
        request: Request<DiscardAlertRequest>,
    ) -> Result<Response<DiscardAlertResponse>, Status> {
        self.take(request)?;
        ok(DiscardAlertResponse { entry_index: 43 })
    }

    async fn redact_alert(
        &self,
        request: Request<RedactAlertRequest>,
    ) -> Result<Response<RedactAlertResponse>, Status> {
        self.take(request)?;
        ok(RedactAlertResponse { entry_index: 44 })
    }

    async fn export_alert(
        &self,
        request: Request<ExportAlertRequest>,
    ) -> Result<Response<ExportAlertResponse>, Status> {
        self.take(request)?;
        let media_type = "application/cap+xml".into();
        ok(ExportAlertResponse { content: b"<alert>\n</alert>\n".to_vec(), media_type, original: false })
    }

    async fn list_alerts(&self, request: Request<ListAlertsRequest>) -> Result<Response<ListAlertsResponse>, Status> {
        let request = self.take(request)?;
        let alert = |id: &str, mode: &str| AlertSummary {
            id: id.into(),
            origin: "MR".into(),
            state: "active".into(),
            mode: mode.into(),
            event: "return.convoy_land".into(),
            urgency: "Expected".into(),
            severity: "Severe".into(),
            headline: "Convoi vers Rosso".into(),
            route_segment: "land.sn-mr.rosso".into(),
            sent_at: ago(600),
            expires_at: ago(-86_400),
            entry_index: 7,
            ..AlertSummary::default()
        };
        // Pages of two.
        let all = [alert("a1", "Actual"), alert("a2", "Exercise"), alert("a3", "Actual")];
        let start: usize = request.page_token.parse().unwrap_or_default();
        let size = (request.page_size as usize).min(2);
        let alerts: Vec<_> = all.iter().skip(start).take(size).cloned().collect();
        let end = start + alerts.len();
        let next_page_token = if end < all.len() { end.to_string() } else { String::new() };
        ok(ListAlertsResponse { alerts, next_page_token })
    }

    async fn get_feeds(&self, request: Request<GetFeedsRequest>) -> Result<Response<GetFeedsResponse>, Status> {
        self.take(request)?;
        let failing = CapSource {
            name: "anacim".into(),
            url: "https://met.example/cap.atom".into(),
            enabled: true,
            polled_at: ago(60),
            next_at: ago(0),
            failures: 2,
            error_code: "feed_unreachable".into(),
            error: "nobody takes the connection".into(),
            drafted: 7,
            refused: 1,
            cancelled: vec!["019ab0f2-1c00-7000-8000-000000000001".into()],
            ..CapSource::default()
        };
        let off = CapSource { name: "meteo".into(), url: "https://other.example".into(), ..CapSource::default() };
        let public = PublicFeed { url: "https://crs.example/feed.atom".into(), messages: 3, changed_at: ago(600) };
        ok(GetFeedsResponse { public: Some(public), sources: vec![failing, off] })
    }

    async fn list_codes(&self, request: Request<ListCodesRequest>) -> Result<Response<ListCodesResponse>, Status> {
        let vocabulary = self.take(request)?.vocabulary;
        let labels = [("fr", "Naufrage"), ("en", "Shipwreck")].map(|(key, label)| (key.to_owned(), label.to_owned()));
        let labels = HashMap::from(labels);
        ok(ListCodesResponse { codes: vec![VocabularyCode { vocabulary, code: "sea.shipwreck".into(), labels }] })
    }
}

#[tonic::async_trait]
impl ConsentService for Node {
    async fn record_consent(
        &self,
        request: Request<RecordConsentRequest>,
    ) -> Result<Response<RecordConsentResponse>, Status> {
        let request = self.take(request)?;
        let case_id = request.consent.unwrap_or_default().case_id;
        ok(RecordConsentResponse { id: request.id, case_id, entry_index: 11, digest: "c0".into() })
    }

    async fn get_consent(&self, request: Request<GetConsentRequest>) -> Result<Response<GetConsentResponse>, Status> {
        let id = self.take(request)?.id;
        let record_json =
            r#"{"language":"bm","recipients":["ML","GM"],"notice":{"version":3,"understood":true}}"#.into();
        let consent = Some(Consent { case_id: "case-1".into(), record_json });
        let view = ConsentView {
            id,
            consent,
            state: "given".into(),
            version: 1,
            recorded_at: ago(60),
            ..ConsentView::default()
        };
        ok(GetConsentResponse { consent: Some(view) })
    }

    async fn list_consents(
        &self,
        request: Request<ListConsentsRequest>,
    ) -> Result<Response<ListConsentsResponse>, Status> {
        self.take(request)?;
        let consent = ConsentSummary {
            id: "c1".into(),
            state: "given".into(),
            recipients: words(&["ML"]),
            ..ConsentSummary::default()
        };
        ok(ListConsentsResponse { consents: vec![consent], next_page_token: String::new() })
    }

    async fn withdraw_consent(
        &self,
        request: Request<WithdrawConsentRequest>,
    ) -> Result<Response<WithdrawConsentResponse>, Status> {
        let consent_ids = vec![self.take(request)?.consent_id];
        ok(WithdrawConsentResponse { entry_index: 41, consent_ids, told: words(&["ML"]) })
    }

    async fn get_withdrawal(
        &self,
        request: Request<GetWithdrawalRequest>,
    ) -> Result<Response<GetWithdrawalResponse>, Status> {
        let consent_id = self.take(request)?.consent_id;
        let holder = HolderView { society: "ML".into(), state: "stopped".into(), ..HolderView::default() };
        let view = WithdrawalView {
            consent_id,
            state: "withdrawn".into(),
            holders: vec![holder],
            own_state: "erased".into(),
            ..WithdrawalView::default()
        };
        ok(GetWithdrawalResponse { withdrawals: vec![view] })
    }

    async fn keep_evidence(
        &self,
        request: Request<KeepEvidenceRequest>,
    ) -> Result<Response<KeepEvidenceResponse>, Status> {
        let digest = passerelle_domain::digest::Digest::of(&self.take(request)?.content).to_string();
        ok(KeepEvidenceResponse { entry_index: 42, digest })
    }

    async fn read_evidence(
        &self,
        request: Request<ReadEvidenceRequest>,
    ) -> Result<Response<ReadEvidenceResponse>, Status> {
        let digest = self.take(request)?.digest;
        ok(ReadEvidenceResponse { entry_index: 43, kind: "recording".into(), digest, content: b"OggS".to_vec() })
    }

    async fn check_consent(
        &self,
        request: Request<CheckConsentRequest>,
    ) -> Result<Response<CheckConsentResponse>, Status> {
        let allowed = self.take(request)?.to == "ML";
        ok(if allowed {
            CheckConsentResponse { allowed, sections: words(&["contact", "travel"]), ..CheckConsentResponse::default() }
        } else {
            let (code, message) = ("consent_recipient".into(), "the person did not name this Society".into());
            CheckConsentResponse { code, message, ..CheckConsentResponse::default() }
        })
    }
}

pub fn handover(id: String) -> HandoverView {
    HandoverView {
        id,
        from: "SN".into(),
        to: "ML".into(),
        to_team: "bamako-reception".into(),
        kind: "transfer_case".into(),
        state: "offered".into(),
        short_code: "4K7QX2M".into(),
        services: words(&["transport_family"]),
        responsible: "SN".into(),
        offered_at: ago(7_200),
        offer_json: r#"{"needs":["water"],"group":{"size":2}}"#.into(),
        history: vec![HandoverEvent {
            at: ago(7_200),
            step: "offer".into(),
            by: "SN".into(),
            state: "offered".into(),
            ..HandoverEvent::default()
        }],
        ..HandoverView::default()
    }
}

#[tonic::async_trait]
impl HandoverService for Node {
    async fn offer_handover(
        &self,
        request: Request<OfferHandoverRequest>,
    ) -> Result<Response<OfferHandoverResponse>, Status> {
        let id = self.take(request)?.id;
        let (short_code, state, data_will_be_in) = ("4K7QX2M".into(), "offered".into(), "Mali".into());
        ok(OfferHandoverResponse { id, entry_index: 12, short_code, state, data_will_be_in, held_at_origin: false })
    }

    async fn accept_handover(
        &self,
        request: Request<AcceptHandoverRequest>,
    ) -> Result<Response<AcceptHandoverResponse>, Status> {
        self.take(request)?;
        ok(AcceptHandoverResponse { entry_index: 13 })
    }

    async fn reject_handover(
        &self,
        request: Request<RejectHandoverRequest>,
    ) -> Result<Response<RejectHandoverResponse>, Status> {
        self.take(request)?;
        ok(RejectHandoverResponse { entry_index: 14 })
    }

    async fn release_handover(
        &self,
        request: Request<ReleaseHandoverRequest>,
    ) -> Result<Response<ReleaseHandoverResponse>, Status> {
        self.take(request)?;
        ok(ReleaseHandoverResponse {
            entry_index: 15,
            sections: words(&["contact"]),
            data_will_be_in: "Mali".into(),
            held_at_origin: false,
        })
    }

    async fn report_handover(
        &self,
        request: Request<ReportHandoverRequest>,
    ) -> Result<Response<ReportHandoverResponse>, Status> {
        let state = self.take(request)?.step;
        ok(ReportHandoverResponse { entry_index: 16, state })
    }

    async fn get_handover(
        &self,
        request: Request<GetHandoverRequest>,
    ) -> Result<Response<GetHandoverResponse>, Status> {
        let id = self.take(request)?.id;
        ok(GetHandoverResponse { handover: Some(handover(id)) })
    }

    async fn list_handovers(
        &self,
        request: Request<ListHandoversRequest>,
    ) -> Result<Response<ListHandoversResponse>, Status> {
        self.take(request)?;
        ok(ListHandoversResponse { handovers: vec![handover("h1".into())], next_page_token: String::new() })
    }

    async fn read_package(
        &self,
        request: Request<ReadPackageRequest>,
    ) -> Result<Response<ReadPackageResponse>, Status> {
        let sections = self.take(request)?.sections;
        let package_json = r#"{"travel":{"arrival":"Kayes","accompanied_by":["a sister"]}}"#.into();
        ok(ReadPackageResponse {
            package_json,
            sections,
            entry_index: 17,
            letters: vec![Letter {
                kind: "clinical_letter".into(),
                media_type: "application/pdf".into(),
                content: b"%PDF-1.7".to_vec(),
            }],
            withheld: words(&["health_full"]),
        })
    }
}

fn peers() -> Vec<PeerStatus> {
    let lane = |lane: &str, backlog| LaneStatus {
        lane: lane.into(),
        queued: 10 + backlog,
        receipted: 10,
        received: 4,
        backlog,
        oldest_undelivered_at: if backlog > 0 { ago(5_400) } else { None },
    };
    let mut gambia = PeerStatus {
        society: "GM".into(),
        link: "up".into(),
        lanes: vec![lane("urgent", 0), lane("routine", 3), lane("bulk", 0)],
        last_contact_at: ago(2),
        round_trip_ms: 640,
        clock_skew_ms: -120,
        certificate_days_left: Some(61),
        bundle_version: 4,
        segments: words(&["land.sn-mr.rosso"]),
        subscribed: true,
        bytes_sent: 20_480,
        ..PeerStatus::default()
    };
    gambia.alarms = words(&["restored_peer"]);
    let chad = PeerStatus {
        society: "TD".into(),
        link: "waiting".into(),
        last_error: "bad_certificate".into(),
        ..PeerStatus::default()
    };
    vec![gambia, chad]
}

#[tonic::async_trait]
impl PeerService for Node {
    async fn get_bundle(&self, request: Request<GetBundleRequest>) -> Result<Response<GetBundleResponse>, Status> {
        self.take(request)?;
        ok(GetBundleResponse { bundle: b"bundle".to_vec(), fingerprint_words: "abandon zoo".into() })
    }

    async fn add_peer(&self, request: Request<AddPeerRequest>) -> Result<Response<AddPeerResponse>, Status> {
        let words = self.take(request)?.fingerprint_words;
        if self.first_bundle && words.is_empty() {
            let metadata = HashMap::from([
                ("field".to_owned(), "fingerprint_words".to_owned()),
                ("fingerprint_words".to_owned(), "abandon zoo".to_owned()),
            ]);
            let details = ErrorDetails::with_error_info("missing_field", "passerelle", metadata);
            let message = "the first bundle of a Society needs the words of its fingerprint";
            return Err(Status::with_error_details(Code::InvalidArgument, message, details));
        }
        ok(AddPeerResponse {
            society: "GM".into(),
            version: 4,
            fingerprint_words: "abandon zoo".into(),
            entry_index: 18,
        })
    }

    async fn remove_peer(&self, request: Request<RemovePeerRequest>) -> Result<Response<RemovePeerResponse>, Status> {
        self.take(request)?;
        ok(RemovePeerResponse { entry_index: 19 })
    }

    async fn list_peers(&self, request: Request<ListPeersRequest>) -> Result<Response<ListPeersResponse>, Status> {
        self.take(request)?;
        ok(ListPeersResponse { peers: peers() })
    }

    async fn set_subscription(
        &self,
        request: Request<SetSubscriptionRequest>,
    ) -> Result<Response<SetSubscriptionResponse>, Status> {
        self.take(request)?;
        ok(SetSubscriptionResponse { entry_index: 20 })
    }

    async fn replay_to_peer(
        &self,
        request: Request<ReplayToPeerRequest>,
    ) -> Result<Response<ReplayToPeerResponse>, Status> {
        self.take(request)?;
        let withheld = HashMap::from([("consent_state".to_owned(), 2)]);
        ok(ReplayToPeerResponse { envelopes: 40, withheld, entry_index: 21 })
    }
}

#[tonic::async_trait]
impl AuditService for Node {
    type VerifyJournalStream = Answers<VerifyJournalResponse>;
    type ExportJournalStream = Answers<ExportJournalResponse>;

    async fn list_entries(
        &self,
        request: Request<ListEntriesRequest>,
    ) -> Result<Response<ListEntriesResponse>, Status> {
        let request = self.take(request)?;
        let entry = |index| JournalEntry {
            index,
            time: ago(60),
            actor: "awa".into(),
            kind: "issued".into(),
            subject: "a1".into(),
            societies: words(&["GM", "MR"]),
            verdict: "accepted".into(),
            body_json: r#"{"event":"sea.rescue"}"#.into(),
            ..JournalEntry::default()
        };
        // A journal of five entries, in pages of two.
        let last = (request.from_index + u64::from(request.page_size).min(2)).min(5);
        let entries = (request.from_index..last).map(entry).collect();
        ok(ListEntriesResponse { entries, next_index: (last < 5).then_some(last) })
    }

    async fn get_checkpoint(
        &self,
        request: Request<GetCheckpointRequest>,
    ) -> Result<Response<GetCheckpointResponse>, Status> {
        self.take(request)?;
        let note = "sn.sahelplus/journal\n5\nAAAA\n\n— sn.sahelplus/journal AAAA\n".into();
        ok(GetCheckpointResponse { note, size: 5, root_hash: "00".into() })
    }

    async fn verify_journal(
        &self,
        request: Request<VerifyJournalRequest>,
    ) -> Result<Response<Self::VerifyJournalStream>, Status> {
        self.take(request)?;
        let progress =
            VerifyJournalResponse { entries_checked: 2, entries_total: 5, ..VerifyJournalResponse::default() };
        let verdict = VerifyJournalResponse {
            entries_checked: 5,
            entries_total: 5,
            done: true,
            ok: self.faults.is_empty(),
            faults: self.faults.clone(),
            ..VerifyJournalResponse::default()
        };
        Ok(Self::stream(vec![Ok(progress), Ok(verdict)]))
    }

    async fn export_journal(
        &self,
        request: Request<ExportJournalRequest>,
    ) -> Result<Response<Self::ExportJournalStream>, Status> {
        let from = self.take(request)?.from_index;
        let chunk = |text: &str| Ok(ExportJournalResponse { chunk: text.as_bytes().to_vec() });
        let mut parts = vec![chunk("one "), chunk("two")];
        if from > 5 {
            parts.push(Err(Status::data_loss("an object is damaged")));
        }
        Ok(Self::stream(parts))
    }
}

#[tonic::async_trait]
impl StatusService for Node {
    async fn get_status(&self, request: Request<GetStatusRequest>) -> Result<Response<GetStatusResponse>, Status> {
        self.take(request)?;
        ok(GetStatusResponse {
            society: "SN".into(),
            society_name: "Senegalese Red Cross Society".into(),
            version: "0.1.0".into(),
            now: ago(-30),
            started_at: ago(86_400 * 3),
            journal_entries: 1_234,
            store_bytes: 3 << 20,
            disk_used_percent: 81.5,
            certificate_days_left: 61,
            root_days_left: 3_000,
            alerts_active: 4,
            handovers_open: 2,
            peers: peers(),
            alarms: words(&["disk_80"]),
            operator: "awa".into(),
            roles: words(&["duty_officer"]),
            ..GetStatusResponse::default()
        })
    }
}

#[tonic::async_trait]
impl WatchService for Node {
    type WatchStream = Answers<WatchResponse>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let request = self.take(request)?;
        let from = request.from_position.unwrap_or(5);
        let event = |position, topic: &str| {
            Ok(WatchResponse {
                position,
                time: ago(60),
                topic: topic.into(),
                event: "raised".into(),
                id: "a1".into(),
                state: "active".into(),
                society: "MR".into(),
                summary: "Convoi vers Rosso".into(),
                mode: String::new(),
            })
        };
        // The first stream breaks after an event and a sign of life; the next one tells the rest and ends.
        let first = self.watched.fetch_add(1, Ordering::SeqCst) == 0;
        let events = if first {
            vec![event(from, "alert"), event(from + 3, ""), Err(Status::unavailable("the node goes down"))]
        } else {
            vec![event(from, "alert")]
        };
        Ok(Self::stream(events))
    }
}

fn report() -> Option<ReportView> {
    let cell = |code: &str, count: &str| ReportCell { code: code.into(), count: count.into() };
    Some(ReportView {
        id: "r1".into(),
        by: "service".into(),
        from: ago(86_400 * 84),
        until: ago(86_400 * 24),
        cells: vec![cell("food", "<5"), cell("transport_family", "12")],
        shown_total: 12,
        proposed_by: "awa".into(),
        approved_by: words(&["fatou"]),
        given_to: Vec::new(),
        entry_index: 90,
    })
}

/// A method that is written down and answered with a sample.
macro_rules! answers {
    ($($name:ident($request:ident) -> $response:ident { $($field:ident: $value:expr),* $(,)? })+) => {
        #[tonic::async_trait]
        impl RetentionService for Node {
            $(async fn $name(&self, request: Request<$request>) -> Result<Response<$response>, Status> {
                self.take(request)?;
                #[allow(clippy::needless_update, reason = "some samples are whole")]
                ok($response { $($field: $value,)* ..$response::default() })
            })+
        }
    };
}

answers! {
    get_retention(GetRetentionRequest) -> GetRetentionResponse {
        rules: vec![
            RetentionRule { rule: "offer_received".into(), keep_seconds: 86_400, purged: 3 },
            RetentionRule { rule: "package_received".into(), keep_seconds: 90 * 86_400, purged: 0 },
        ],
        soon: vec![PurgeSoon {
            rule: "package_received".into(),
            kind: "handover".into(),
            id: "h1".into(),
            at: ago(-86_400),
            held: true,
        }],
        swept_at: ago(600),
        soon_total: 1,
    }
    run_retention(RunRetentionRequest) -> RunRetentionResponse { purged: 4, held: 1 }
    review_package(ReviewPackageRequest) -> ReviewPackageResponse { entry_index: 91 }
    place_hold(PlaceHoldRequest) -> PlaceHoldResponse { entry_index: 92 }
    lift_hold(LiftHoldRequest) -> LiftHoldResponse { entry_index: 93 }
    list_holds(ListHoldsRequest) -> ListHoldsResponse {
        holds: vec![HoldView {
            subject: "h1".into(),
            kind: "legal_hold".into(),
            reason: "Court order".into(),
            placed_at: ago(3_600),
            lifted_at: None,
            entry_index: 92,
        }],
    }
    suspend_peer(SuspendPeerRequest) -> SuspendPeerResponse { entry_index: 94 }
    propose_report(ProposeReportRequest) -> ProposeReportResponse { report: report() }
    approve_report(ApproveReportRequest) -> ApproveReportResponse { report: report() }
    export_report(ExportReportRequest) -> ExportReportResponse {
        report: report(), csv: "service,count\r\nfood,<5\r\n".into(),
    }
    list_reports(ListReportsRequest) -> ListReportsResponse { reports: report().into_iter().collect() }
}
