//! What the codes of the vocabularies are called in French, English, Portuguese and Arabic: those of alerts from
//! `labels.tsv`, those of handovers and roles from `labels_cases.tsv`. The names of events stand with their events.

use std::{collections::HashMap, sync::LazyLock};

/// The languages that every label exists in.
pub const LANGUAGES: [&str; 4] = ["fr", "en", "pt", "ar"];

/// The primary subtag of a language tag (BCP 47) if labels exist in it, else `fr`, the network's most common language.
#[must_use]
pub fn primary(language: &str) -> &'static str {
    let first = language.split(['-', '_']).next().unwrap_or_default();
    LANGUAGES.into_iter().find(|known| known.eq_ignore_ascii_case(first)).unwrap_or("fr")
}

type Labels = HashMap<(&'static str, &'static str), [&'static str; 4]>;

static LABELS: LazyLock<Labels> = LazyLock::new(|| {
    let files = [include_str!("labels.tsv"), include_str!("labels_cases.tsv")];
    let lines = files.into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#'));
    let row = |line: &'static str| {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap_or_default();
        ((next(), next()), [next(), next(), next(), next()])
    };
    lines.map(row).collect()
});

/// What a code of a vocabulary is called in `language`, French where there is none in it. Vocabularies are named as
/// the operator interface names them; besides these there are `people` (the columns of numbers), `shown` (the states)
/// and `brief` (the words of short texts).
#[must_use]
pub fn label(vocabulary: &str, code: &str, language: &str) -> Option<&'static str> {
    let labels = LABELS.get(&(vocabulary, code))?;
    let at = LANGUAGES.iter().position(|known| *known == primary(language))?;
    labels.get(at).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{alert::People, catalogue as c};

    #[test]
    fn every_code_is_named_in_every_language() {
        let mut wanted: Vec<(&str, &str)> = Vec::new();
        macro_rules! all {
            ($($name:literal: $type:ty,)+) => {
                $(wanted.extend(<$type>::ALL.iter().map(|code| ($name, code.as_str())));)+
            };
        }
        all! {
            "mode": c::Mode, "urgency": c::Urgency, "severity": c::Severity, "certainty": c::Certainty,
            "source_type": c::SourceType, "source_reliability": c::Reliability, "verification": c::Verification,
            "place_role": c::PlaceRole, "basis": c::Basis, "band": c::Band, "need": c::Need,
            "transport": c::TransportMode, "confidence": c::Confidence, "response_type": c::ResponseType,
            "access": c::Access, "post": c::DutyPost, "sensitivity": c::Sensitivity,
            "cancel_reason": c::CancelReason, "ack_kind": c::AckKind, "text_origin": c::TextOrigin,
            "shown": crate::alert::life::Shown, "redact_reason": c::RedactReason, "role": c::Role,
            "service": c::Service, "purpose": c::Purpose, "data_category": c::DataCategory, "section": c::Section,
            "handover_kind": c::HandoverKind, "case_priority": c::CasePriority, "age_band": c::AgeBand,
            "reject_reason": c::RejectReason, "close_reason": c::CloseReason, "stop_reason": c::StopReason,
        }
        let columns = ["total", "women", "girls", "boys", "men", "uasc", "pregnant", "disabled", "injured", "dead"];
        wanted.extend(columns.into_iter().chain(["missing", "survivors"]).map(|column| ("people", column)));
        assert!(wanted.iter().all(|(v, column)| *v != "people" || People::default().column_mut(column).is_some()));
        let missing = |(vocabulary, code): &(&str, &str)| {
            let named = |language| label(vocabulary, code, language).is_some_and(|label| !label.trim().is_empty());
            !LANGUAGES.into_iter().all(named)
        };
        let missing: Vec<_> = wanted.into_iter().filter(missing).collect();
        assert!(missing.is_empty(), "no label for {missing:?}");
    }

    #[test]
    fn no_label_is_left_over_or_in_another_script() {
        for ((vocabulary, code), labels) in LABELS.iter() {
            assert!(labels.iter().all(|label| !label.is_empty()), "{vocabulary} {code}");
            assert!(!labels[3].chars().any(|letter| letter.is_ascii_alphabetic()), "{vocabulary} {code}");
        }
        assert_eq!(label("severity", "Extreme", "pt-CV"), Some("Extrema"));
        assert_eq!(label("severity", "Extreme", "wo"), Some("Extrême"));
        assert_eq!(label("severity", "unheard of", "fr"), None);
    }
}
