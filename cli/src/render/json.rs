//! Messages as JSON: the proto3 mapping with the field names of the .proto files, 64-bit numbers as
//! numbers (positions stay far below 2^53), every field present, and documents carried as text unfolded.

use std::sync::LazyLock;

use passerelle_proto::{DESCRIPTOR_SET, v1};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;

use crate::failure::Failure;

/// A message whose full name is known, so that its descriptor can be found.
pub trait Named: Message {
    /// The full name, with its package.
    const NAME: &'static str;
}

macro_rules! named {
    ($($message:ident,)+) => {
        $(impl Named for v1::$message { const NAME: &'static str = concat!("passerelle.v1.", stringify!($message)); })+
        #[cfg(test)]
        const ALL_NAMED: &[&str] = &[$(v1::$message::NAME,)+];
    };
}

named! {
AcceptGroupResponse, AcceptHandoverResponse, AcknowledgeAlertResponse, AddPeerResponse, ApproveAlertResponse, ApproveHandoverResponse, ApproveOverrideResponse, ApproveReportResponse, CancelAlertResponse, CheckConsentResponse, DiscardAlertResponse, DraftAlertResponse, ExportReportResponse, GetAlertResponse, GetBundleResponse, GetCheckpointResponse, GetConsentResponse, GetDraftResponse, GetFeedsResponse, GetGroupResponse, GetHandoverResponse, GetRetentionResponse, GetStatusResponse, GetWithdrawalResponse, LiftHoldResponse, ListAlertsResponse, ListCodesResponse, ListConsentsResponse, ListDraftsResponse, ListEntriesResponse, ListExceptionsResponse, ListHandoversResponse, ListHoldsResponse, ListOverridesResponse, ListPeersResponse, ListReportsResponse, OfferGroupResponse, OfferHandoverResponse, PeerStatus, PlaceHoldResponse, ProposeReportResponse, PublishAlertResponse, RaiseAlertResponse, RedactAlertResponse, RejectGroupResponse, RequestOverrideResponse, ReviewOverrideResponse, ReviewPackageResponse, RunRetentionResponse, SendHandoverResponse, SplitGroupResponse, SuspendPeerResponse, KeepEvidenceResponse, ReadEvidenceResponse, WithdrawConsentResponse,
    ReadPackageResponse, RecordConsentResponse, RejectHandoverResponse, ReleaseHandoverResponse,
    RemovePeerResponse, ReplayToPeerResponse, ReportHandoverResponse, SetSubscriptionResponse,
    AnswerSubjectRequestResponse, AskRightResponse, GetBlastRadiusResponse, GetSubjectRequestResponse,
    ListDisclosuresResponse, ListSubjectRequestsResponse, RecordBreachResponse,
    UpdateAlertResponse, VerifyJournalResponse, WatchResponse,
}

static POOL: LazyLock<Option<DescriptorPool>> = LazyLock::new(|| DescriptorPool::decode(DESCRIPTOR_SET).ok());

/// A message as JSON.
///
/// # Errors
/// `unexpected` when the message does not fit its own descriptor, such as an instant beyond the calendar.
pub fn value<M: Named>(message: &M) -> Result<Value, Failure> {
    let broken = |what: &dyn std::fmt::Display| Failure::unexpected(format!("the answer cannot be shown: {what}"));
    let descriptor =
        POOL.as_ref().and_then(|pool| pool.get_message_by_name(M::NAME)).ok_or_else(|| broken(&M::NAME))?;
    let dynamic =
        DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).map_err(|error| broken(&error))?;
    let options =
        SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false).skip_default_fields(false);
    let mut value =
        dynamic.serialize_with_options(serde_json::value::Serializer, &options).map_err(|error| broken(&error))?;
    unfold(&mut value);
    Ok(value)
}

/// A document carried as text under `x_json` becomes the document itself under `x`.
fn unfold(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(unfold),
        Value::Object(fields) => {
            let folded: Vec<String> = fields.keys().filter(|name| name.ends_with("_json")).cloned().collect();
            for name in folded {
                let document = fields.get(&name).and_then(Value::as_str).and_then(document);
                if let Some(document) = document {
                    fields.remove(&name);
                    fields.insert(name.trim_end_matches("_json").to_owned(), document);
                }
            }
            fields.values_mut().for_each(unfold);
        }
        _ => {}
    }
}

/// The document in a text; none in an empty text is `null`.
#[must_use]
pub fn document(text: &str) -> Option<Value> {
    if text.is_empty() { Some(Value::Null) } else { serde_json::from_str(text).ok() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_named_message_has_a_descriptor() {
        let pool = POOL.as_ref().expect("the descriptor set decodes");
        for name in ALL_NAMED {
            assert!(pool.get_message_by_name(name).is_some(), "{name}");
        }
    }

    #[test]
    fn the_shape_is_that_of_the_api() {
        let message = v1::GetConsentResponse {
            consent: Some(v1::ConsentView {
                id: "c".into(),
                consent: Some(v1::Consent { case_id: String::new(), record_json: r#"{"language":"bm"}"#.into() }),
                entry_index: 1 << 40,
                recorded_at: Some(prost_types::Timestamp { seconds: 1_795_500_000, nanos: 0 }),
                ..v1::ConsentView::default()
            }),
        };
        let expected = json!({"consent": {
            "id": "c", "consent": {"case_id": "", "record": {"language": "bm"}}, "state": "", "version": 0,
            "digest": "", "entry_index": 1_099_511_627_776_u64, "recorded_at": "2026-11-24T06:00:00Z", "evidence": [],
        }});
        assert_eq!(value(&message), Ok(expected));
    }
}
