//! Work for the two nodes while cuts are made: alerts both ways, small and large, some of them cancelled, and handovers
//! from the consent to the receipt of their erasure. Writes down whatever the node on the disk acknowledges.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use passerelle_domain::{alert::AlertDraft, digest::Digest, handover::Action, ids::AlertId};
use passerelle_proto::{
    convert::alert_message,
    v1::{self, alert_service_client::AlertServiceClient, consent_service_client::ConsentServiceClient},
};

use super::{
    chance::Chance,
    disk::Disk,
    ledger::{Ledger, Promise},
};
use crate::world::{Handovers, channel, draft, entropy, now};

/// A letter of a package: beyond one value of the store and one frame of the link.
const LETTER_BYTES: usize = 150 * 1024;
/// A recording of a consent.
const VOICE_BYTES: usize = 20 * 1024;
/// Words of a large alert.
const FILLER: &str = "Water at the fourth well. ";
/// One text of a large alert, in characters; it has several.
const LARGE_TEXT_CHARS: usize = 15_000;

/// Two nodes at work.
#[derive(Clone)]
pub(super) struct Load {
    /// Operators' socket of the node on the disk.
    pub(super) here: PathBuf,
    /// That of its peer.
    pub(super) there: PathBuf,
    /// Whether the node on the disk hands cases over; else it receives them.
    pub(super) hands_over: bool,
    pub(super) ledger: Ledger,
    /// Work is done while it waits to be cut: journals grow with the cuts, not with the time that looking at them takes.
    pub(super) disk: Arc<Disk>,
    /// Set when work is to be done all the same.
    pub(super) hurry: Arc<AtomicBool>,
    /// Set when there is enough.
    pub(super) stop: Arc<AtomicBool>,
    /// Set when the power of the disk went: whatever fails from then on had to.
    pub(super) off: Arc<AtomicBool>,
    pub(super) seed: u64,
    /// Numbers the tasks.
    pub(super) tasks: Arc<AtomicU64>,
}

impl Load {
    /// Works until it is told to stop or the power goes.
    ///
    /// # Errors
    /// What a node refuses while it has power.
    pub(super) async fn run(&self) -> anyhow::Result<()> {
        let ended = tokio::join!(
            self.ended(self.alerts_here()),
            self.ended(self.alerts_there()),
            self.ended(self.handovers(0)),
            self.ended(self.handovers(1)),
        );
        ended.0.context("alerts")?;
        ended.1.context("alerts of the peer")?;
        ended.2.and(ended.3).context("handovers")
    }

    /// An end that the power made is none to complain of.
    async fn ended(&self, work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
        let outcome = tokio::select! {
            outcome = work => outcome,
            () = self.until_off() => Ok(()),
        };
        if self.off.load(Ordering::SeqCst) { Ok(()) } else { outcome }
    }

