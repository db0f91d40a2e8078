//! Cases: a consent, an offer, an answer, a release, a reading, and sometimes a withdrawal, through the same services that
//! the command line calls, by people at both nodes.

use std::time::Duration;

use passerelle_domain::{
    digest::Digest,
    facts::Facts as _,
    handover::State,
    ids::{CaseId, ConsentId, HandoverId},
    time::Time,
};
use passerelle_node::{operator::Operator, trust::OperatorInfo};
use passerelle_proto::v1::{
    self, consent_service_server::ConsentService as _, handover_service_server::HandoverService as _,
};
use tonic::{Request, Status};
use tonic_types::StatusExt as _;

use super::{People, entropy};
use crate::sim::{
    chance::Chance,
    invariants::Invariant,
    ledger::Agreed,
    network::{address, paths::Millis},
    site::{OPERATOR, Up},
};

const CONSENT: &str = include_str!("../../../../config/demo/consent-mali-only.toml");
const HANDOVER: &str = include_str!("../../../../config/demo/handover.toml");
const PACKAGE: &str = include_str!("../../../../config/demo/package.toml");

/// How many consents of a thousand are recorded as they are spoken.
const SPOKEN_PERMILLE: u64 = 400;
/// How often people look whether the other end has done its part.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// For how long they do.
const PATIENCE: Duration = Duration::from_secs(400);

/// What is special about a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twist {
    /// Nothing: it is offered, accepted, released by the node itself, and read.
    Plain,
    /// A person releases it.
    ByHand,
    /// The other Society declines.
    Declined,
    /// The consent names another Society than it is offered to.
    Unnamed,
    /// The person takes the consent back where it was given, soon after the offer.
    WithdrawnEarly,
    /// The person takes it back where it was given, after the release.
    WithdrawnLate,
    /// The person takes it back at the other Society.
    WithdrawnThere,
    /// It is offered while there is no line to the other Society, and the offer ends before there is one.
    Lapses,
    /// It is offered while there is no line to the other Society, and the consent is taken back before there is one.
    WithdrawnUnsent,
    /// The person takes it back at the other Society while the package is on its way there.
    WithdrawnCrossing,
    /// The consent ends before a person releases the case.
    Ended,
    /// It is offered while there is no line to the other Society, and the consent ends before there is one.
    EndsUnsent,
    /// The other Society hands the person over to a third, and then the consent is taken back where it was first given.
    PassedOn,
}

impl Twist {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Plain,
        Self::ByHand,
        Self::Declined,
        Self::Unnamed,
        Self::WithdrawnEarly,
        Self::WithdrawnLate,
        Self::WithdrawnThere,
        Self::Lapses,
        Self::WithdrawnUnsent,
        Self::WithdrawnCrossing,
        Self::Ended,
        Self::EndsUnsent,
        Self::PassedOn,
    ];

    /// Those whose offer waits for a line to the other Society.
    pub const UNSENT: &[Self] = &[Self::Lapses, Self::WithdrawnUnsent, Self::EndsUnsent];
}

/// What people know of a case.
#[derive(Clone, Debug)]
pub struct CaseFact {
    /// The handover.
    pub handover: HandoverId,
    /// Both ends.
    pub from: usize,
    /// Where it goes.
    pub to: usize,
    /// When the offer was acknowledged.
    pub offered: Option<Millis>,
    /// When the acceptance was acknowledged.
    pub accepted: Option<Millis>,
    /// Where and when a withdrawal was acknowledged.
    pub withdrawn: Option<(usize, Millis)>,
}

/// A case, while people work on it.
pub(super) struct Script<'a> {
    pub(super) people: &'a People,
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) twist: Twist,
    pub(super) chance: Chance,
    pub(super) consent: ConsentId,
    pub(super) handover: HandoverId,
    pub(super) case: CaseId,
    /// When the consent ends, if it is to end soon.
    pub(super) until: Option<Time>,
}

impl People {
    pub(super) async fn case(&self, from: usize, to: usize, twist: Twist, mut chance: Chance) {
        let now = self.clock(from);
        let script = Script {
            people: self,
            from,
            to,
            twist,
            consent: ConsentId::new(now, entropy(&mut chance)),
            handover: HandoverId::new(now, entropy(&mut chance)),
            case: CaseId::new(now, entropy(&mut chance)),
            until: None,
            chance,
        };
        script.play().await;
    }

    /// Asks a service of a node, again and again until it is answered for good.
    async fn ask<M, T, F>(
        &self,
        node: usize,
        what: &str,
        message: M,
        call: impl Fn(Operator, Request<M>) -> F,
    ) -> Result<T, String>
    where
        M: Clone,
        F: Future<Output = Result<T, Status>>,
    {
        let once = |up: Up| {
            let mut request = Request::new(message.clone());
            request.extensions_mut().insert(OperatorInfo {
                name: OPERATOR.to_owned(),
                address: address(node),
                serial: String::new(),
                not_after: self.clock(node),
            });
            let asked = call(up.operator, request);
            async move { asked.await.map_err(|status| code_of(&status)) }
        };
        self.patiently(node, what, once).await
    }
}

