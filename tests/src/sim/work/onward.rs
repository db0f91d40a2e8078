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

impl Script<'_> {
    /// When a consent ends that is to end soon, by the clock of where it is given.
    pub(super) fn ends(&mut self) -> Time {
        let lasts = self.chance.millis(60_000, 120_000);
        self.people.clock(self.from).plus(lasts)
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