    async fn until_off(&self) {
        while !self.off.load(Ordering::SeqCst) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until there is work to do; whether there will be.
    async fn goes_on(&self) -> bool {
        let set = |flag: &AtomicBool| flag.load(Ordering::SeqCst);
        while !self.disk.is_wanted() && !set(&self.hurry) && !set(&self.stop) && !set(&self.off) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        !set(&self.stop) && !set(&self.off)
    }

    fn chance(&self) -> Chance {
        Chance::of_cut(self.seed, 1_000_000 + self.tasks.fetch_add(1, Ordering::SeqCst))
    }

    async fn alerts_here(&self) -> anyhow::Result<()> {
        let mut chance = self.chance();
        let mut client = AlertServiceClient::new(channel(&self.here).await?);
        for number in 0.. {
            if !self.goes_on().await {
                break;
            }
            let id = AlertId::new(now(), entropy());
            let request = request(id, &some_draft(number, &mut chance)?);
            self.ledger.asking(&request);
            client.raise_alert(request).await?;
            self.ledger.answered(id);
            if chance.below(8) == 0 {
                let (reason, note) = ("resolved".to_owned(), String::new());
                client.cancel_alert(v1::CancelAlertRequest { id: id.to_string(), reason, note }).await?;
                self.ledger.add(Promise::Cancelled(id));
            }
            tokio::time::sleep(Duration::from_millis(chance.below(60))).await;
        }
        Ok(())
    }

    async fn alerts_there(&self) -> anyhow::Result<()> {
        let mut chance = self.chance();
        let mut client = AlertServiceClient::new(channel(&self.there).await?);
        for number in 0.. {
            if !self.goes_on().await {
                break;
            }
            client.raise_alert(request(AlertId::new(now(), entropy()), &some_draft(number, &mut chance)?)).await?;
            tokio::time::sleep(Duration::from_millis(chance.below(120))).await;
        }
        Ok(())
    }

    async fn handovers(&self, lane: u64) -> anyhow::Result<()> {
        let mut chance = self.chance();
        let (here, there) = (Handovers::at(&self.here).await?, Handovers::at(&self.there).await?);
        let (from, to) = if self.hands_over { (&here, &there) } else { (&there, &here) };
        while self.goes_on().await {
            self.handover(from, to, lane, &mut chance).await?;
        }
        Ok(())
    }

    /// Writes down what the end on the disk has acknowledged.
    fn promised(&self, by_sender: bool, promise: Promise) {
        if by_sender == self.hands_over {
            self.ledger.add(promise);
        }
    }

    /// A consent; every other one was spoken, and its recording is kept.
    async fn consent(&self, from: &Handovers, chance: &mut Chance) -> anyhow::Result<(String, String)> {
        if chance.below(2) == 0 {
            return from.record_consent().await;
        }
        let voice = [b"OggS ".as_slice(), &chance.bytes(VOICE_BYTES)].concat();
        let spoken = |record: &mut serde_json::Value| {
            record["collection"] = "oral_recorded".into();
            record["evidence"] = Digest::of(&voice).to_string().into();
        };
        let case = from.record_consent_with(spoken).await?;
        let socket = if self.hands_over { &self.here } else { &self.there };
        let (consent_id, kind) = (case.1.clone(), "recording".to_owned());
        let request = v1::KeepEvidenceRequest { consent_id, kind, content: voice };
        ConsentServiceClient::new(channel(socket).await?).keep_evidence(request).await?;
        Ok(case)
    }

    /// One handover, as far as chance takes it.
    async fn handover(&self, from: &Handovers, to: &Handovers, lane: u64, chance: &mut Chance) -> anyhow::Result<()> {
        let case = self.consent(from, chance).await?;
        self.promised(true, Promise::Consent(case.1.parse()?));
        let mut request = from.request(&case, |_, _| ())?;
        if chance.below(2) == lane {
            request.letters.push(v1::Letter {
                kind: "clinical_letter".to_owned(),
                media_type: "application/pdf".to_owned(),
                content: chance.bytes(LETTER_BYTES),
            });
        }
        let (id, _) = from.offer_request(request).await?;
        let handover = id.parse()?;
        self.promised(true, Promise::Offer(handover));
        to.until(&id, "delivered").await?;
        to.accept(&id).await?;
        self.promised(false, Promise::Step(handover, Action::Accept));
        from.until(&id, "accepted").await?;
        from.release(&id).await?;
        self.promised(true, Promise::Step(handover, Action::Release));
        to.until(&id, "disclosed").await?;
        for times in 1..=1 + usize::try_from(chance.below(2))? {
            to.read(&id).await?;
            self.promised(false, Promise::Read(handover, times));
        }
        let mut withdrawn = chance.below(5) == 0;
        if !withdrawn {
            to.arrived(&id).await?;
            self.promised(false, Promise::Step(handover, Action::Arrive));
            from.until(&id, "in_service").await?;
            withdrawn = chance.below(3) > 0;
        }
        if withdrawn {
            let at_sender = chance.below(2) == 0;
            (if at_sender { from } else { to }).withdraw(&id).await?;
            self.promised(at_sender, Promise::Step(handover, Action::Withdraw));
            // Mostly the next one begins while this one is being erased.
            if chance.below(3) == 0 {
                from.until_erased_by(&id, "ML").await?;
                to.until_erased_by(&id, "GM").await?;
            }
        }
        Ok(())
    }
}

/// A request for an alert with this content.
fn request(id: AlertId, draft: &AlertDraft) -> v1::RaiseAlertRequest {
    v1::RaiseAlertRequest { id: id.to_string(), alert: Some(alert_message(draft.clone(), now())) }
}

/// An alert, now and then one that takes several values of the store and several frames.
fn some_draft(number: u64, chance: &mut Chance) -> anyhow::Result<AlertDraft> {
    let mut draft = draft(&format!("Convoy {number} due"))?;
    if chance.below(6) == 0 {
        for text in &mut draft.texts {
            let filler = FILLER.repeat(LARGE_TEXT_CHARS / FILLER.len());
            text.description = Some(format!("{filler}Well {number}."));
        }
    }
    Ok(draft)
}