/// The code of a refusal, and whether to ask again.
fn code_of(status: &Status) -> (String, bool) {
    let code = status.get_details_error_info().map_or_else(|| status.code().to_string(), |info| info.reason);
    let again =
        matches!(status.code(), tonic::Code::ResourceExhausted | tonic::Code::Unavailable | tonic::Code::Internal);
    (code, again)
}

impl Script<'_> {
    async fn play(mut self) {
        self.until = (self.twist == Twist::Ended).then(|| self.ends());
        match self.twist {
            Twist::WithdrawnUnsent => return self.stops_unsent().await,
            Twist::Lapses => return self.lapses_unsent().await,
            Twist::EndsUnsent => return self.ends_unsent().await,
            _ => {}
        }
        if !self.consents().await || !self.offers().await {
            return;
        }
        if self.twist == Twist::WithdrawnEarly {
            let pause = self.chance.millis(10, 30_000);
            tokio::time::sleep(pause).await;
            return self.withdraws(self.from).await;
        }
        if !self.until(self.to, |state| state != State::Draft).await || !self.answers().await {
            return;
        }
        match self.twist {
            Twist::Ended => return self.outlasts().await,
            Twist::WithdrawnCrossing => return self.crosses().await,
            _ => {}
        }
        if self.twist == Twist::ByHand && self.until(self.from, |state| state == State::Accepted).await {
            let message = v1::ReleaseHandoverRequest { id: self.handover.to_string(), ..Default::default() };
            let _ = self
                .ask(self.from, "release", message, |operator, request| async move {
                    operator.release_handover(request).await
                })
                .await;
        }
        if self.twist == Twist::WithdrawnThere {
            let pause = self.chance.millis(10, 60_000);
            tokio::time::sleep(pause).await;
            return self.withdraws(self.to).await;
        }
        if !self.until(self.to, |state| state == State::Disclosed).await {
            return;
        }
        self.reads().await;
        if self.twist == Twist::PassedOn {
            return self.passes_on().await;
        }
        if self.twist == Twist::WithdrawnLate {
            let pause = self.chance.millis(10, 60_000);
            tokio::time::sleep(pause).await;
            return self.withdraws(self.from).await;
        }
        let message = v1::ReportHandoverRequest {
            id: self.handover.to_string(),
            step: "in_service".to_owned(),
            ..Default::default()
        };
        let _ =
            self.ask(self.to, "arrival", message, |operator, request| async move {
                operator.report_handover(request).await
            })
            .await;
    }

    pub(super) async fn ask<M, T, F>(
        &self,
        node: usize,
        what: &str,
        message: M,
        call: impl Fn(Operator, Request<M>) -> F,
    ) -> Result<T, String>
    where
        M: Clone,
        F: Future<Output = Result<T, Status>>,
    {
        let what = format!("{what} of {}", self.handover);
        self.people.ask(node, &what, message, call).await
    }

    /// Whom the consent names: the Society that the case goes to, or on purpose another.
    fn named(&self) -> usize {
        let sites = self.people.sites.len();
        match self.twist {
            Twist::Unnamed if sites > 2 => {
                (0..sites).find(|node| *node != self.from && *node != self.to).unwrap_or(self.to)
            }
            _ => self.to,
        }
    }

    pub(super) async fn consents(&mut self) -> bool {
        let named = self.people.sites[self.named()].society;
        let Ok(mut record) = toml::from_str::<serde_json::Value>(CONSENT) else { return false };
        record["recipients"] = serde_json::json!([named]);
        record["countries"] = serde_json::json!([named]);
        if let Some(until) = self.until {
            record["valid_until"] = serde_json::json!(until);
        }
        let voice = self.chance.permille(SPOKEN_PERMILLE).then(|| format!("OggS the voice of {}", self.consent));
        if let Some(voice) = &voice {
            record["collection"] = "oral_recorded".into();
            record["evidence"] = Digest::of(voice.as_bytes()).to_string().into();
        }
        let agreed = Agreed {
            consent: self.consent,
            recipients: vec![named],
            from: self.people.sites[self.from].society,
            until: self.until,
        };
        self.people.ledger.lock().agree(self.handover, agreed);
        let consent = v1::Consent { case_id: self.case.to_string(), record_json: record.to_string() };
        let message = v1::RecordConsentRequest { id: self.consent.to_string(), consent: Some(consent) };
        let answer = self.ask(self.from, "consent", message, |operator, request| async move {
            operator.record_consent(request).await
        });
        if answer.await.is_err() {
            return false;
        }
        self.people.memory.lock().cases.push(CaseFact {
            handover: self.handover,
            from: self.from,
            to: self.to,
            offered: None,
            accepted: None,
            withdrawn: None,
        });
        if let Some(voice) = voice {
            self.proves(voice).await;
        }
        true
    }

    /// The recording of the consent is kept; the case goes on without it too.
    async fn proves(&self, voice: String) {
        let message = v1::KeepEvidenceRequest {
            consent_id: self.consent.to_string(),
            kind: "recording".to_owned(),
            content: voice.into_bytes(),
        };
        let _ =
            self.ask(self.from, "evidence", message, |operator, request| async move {
                operator.keep_evidence(request).await
            })
            .await;
    }

    pub(super) async fn offers(&mut self) -> bool {
        let (Ok(mut draft), Ok(mut package)) =
            (toml::from_str::<serde_json::Value>(HANDOVER), toml::from_str::<serde_json::Value>(PACKAGE))
        else {
            return false;
        };
        let to = self.people.sites[self.to].society;
        draft["consent"] = self.consent.to_string().into();
        draft["to"] = to.code().into();
        draft["services"] = serde_json::json!([{ "service": "transport_family", "needs": ["transport_to_family"] }]);
        if let Some(draft) = draft.as_object_mut() {
            draft.remove("arrival");
        }
        if self.twist == Twist::Lapses {
            draft["expires_at"] = serde_json::json!(self.lapses());
        }
        package["services_received"] = serde_json::Value::Null;
        if let Some(package) = package.as_object_mut() {
            package.remove("services_received");
        }
        let message = v1::OfferHandoverRequest {
            id: self.handover.to_string(),
            case_id: self.case.to_string(),
            draft_json: draft.to_string(),
            package_json: package.to_string(),
            release_on_acceptance: !matches!(self.twist, Twist::ByHand | Twist::Ended),
            letters: Vec::new(),
        };
        let answer =
            self.ask(
                self.from,
                "offer",
                message,
                |operator, request| async move { operator.offer_handover(request).await },
            );
        let offered = answer.await.is_ok();
        if offered && self.named() != self.to {
            let text = format!("an offer to {to}, whom the consent does not name, was taken");
            self.people.ledger.lock().broken(Invariant::ConsentKept, text);
        }
        if offered {
            self.remember(|fact, now| fact.offered = Some(now));
        }
        offered
    }

    pub(super) async fn answers(&mut self) -> bool {
        let id = self.handover.to_string();
        let pause = self.chance.millis(100, 10_000);
        tokio::time::sleep(pause).await;
        if self.twist == Twist::Declined {
            let message = v1::RejectHandoverRequest { id, reason: "no_capacity".to_owned(), ..Default::default() };
            let _ =
                self.ask(self.to, "refusal", message, |operator, request| async move {
                    operator.reject_handover(request).await
                })
                .await;
            return false;
        }
        let message = v1::AcceptHandoverRequest { id, team: "intake.kayes".to_owned(), services: Vec::new() };
        let accepted = self.ask(self.to, "acceptance", message, |operator, request| async move {
            operator.accept_handover(request).await
        });
        let accepted = accepted.await.is_ok();
        if accepted {
            self.remember(|fact, now| fact.accepted = Some(now));
        }
        accepted
    }

    async fn reads(&self) {
        let message = v1::ReadPackageRequest {
            id: self.handover.to_string(),
            purpose: "svc.transport".to_owned(),
            sections: Vec::new(),
        };
        let _ = self
            .ask(self.to, "reading", message, |operator, request| async move { operator.read_package(request).await })
            .await;
    }

    pub(super) async fn withdraws(&self, node: usize) {
        let message = v1::WithdrawConsentRequest { handover_id: self.handover.to_string(), ..Default::default() };
        let withdrawn = self.ask(node, "withdrawal", message, |operator, request| async move {
            operator.withdraw_consent(request).await
        });
        if withdrawn.await.is_ok() {
            self.remember(|fact, now| fact.withdrawn = Some((node, now)));
        }
    }

    /// Waits until the handover is known at a node and stands there as it should.
    pub(super) async fn until(&self, node: usize, holds: impl Fn(State) -> bool) -> bool {
        self.until_seen(node, (LOOK_EVERY, PATIENCE), holds).await
    }

    /// The same, looking at another pace for another time.
    pub(super) async fn until_seen(
        &self,
        node: usize,
        (every, patience): (Duration, Duration),
        holds: impl Fn(State) -> bool,
    ) -> bool {
        let deadline = tokio::time::Instant::now() + patience;
        while tokio::time::Instant::now() < deadline {
            let state = self.people.sites[node].up().and_then(|up| {
                let row = up.node.engine.view().handover(self.handover).ok().flatten();
                row.map(|row| row.state)
            });
            match state {
                Some(state) if holds(state) => return true,
                Some(state) if state.has_ended() => return false,
                _ => tokio::time::sleep(every).await,
            }
        }
        false
    }

    pub(super) fn remember(&self, what: impl FnOnce(&mut CaseFact, Millis)) {
        let now = self.people.now();
        if let Some(fact) = self.people.memory.lock().cases.iter_mut().find(|case| case.handover == self.handover) {
            what(fact, now);
        }
    }
}
