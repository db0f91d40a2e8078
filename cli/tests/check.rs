//! `alert check` from the outside: no node runs here. Its exit codes, its shapes of output, files and folders.

mod support;

use passerelle_cli::failure::Exit;
use serde_json::{Value, json};
use support::{Outcome, run};

const GOOD: &str = include_str!("../../config/demo/alert.cap.xml");

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    folder
}

fn check(words: &[&str], stdin: &str) -> Outcome {
    run(&[&["alert", "check"], words].concat(), stdin, false, &[])
}

#[test]
fn the_exit_code_says_whether_any_is_invalid() {
    let bad = GOOD.replace("<scope>Public</scope>", "");
    let folder =
        folder(&[("good.cap", GOOD), ("bad.cap", &bad), ("feed.atom", "<feed xmlns='http://www.w3.org/2005/Atom'/>")]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    for (names, exit) in [
        (&["good.cap"][..], Exit::Ok),
        (&["feed.atom"], Exit::Ok),
        (&["bad.cap"], Exit::Refused),
        (&["good.cap", "bad.cap", "feed.atom"], Exit::Refused),
        (&["good.cap", "absent.cap"], Exit::Usage),
        (&[], Exit::Usage),
    ] {
        let paths: Vec<String> = names.iter().map(|name| path(name)).collect();
        let words: Vec<&str> = paths.iter().map(String::as_str).collect();
        let outcome = check(&words, "");
        assert_eq!(outcome.exit, exit, "{names:?}: {outcome:?}");
        assert_eq!(outcome.out.is_empty(), exit == Exit::Usage, "nothing is checked when a file is missing");
    }
    let empty = tempfile::tempdir().expect("a folder");
    assert_eq!(check(&[&empty.path().display().to_string()], "").exit, Exit::Usage);
    assert_eq!((Exit::Ok as u8, Exit::Refused as u8, Exit::Usage as u8), (0, 1, 2));
}

#[test]
fn programs_read_one_object_a_document() {
    let bad = GOOD.replace("<scope>Public</scope>", "");
    let outcome = check(&["--output", "jsonl", "-"], &bad);
    let object = outcome.json();
    assert_eq!(
        (&object["file"], &object["format"], &object["verdict"]),
        (&json!("-"), &json!("cap-1.2"), &json!("invalid"))
    );
    let expected = json!({
        "code": "cap.schema.missing", "severity": "error", "path": "alert/scope", "line": 3, "column": 1,
        "message": "alert has no scope",
    });
    assert!(object["findings"].as_array().is_some_and(|all| all.contains(&expected)), "{object}");
    assert_eq!(object["signature"], json!({"present": false, "count": 0, "state": "absent"}));
    for field in ["languages", "references", "identifier", "sender", "sent", "status", "msgType", "findings_left_out"] {
        assert!(object.get(field).is_some(), "{field}");
    }
    assert_eq!(outcome.out.lines().count(), 1);

    let signed = GOOD.replace("</alert>", "<Signature xmlns='http://www.w3.org/2000/09/xmldsig#'/></alert>");
    let signature = &check(&["--output", "json", "-"], &signed).json()[0]["signature"];
    assert_eq!(*signature, json!({"present": true, "count": 1, "state": "present, not verified"}));
}

#[test]
fn bad_input_is_answered_with_a_line_and_a_code() {
    let with = |from: &str, to: &str| {
        assert!(GOOD.contains(from), "{from}");
        GOOD.replacen(from, to, 1)
    };
    let update = |reference: &str| {
        let text = with("<msgType>Alert", "<msgType>Update");
        text.replacen("<incidents>", &format!("<references>{reference}</references><incidents>"), 1)
    };
    let nested = with("<note>", &"<note>".repeat(1_700_000));
    let laughs = with("<alert ", "<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;'>]><alert ").replacen(
        "<note>",
        "<note>&b;",
        1,
    );
    let external = with("<alert ", "<!DOCTYPE a SYSTEM 'http://localhost:1/a.dtd'><alert ");
    for (text, code) in [
        (GOOD[..GOOD.len() / 2].to_owned(), "cap.xml.malformed"),
        (GOOD[..GOOD.find("<identifier>").expect("there")].to_owned(), "cap.xml.malformed"),
        (GOOD[..GOOD.find("cap:1.2\">").expect("there") + 7].to_owned(), "cap.xml.malformed"),
        (with("encoding=\"UTF-8\"", "encoding=\"US-ASCII\""), "cap.xml.encoding"),
        (with("encoding=\"UTF-8\"", "encoding=\"UTF-16\""), "cap.xml.encoding_unknown"),
        (nested, "cap.xml.depth"),
        (laughs, "cap.xml.doctype"),
        (external, "cap.xml.doctype"),
        (
            with(
                "<areaDesc>",
                "<areaDesc>x</areaDesc><polygon>NaN,NaN 1,1 2,2 NaN,NaN</polygon></area><area><areaDesc>",
            ),
            "cap.area.point",
        ),
        (with("<sent>2026-11-20T08:00:00+00:00", "<sent>2026-11-20T08:00:00Z"), "cap.schema.time"),
        (with("<sent>2026-11-20T08:00:00+00:00", "<sent>20/11/2026"), "cap.schema.time"),
        (update("urn:sahelplus:ns:MRT,rosso-bac-2026-3,2026-11-20T08:00:00+00:00"), "cap.reference.self"),
        (update("urn:sahelplus:ns:MRT,another,2027-11-20T08:00:00+00:00"), "cap.reference.future"),
        (update("another"), "cap.reference.form"),
    ] {
        let outcome = check(&["--output", "jsonl", "-"], &text);
        let object = outcome.json();
        assert_eq!(outcome.exit, Exit::Refused, "{code}: {object}");
        assert_eq!((&object["format"], &object["verdict"]), (&json!("cap-1.2"), &json!("invalid")), "{code}");
        let findings = object["findings"].as_array().expect("a list");
        assert!(findings.iter().any(|one| one["code"] == code && one["line"].as_u64() >= Some(1)), "{code}: {object}");
    }
    for (text, code) in [
        (with("emergency:cap:1.2", "emergency:alerts:1.2"), "cap.format.other"),
        ("Bonjour".to_owned(), "cap.xml.malformed"),
        (String::new(), "cap.xml.malformed"),
    ] {
        let outcome = check(&["--output", "jsonl", "-"], &text);
        let object = outcome.json();
        assert_eq!((outcome.exit, &object["verdict"]), (Exit::Ok, &json!("other-format")), "{code}");
        assert_eq!(object["findings"][0]["code"], code, "{object}");
    }
}

#[test]
fn certificates_that_are_none_are_a_misuse() {
    let folder = folder(&[("a.cap", GOOD), ("no.pem", "nothing")]);
    let path = |name: &str| folder.path().join(name).display().to_string();
    for name in ["no.pem", "absent.pem"] {
        assert_eq!(check(&["--trust-cert", &path(name), &path("a.cap")], "").exit, Exit::Usage, "{name}");
    }
}

#[test]
fn folders_are_searched_in_order_and_other_files_in_them_passed_over() {
    let folder = folder(&[("b/two.XML", GOOD), ("a.cap", GOOD), ("c.txt", "no alert"), ("b/c/three.edxlde", "<x/>")]);
    let path = folder.path().display().to_string();
    let all = check(&["--output", "json", &path], "").json();
    let files: Vec<&str> = all.as_array().into_iter().flatten().filter_map(|one| one["file"].as_str()).collect();
    let expected = ["a.cap", "b/c/three.edxlde", "b/two.XML"].map(|name| format!("{path}/{name}"));
    assert_eq!(files, expected);
    let verdicts: Vec<&Value> = all.as_array().into_iter().flatten().map(|one| &one["verdict"]).collect();
    assert_eq!(verdicts[1], &json!("other-format"));
}

#[test]
fn people_read_a_line_a_document_and_a_count() {
    let bad = GOOD.replace("<scope>Public</scope>", "").replace("<identifier>", "<identifier>\u{9b}31m");
    let outcome = check(&["-"], &bad);
    assert!(outcome.first().starts_with("-: invalid (cap-1.2), Alert, Exercise"), "{}", outcome.out);
    assert!(
        outcome.out.contains("  3:1 error: alert/scope: alert has no scope [cap.schema.missing]\n"),
        "{}",
        outcome.out
    );
    assert!(outcome.out.ends_with("\n1 document: 0 valid, 0 valid with warnings, 1 invalid, 0 of other formats\n"));
    assert!(!outcome.out.contains('\u{9b}'), "nothing in a document steers a terminal");
}
