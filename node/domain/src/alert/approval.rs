//! Which alerts a second person approves before they go out, and what an alert becomes when it does. Touches nothing.

use super::{Alert, When};
use crate::{
    catalogue::{Sensitivity, Severity, SourceType},
    refusal::{Code, Refusal},
    time::Time,
};

/// Whether an alert may go out only once a second person has approved it: an Extreme one, one for the public, and
/// one whose source is the community. An exercise is no exception: it is there to practise this too.
#[must_use]
pub fn needs_second_person(alert: &Alert) -> bool {
    alert.severity == Severity::Extreme
        || alert.sensitivity == Sensitivity::Public
        || alert.source_type == SourceType::Community
}

impl Alert {
    /// This draft as it goes out at the instant `now`: sent then, unless it repeats an imported document, which says
    /// itself when it was sent.
    ///
    /// # Errors
    /// The first rule that it breaks by now, such as an expiry that has passed.
    pub fn published_at(&self, now: Time) -> Result<Self, Refusal> {
        let mut draft = self.to_draft();
        if draft.original.is_none() {
            draft.sent_at = Some(When::At(now.max(self.earliest())));
        }
        let broken = || Refusal::new(Code::Malformed, "the draft is no valid alert any more");
        Self::from_draft(draft, now).map_err(|faults| faults.into_iter().next().unwrap_or_else(broken))
    }

    /// It is never sent before what it refers to.
    fn earliest(&self) -> Time {
        self.supersedes.iter().map(|parent| parent.sent_at).max().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::AlertDraft;

    const NOW: Time = Time::from_millis(1_795_500_000_000);

    fn alert(change: impl FnOnce(&mut AlertDraft)) -> Alert {
        let mut draft: AlertDraft =
            toml::from_str(include_str!("../../../../config/demo/alert-convoy.toml")).expect("a draft");
        change(&mut draft);
        Alert::from_draft(draft, NOW).expect("valid")
    }

    #[test]
    fn the_grave_the_public_and_the_hearsay_need_a_second_person() {
        assert!(!needs_second_person(&alert(|_| {})));
        assert!(needs_second_person(&alert(|draft| draft.severity = Some(Severity::Extreme))));
        assert!(needs_second_person(&alert(|draft| draft.sensitivity = Some(Sensitivity::Public))));
        assert!(needs_second_person(&alert(|draft| draft.source_type = Some(SourceType::Community))));
    }

    #[test]
    fn a_draft_is_sent_when_it_is_published_and_not_after_its_expiry() {
        let draft = alert(|_| {});
        let later = NOW.plus(std::time::Duration::from_secs(600));
        let published = draft.published_at(later).expect("still valid");
        assert_eq!((published.sent_at, published.expires_at), (later, draft.expires_at));
        let refused = draft.published_at(draft.expires_at).expect_err("expired");
        assert_eq!(refused.code, Code::BadTimes);
    }
}
