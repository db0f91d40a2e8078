//! JSON documents in requests: drafts and packages. What is wrong with one is told by what was expected and where,
//! never by what stands there, for that may be about a person.

use passerelle_domain::refusal::{Code, Refusal};
use serde::{Serialize, de::DeserializeOwned};

/// Reads the document in `field`.
pub(super) fn read<T: DeserializeOwned>(field: &str, text: &str) -> Result<T, Refusal> {
    if text.is_empty() {
        return Err(Refusal::new(Code::MissingField, format!("{field} is missing")).at(field));
    }
    serde_json::from_str(text).map_err(|error| refusal(field, &error))
}

/// Writes a document.
pub(super) fn write<T: Serialize>(value: &T) -> String {
    // Our own types have string keys and finite numbers, so they always become JSON.
    serde_json::to_string(value).unwrap_or_default()
}

fn refusal(field: &str, error: &serde_json::Error) -> Refusal {
    let place = format!("at line {} column {}", error.line(), error.column());
    let text = error.to_string();
    if let Some(missing) = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
        // The name of a field of ours, not of the document's.
        return Refusal::new(Code::MissingField, format!("{missing} is missing, {place}"))
            .at(format!("{field}.{missing}"));
    }
    let what = match text.split_once(", expected ") {
        Some((_, expected)) => {
            let expected = expected.split(" at line ").next().unwrap_or_default();
            format!("not what was expected here: {expected}")
        }
        None if error.is_syntax() || error.is_eof() => "not JSON".to_owned(),
        None => "a value that this field does not take".to_owned(),
    };
    Refusal::new(Code::Malformed, format!("{field}: {what}, {place}")).at(field)
}

#[cfg(test)]
mod tests {
    use passerelle_domain::{consent::ConsentDraft, handover::Package};

    use super::*;

    #[test]
    fn what_stands_in_a_document_is_never_told() {
        let cases = [
            r#"{"contact": {"preferred_name": 7}}"#,
            r#"{"contact": {"Amina": "x"}}"#,
            r#"{"identity_core": {"sex": "Amina"}}"#,
            r#"{"Amina": 1}"#,
            r#"{"identity_core": {"age_years": "Amina"}}"#,
            r#""Amina"#,
        ];
        for case in cases {
            let refusal = read::<Package>("package_json", case).expect_err(case);
            assert!(!refusal.message.contains("Amina"), "{}", refusal.message);
            assert!(refusal.message.contains("at line 1 column"), "{}", refusal.message);
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        let refusal = read::<ConsentDraft>("consent.record_json", "{}").expect_err("empty");
        assert_eq!(
            (refusal.code, refusal.field.as_deref()),
            (Code::MissingField, Some("consent.record_json.language"))
        );
    }
}
