//! The vocabularies that operators can list, with their codes and labels.

use std::collections::HashMap;

use passerelle_domain::catalogue;
use passerelle_proto::v1;

/// What a code is called, by language; empty where the catalogue has no names for it.
fn labels_of(vocabulary: &str, code: &str) -> HashMap<String, String> {
    let named = |language: &str| {
        catalogue::labels::label(vocabulary, code, language).map(|label| (language.to_owned(), label.to_owned()))
    };
    catalogue::labels::LANGUAGES.into_iter().filter_map(named).collect()
}

macro_rules! vocabularies {
    ($($name:literal: $type:ident,)+) => {
        /// Every vocabulary of an operator's interest, with its codes.
        pub(super) fn vocabularies() -> Vec<v1::VocabularyCode> {
            let mut codes = Vec::new();
            $(for code in catalogue::$type::ALL {
                codes.push(v1::VocabularyCode {
                    vocabulary: $name.to_owned(),
                    code: code.as_str().to_owned(),
                    labels: labels_of($name, code.as_str()),
                });
            })+
            for code in codes.iter_mut().filter(|code| code.vocabulary == "event") {
                if let Ok(event) = code.code.parse::<catalogue::Event>() {
                    let labels = ["en", "fr", "ar", "pt"].map(|lang| (lang.to_owned(), event.label(lang).to_owned()));
                    code.labels = labels.into_iter().collect();
                }
            }
            codes.extend(catalogue::SEGMENTS.iter().map(|segment| v1::VocabularyCode {
                vocabulary: "segment".to_owned(),
                code: (*segment).to_owned(),
                labels: Default::default(),
            }));
            codes
        }
    };
}

vocabularies! {
    "event": Event,
    "mode": Mode,
    "urgency": Urgency,
    "severity": Severity,
    "certainty": Certainty,
    "source_type": SourceType,
    "source_reliability": Reliability,
    "verification": Verification,
    "place_role": PlaceRole,
    "basis": Basis,
    "band": Band,
    "need": Need,
    "transport": TransportMode,
    "confidence": Confidence,
    "response_type": ResponseType,
    "access": Access,
    "post": DutyPost,
    "sensitivity": Sensitivity,
    "cancel_reason": CancelReason,
    "redact_reason": RedactReason,
    "ack_kind": AckKind,
    "text_origin": TextOrigin,
    "role": Role,
    "service": Service,
    "purpose": Purpose,
    "data_category": DataCategory,
    "section": Section,
    "handover_kind": HandoverKind,
    "case_priority": CasePriority,
    "age_band": AgeBand,
    "reject_reason": RejectReason,
    "close_reason": CloseReason,
    "stop_reason": StopReason,
}
