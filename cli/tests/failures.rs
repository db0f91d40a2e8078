//! What goes wrong, in a table: the exit code, the stable code, and what a person is told to do.

mod support;

use std::collections::HashMap;

use passerelle_cli::failure::Exit;
use passerelle_domain::refusal::{Code, Fault};
use serde_json::json;
use support::{World, run};
use tonic::Status;
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _};

/// A refusal as the node sends it.
fn refusal(grpc: tonic::Code, reason: &str, metadata: &[(&str, &str)]) -> Status {
    let metadata: HashMap<_, _> = metadata.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    Status::with_error_details(grpc, "no", ErrorDetails::with_error_info(reason, "passerelle", metadata))
}

#[test]
fn every_refusal_code_has_its_exit_code_and_next_step() {
    for code in Code::ALL {
        let status = refusal(tonic::Code::FailedPrecondition, code.as_str(), &[]);
        let failure = passerelle_cli::failure::Failure::from_status(&status);
        let expected = match code.fault() {
            Fault::Permission => Exit::NotPermitted,
            Fault::Node => Exit::CannotServe,
            _ => Exit::Refused,
        };
        assert_eq!(
            (failure.exit, failure.code.as_str(), failure.retryable),
            (expected, code.as_str(), code.retryable())
        );
        assert_eq!(failure.next_step, code.next_step());
    }
}

#[test]
fn what_the_node_says_decides_how_the_program_ends() {
    use tonic::Code as Grpc;
    for (status, exit, code, retryable) in [
        (refusal(Grpc::InvalidArgument, "personal_data", &[]), 1, "personal_data", false),
        (refusal(Grpc::PermissionDenied, "role_missing", &[]), 4, "role_missing", false),
        (refusal(Grpc::Unavailable, "busy", &[]), 5, "busy", true),
        (refusal(Grpc::Unavailable, "store_failed", &[]), 5, "store_failed", false),
        (refusal(Grpc::FailedPrecondition, "a_newer_code", &[("next_step", "Do this.")]), 1, "a_newer_code", false),
        (Status::unauthenticated("who are you"), 4, "unauthenticated", false),
        (Status::unimplemented(""), 1, "outdated", false),
        (Status::unavailable("going down"), 5, "shutting_down", true),
        (Status::internal("broken"), 5, "unexpected", true),
        (Status::not_found("nothing"), 1, "unexpected", false),
    ] {
        let outcome = World::refusing(status).run(&["status", "--output", "json"]);
        let error: serde_json::Value = serde_json::from_str(&outcome.err).expect("one JSON object");
        let error = &error["error"];
        assert_eq!(outcome.exit as u8, exit, "{error}");
        assert_eq!((&error["code"], &error["retryable"]), (&json!(code), &json!(retryable)), "{error}");
        assert_eq!(error["exit_code"], json!(exit));
        assert!(error["next_step"].as_str().is_some_and(|next| next.ends_with('.')), "{error}");
        assert_eq!(outcome.out, "");
    }
}

#[test]
fn all_the_faults_of_a_request_are_told_at_once() {
    let metadata = HashMap::from([("field".to_owned(), "expires_at".to_owned())]);
    let mut details = ErrorDetails::with_error_info("missing_field", "passerelle", metadata);
    details.set_bad_request(vec![
        FieldViolation::new("expires_at", "expires_at is missing"),
        FieldViolation::new("places[0].latitude", "a latitude lies between -90 and 90 degrees"),
    ]);
    details.set_retry_info(Some(std::time::Duration::from_secs(2)));
    let status = Status::with_error_details(tonic::Code::InvalidArgument, "expires_at is missing", details);
    let world = World::refusing(status);
    let people = world.run(&["status"]);
    assert_eq!(
        people.err,
        "error: expires_at is missing\n  - places[0].latitude: a latitude lies between -90 and 90 degrees\n\
         field: expires_at\ncode: missing_field\nretry: after 2 s\nnext: Fill in the field that the message names.\n"
    );
    let programs: serde_json::Value =
        serde_json::from_str(&world.run(&["status", "--output", "jsonl"]).err).expect("JSON");
    assert_eq!(
        programs,
        json!({"error": {
            "code": "missing_field", "message": "expires_at is missing", "field": "expires_at",
            "violations": [
                {"field": "expires_at", "message": "expires_at is missing"},
                {"field": "places[0].latitude", "message": "a latitude lies between -90 and 90 degrees"},
            ],
            "next_step": "Fill in the field that the message names.", "retryable": false, "exit_code": 1,
            "retry_after_seconds": 2.0,
        }})
    );
}

#[test]
fn a_node_that_is_not_there_is_three() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("none");
    let outcome = run(&["status"], "", false, &[("PASSERELLE_SOCKET", &socket)]);
    assert_eq!(outcome.exit, Exit::Unreachable);
    assert!(
        outcome.err.contains("No such file")
            && outcome.err.contains("code: unreachable\nnext: Check that the node runs")
    );
    // Somebody listens and never answers.
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let outcome = run(&["status", "--timeout", "0.2"], "", false, &[("PASSERELLE_SOCKET", &socket)]);
    drop(listener);
    assert_eq!(outcome.exit, Exit::Unreachable, "{}", outcome.err);
    assert!(outcome.err.contains("within 0.2 s"), "{}", outcome.err);
}

#[test]
fn the_command_line_is_checked_before_the_node_is_asked() {
    let world = World::new();
    let broken = world.file("broken.toml", "mode = \"Actual\"\nevnt = \"sea.rescue\"\n");
    let absent = world.folder.path().join("absent.toml").display().to_string();
    for (words, code, text) in [
        (vec!["alert", "raise", "--file", broken.as_str()], "malformed_file", "line 2, column 1: unknown field `evnt`"),
        (vec!["alert", "raise", "--file", absent.as_str()], "usage", "cannot read"),
        (vec!["alert", "raise", "--file", absent.as_str(), "--id", "7"], "malformed_id", "not the id of an alert"),
        (vec!["alert", "cancel", "a1", "--reason", "boredom"], "usage", "boredom"),
        (vec!["peer", "show", "GMB"], "usage", "GMB"),
        (vec!["status", "--profile", "none"], "usage", "no profile `none`"),
    ] {
        let words: Vec<_> = words.into_iter().chain(["--output", "json"]).collect();
        let outcome = world.run(&words);
        let error: serde_json::Value = serde_json::from_str(&outcome.err).expect("one JSON object");
        assert_eq!(outcome.exit, Exit::Usage, "{error}");
        assert_eq!(error["error"]["code"], json!(code), "{error}");
        assert!(error["error"]["message"].as_str().is_some_and(|message| message.contains(text)), "{error}");
    }
    assert_eq!(world.last(), "");
    assert_eq!(world.run(&["peer", "show", "NE"]).exit, Exit::Refused);
    let bad = std::path::Path::new("xml");
    let outcome = run(&["status"], "", false, &[("PASSERELLE_OUTPUT", bad)]);
    assert!(outcome.exit == Exit::Usage && outcome.err.contains("PASSERELLE_OUTPUT"), "{}", outcome.err);
}

#[test]
fn what_is_asked_for_is_data_and_not_talk() {
    for words in [&["--help"][..], &["--version"], &["alert", "raise", "--help"]] {
        let outcome = run(words, "", false, &[]);
        assert!(outcome.exit == Exit::Ok && !outcome.out.is_empty() && outcome.err.is_empty(), "{words:?}");
        assert!(!outcome.out.contains('\u{1b}'));
    }
}
