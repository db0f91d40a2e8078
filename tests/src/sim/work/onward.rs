//! Consents that end: by their own date before a case is released, or taken back after the person went on to a third
//! Society. And whether who gave a case away has heard what became of it.

use std::time::Duration;

use passerelle_domain::{
    facts::Facts as _,
    handover::State,
    ids::{ConsentId, HandoverId},
    time::Time,
};
use passerelle_node::store::view::View;
use passerelle_proto::v1::{self, handover_service_server::HandoverService as _};

use super::{
    cases::{Script, Twist},
    entropy,
};
use crate::sim::{checks::Checks, work::CaseFact};

/// How often people look who want to come in between.
const OFTEN: Duration = Duration::from_millis(40);

impl Script<'_> {
    /// When a consent ends that is to end soon, by the clock of where it is given.
    pub(super) fn ends(&mut self) -> Time {
        let lasts = self.chance.millis(60_000, 120_000);
        self.people.clock(self.from).plus(lasts)
    }

    /// When an offer ends that is to end soon.
    pub(super) fn lapses(&mut self) -> Time {
        let lasts = self.chance.millis(1_000, 3_000);
        self.people.clock(self.from).plus(lasts)
    }

    /// Waits until there is no line to the other Society; how often there was one before.
    async fn until_apart(&self) -> Option<u64> {
        let site = self.people.sites[self.from].clone();
        let deadline = tokio::time::Instant::now() + Duration::from_secs(240);
        loop {
            let apart = site.apart_from(self.to).filter(|_| site.up().is_some());
            if apart.is_some() || tokio::time::Instant::now() >= deadline {
                return apart;
            }
            tokio::time::sleep(OFTEN).await;
        }
    }

    /// Once there is no line to the other Society, the case is offered and the consent taken back.
    pub(super) async fn stops_unsent(mut self) {
        let before = self.until_apart().await;
        if before.is_none() || !self.consents().await || !self.offers().await {
            return;
        }
        let node = self.from;
        self.withdraws(node).await;
        if self.people.sites[node].apart_from(self.to) == before {
            self.people.ledger.lock().was_not_sent(node, self.handover);
        }
    }

    /// Once there is no line to the other Society, the case is offered for a moment only. An alert waits behind it.
    pub(super) async fn lapses_unsent(mut self) {
        let before = self.until_apart().await;
        if before.is_none() || !self.consents().await || !self.offers().await {
            return;
        }
        self.people.raise(self.from, false, false, self.chance.clone()).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        let site = &self.people.sites[self.from];
        if site.apart_from(self.to) == before && !site.clock.was_ever_off() {
            self.people.ledger.lock().lapses(self.from, self.handover);
        }
    }

    /// Once there is no line to the other Society, the case is offered, and the consent ends. An alert waits behind it.
    pub(super) async fn ends_unsent(mut self) {
        let before = self.until_apart().await;
        if before.is_none() {
            return;
        }
        let lasts = self.chance.millis(1_000, 3_000);
        self.until = Some(self.people.clock(self.from).plus(lasts));
        if !self.consents().await || !self.offers().await {
            return;
        }
        tokio::time::sleep(lasts).await;
        self.people.raise(self.from, false, false, self.chance.clone()).await;
        if self.people.sites[self.from].apart_from(self.to) == before {
            self.people.ledger.lock().ended_unsent(self.from, self.handover);
        }
    }

    /// The package is released, and before it arrives the consent is taken back where it goes.
    pub(super) async fn crosses(self) {
        let pace = (OFTEN, Duration::from_secs(200));
        if self.until_seen(self.from, pace, |state| state == State::Disclosed).await {
            self.withdraws(self.to).await;
        }
    }

    /// The case is accepted; then the consent ends, and only after that somebody wants to release it.
    pub(super) async fn outlasts(self) {
        if !self.until(self.from, |state| state == State::Accepted).await {
            return;
        }
        let Some(until) = self.until else { return };
        for _ in 0..60 {
            if self.people.clock(self.from) > until.plus(Duration::from_secs(1)) {
                break;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        let message = v1::ReleaseHandoverRequest { id: self.handover.to_string(), ..Default::default() };
        // That it is refused is seen in the journal.
        let _ =
            self.ask(self.from, "release", message, |operator, request| async move {
                operator.release_handover(request).await
            })
            .await;
    }

    /// The other Society hands the person over to a third; once that has the case, the consent is taken back where it was
    /// first given, and counts for both.
    pub(super) async fn passes_on(mut self) {
        let sites = self.people.sites.clone();
        let third = (0..sites.len()).find(|node| *node != self.from && *node != self.to);
        let here = sites[self.to].up().and_then(|up| up.node.engine.view().handover(self.handover).ok().flatten());
        let (Some(third), Some(case)) = (third, here.and_then(|row| row.case)) else { return };
        let now = self.people.clock(self.to);
        let mut onward = Script {
            people: self.people,
            from: self.to,
            to: third,
            twist: Twist::Plain,
            consent: ConsentId::new(now, entropy(&mut self.chance)),
            handover: HandoverId::new(now, entropy(&mut self.chance)),
            case,
            until: None,
            chance: self.chance.clone(),
        };
        if onward.consents().await && onward.offers().await && onward.until(third, |state| state != State::Draft).await
        {
            let _ = onward.answers().await && onward.until(third, |state| state == State::Disclosed).await;
        }
        let from = self.from;
        self.withdraws(from).await;
        let withdrawn =
            self.people.memory.lock().cases.iter().any(|it| it.handover == self.handover && it.withdrawn.is_some());
        if withdrawn {
            onward.remember(|fact, now| fact.withdrawn = Some((from, now)));
        }
    }
}

impl Checks {
    /// Whether the end that gave a case away has heard that the other has erased it.
    pub(in crate::sim) fn unheard(&self, fact: &CaseFact) -> Option<String> {
        let (from, to) = (&self.people.sites[fact.from], &self.people.sites[fact.to]);
        let (here, there) = (from.disk.reader(), to.disk.reader());
        // One that never came there was never erased there.
        View::of(&there).handover(fact.handover).ok().flatten()?;
        let view = View::of(&here);
        let consent = view.handover(fact.handover).ok().flatten()?.consent.id;
        let heard = view.uses(consent).ok().flatten().and_then(|uses| uses.of(fact.handover)?.erased_at);
        let silent = || format!("{} was never told that {} has erased {}", from.society, to.society, fact.handover);
        heard.is_none().then(silent)
    }
}
