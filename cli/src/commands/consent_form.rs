//! A consent record from a file, from options, or from both: a file holds what is the same for many people
//! (the notice, the rights, where data is kept), and options say what this person agreed to.

use passerelle_domain::consent::ConsentDraft;
use serde_json::{Map, Value, json};

use super::Session;
use crate::{
    args::RecordArgs,
    failure::Failure,
    files::{self, Content},
};

/// The record as JSON, of the fields that a consent record has.
pub(super) fn read(args: RecordArgs, session: &mut Session<'_, '_>) -> Result<String, Failure> {
    let mut fields = match &args.file {
        Some(file) => files::document::<Map<String, Value>>(file, Content::Plain, session.console)?,
        None => Map::new(),
    };
    let overlay = overlay(&args);
    let only_file = overlay.is_empty();
    fields.extend(overlay);
    let record = Value::Object(fields).to_string();
    // The node checks the rules; this finds what is no record at all before anything leaves.
    if let Err(error) = serde_json::from_str::<ConsentDraft>(&record) {
        return Err(match args.file {
            // The same once more, from the text itself, to say the line.
            Some(file) if only_file && !files::is_stdin(&file) => {
                match files::document::<ConsentDraft>(&file, Content::Plain, session.console) {
                    Err(located) => located,
                    Ok(_) => incomplete(&error),
                }
            }
            _ => incomplete(&error),
        });
    }
    Ok(record)
}

fn incomplete(error: &serde_json::Error) -> Failure {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or_default();
    let next = "Say it in the file of --file, or by its option; `passerelle consent record --help` shows both.";
    Failure::usage(format!("the consent record: {message}"), next)
}

/// The fields that were given as options.
fn overlay(args: &RecordArgs) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    let text = |value: &Option<String>| value.clone().map(Value::String);
    let texts = |values: &Vec<String>| (!values.is_empty()).then(|| json!(values));
    put("language", text(&args.language));
    put("understands", texts(&args.understands));
    put("recipients", texts(&args.recipients));
    put("countries", texts(&args.countries));
    put("collection", text(&args.method));
    put("given_by", text(&args.given_by));
    put("capacity", text(&args.capacity));
    put("age_band", text(&args.age_band));
    put("witnesses", texts(&args.witnesses));
    put("storage", texts(&args.storage));
    put("withdrawal", texts(&args.withdrawal));
    put("rights", texts(&args.rights));
    put("decision", text(&args.decision));
    put("evidence", text(&args.evidence));
    let purposes = args.purposes.iter().map(|purpose| json!({"purpose": purpose, "categories": args.categories}));
    put("purposes", (!args.purposes.is_empty()).then(|| purposes.collect()));
    let notice = args.notice.as_ref().map(|notice| {
        json!({
            "reference": notice.reference,
            "version": notice.version,
            "hash": notice.hash,
            "language": args.language,
            "understood": args.understood,
        })
    });
    put("notice", notice);
    fields
}
