//! Each command against a scripted node: what it asks, and what a person or a program then reads.

mod support;

use passerelle_cli::failure::Exit;
use serde_json::json;
use support::{Node, World};

const ID: &str = "019ab0f2-1c00-7000-8000-000000000001";
const CASE: &str = "019ab0f2-1c00-7000-8000-000000000002";
const CONVOY: &str = include_str!("../../config/demo/alert-convoy.toml");
const CAP_UPDATE: &str = include_str!("../../node/domain/src/cap/fixtures/update.xml");
const CAP_CANCEL: &str = include_str!("../../node/domain/src/cap/fixtures/cancel.xml");
/// An id made at 2026-11-24T06:30:00Z.
const TODAY: &str = "01a20c3f-3a40-7000-8000-000000000001";
const OFFER: &str = include_str!("../../config/demo/handover.toml");
const PACKAGE: &str = include_str!("../../config/demo/package.toml");
const CONSENT: &str = include_str!("../../config/demo/consent.toml");

#[test]
fn pages_for_people_are_frozen() {
    let world = World::new();
    let consent = world.file("consent.toml", CONSENT);
    let offer = world.file("offer.toml", OFFER);
    let package = world.file("package.toml", PACKAGE);
    let bundle = world.file("gambia.bundle", "bundle");
    let alert = world.file("alert.toml", CONVOY);
    let lines = [
        format!("alert raise --file {alert} --id {ID}"),
        format!("alert update --file {alert} --supersedes {ID} --id {ID}"),
        format!("alert cancel {ID} --reason wrong --note Wrong"),
        format!("alert ack {ID}"),
        "alert list".into(),
        "alert list --limit 1".into(),
        format!("alert show {ID}"),
        format!("alert export {ID} --message cancel"),
        "alert feed status".into(),
        "alert codes event".into(),
        format!("consent record --file {consent} --case {CASE} --id {ID}"),
        format!("consent show {ID}"),
        "consent list".into(),
        format!("consent check {ID} --to ML --service transport_family"),
        format!("consent check {ID} --to GM --service transport_family"),
        format!("handover offer --file {offer} --case {CASE} --id {ID} --package {package} --release-on-acceptance"),
        format!("handover approve {ID} --role supervisor"),
        format!("handover send {ID}"),
        format!("handover group offer --group g.rosso.7 --member {CASE}={offer},{package} --member {CASE}={offer}"),
        format!("handover group accept {ID} --team bamako-reception"),
        format!("handover group reject {ID} --reason no_capacity"),
        format!("handover group split {ID} --reason own_wish"),
        format!("handover group show {ID}"),
        format!("override request --handover {ID} --reason unconscious --note Beach"),
        format!("override request --file {offer} --case {CASE} --handover {ID} --reason unconscious --note Beach"),
        format!("override approve {ID}"),
        "override list --due".into(),
        format!("override review {ID} --finding upheld"),
        "audit exceptions".into(),
        format!("handover accept {ID} --team bamako-reception"),
        format!("handover reject {ID} --reason no_capacity"),
        format!("handover release {ID}"),
        format!("handover report {ID} --step completed --reason completed --delivered transport_family"),
        format!("handover show {ID}"),
        "handover list".into(),
        format!("handover read {ID} --purpose svc.transport --section travel"),
        "peer list".into(),
        "peer show GM".into(),
        "peer bundle".into(),
        format!("peer add {bundle}"),
        "peer remove GM --yes".into(),
        "peer subscribe land.sn-mr.rosso".into(),
        "peer suspend ML --reason seized".into(),
        "peer resume ML --reason returned".into(),
        "retention status".into(),
        "retention run".into(),
        format!("retention review {ID}"),
        format!("hold place --handover {ID} --kind breach_freeze --reason stolen"),
        format!("hold lift --case {CASE} --reason closed"),
        "hold list".into(),
        "report aggregate --by service --from 2026-09 --until 2026-10".into(),
        format!("report approve {ID}"),
        format!("report export {ID} --recipient ministry.health"),
        "report list".into(),
        "replay --peer GM --from 3".into(),
        "audit list --limit 3".into(),
        "audit checkpoint".into(),
        "audit verify".into(),
        "status".into(),
        "watch --from 5 --until-now".into(),
    ];
    let mut transcript = String::new();
    for line in lines {
        let outcome = world.run(&line.split(' ').collect::<Vec<_>>());
        let folder = world.folder.path().display().to_string();
        let shown = format!("$ passerelle {line}\n{}", outcome.out).replace(&format!("{folder}/"), "");
        transcript.push_str(&shown);
        for said in outcome.err.lines() {
            transcript.push_str(&format!("2> {said}\n"));
        }
        if outcome.exit != Exit::Ok {
            transcript.push_str(&format!("exit {}\n", outcome.exit as u8));
        }
        transcript.push('\n');
    }
    insta::assert_snapshot!("pages", transcript);
}

#[test]
fn an_alert_is_the_same_however_it_comes_in() {
    let world = World::new();
    let file = world.file("alert.toml", CONVOY);
    let json = toml::from_str::<serde_json::Value>(CONVOY).expect("TOML").to_string();
    world.run(&["alert", "raise", "--file", &file, "--id", ID]);
    let expected = world.last();
    assert!(expected.contains("return.convoy_land") && expected.contains("Rosso (rive mauritanienne)"), "{expected}");
    for (words, stdin) in [(["alert", "raise", "--file", "-"], json.as_str()), (["alert", "raise", "-", "--"], CONVOY)]
    {
        let words: Vec<_> = words.into_iter().filter(|word| *word != "--").chain(["--id", ID]).collect();
        let outcome = world.run_with(&words, stdin, false);
        assert_eq!((outcome.exit, world.last()), (Exit::Ok, expected.clone()), "{}", outcome.err);
    }
}

#[test]
fn a_cap_document_comes_in_with_its_exact_bytes() {
    let world = World::new();
    let update = world.file("update.xml", CAP_UPDATE);
    let outcome = world.run(&["alert", "update", "--cap", &update, "--id", TODAY]);
    assert_eq!(outcome.exit, Exit::Ok, "{}", outcome.err);
    let asked = world.last();
    assert!(asked.contains("return.convoy_land") && asked.contains("media_type: \"application/cap+xml\""), "{asked}");
    let kept = format!("content: {:?}", CAP_UPDATE.as_bytes());
    assert!(asked.contains(&kept));
    world.run(&[
        "alert",
        "update",
        "--cap",
        &update,
        "--id",
        TODAY,
        "--event",
        "land.group_stranded",
        "--source",
        "media",
    ]);
    assert!(world.last().contains("land.group_stranded"), "{}", world.last());
    let cancel = world.file("cancel.xml", CAP_CANCEL);
    let outcome = world.run(&["alert", "raise", "--cap", &cancel, "--id", TODAY]);
    assert!(outcome.exit == Exit::Usage && outcome.err.contains("Use `alert cancel`."), "{}", outcome.err);
    for (words, code) in
        [(["alert", "raise", "--cap", "-"], "malformed_file"), (["alert", "raise", "--file", "-"], "malformed_file")]
    {
        let outcome = world.run_with(&words, "<alert", false);
        assert!(outcome.exit == Exit::Usage && outcome.err.contains(&format!("code: {code}")), "{}", outcome.err);
    }
}

#[test]
fn an_exported_document_goes_to_a_new_file_and_never_over_another() {
    let world = World::new();
    let out = world.folder.path().join("rosso.xml");
    let name = out.display().to_string();
    let words = ["alert", "export", ID, "--out", &name, "--message", "answer", "--by", "ML", "--anew", "--public"];
    let outcome = world.run(&words);
    assert!(outcome.exit == Exit::Ok && outcome.out.is_empty(), "{}", outcome.err);
    assert_eq!(std::fs::read(&out).expect("written"), b"<alert>\n</alert>\n");
    let asked = world.last();
    assert!(asked.contains("message: \"answer\", society: \"ML\", anew: true, for_public: true"), "{asked}");
    let again = world.run(&words);
    assert!(again.exit == Exit::Usage && again.err.contains("cannot create"), "{}", again.err);
}

#[test]
fn relative_times_count_from_the_id_so_that_repeating_is_safe() {
    let world = World::new();
    let file = world.file("alert.toml", CONVOY);
    // This id was made at 2025-11-23T13:40:48.256Z.
    world.run(&["alert", "raise", "--file", &file, "--id", ID]);
    let made = 0x019a_b0f2_1c00_i64 / 1_000;
    assert!(world.last().contains(&format!("sent_at: Some(Timestamp {{ seconds: {made}")), "{}", world.last());
    assert!(world.last().contains(&format!("expires_at: Some(Timestamp {{ seconds: {}", made + 2 * 86_400)));
}

#[test]
fn an_id_is_made_where_none_is_given_and_named_when_the_outcome_is_unknown() {
    let world = World::refusing(tonic::Status::unavailable("going down"));
    let file = world.file("alert.toml", CONVOY);
    let outcome = world.run(&["alert", "raise", "--file", &file]);
    let id = world.last().split('"').nth(1).expect("the request has an id").to_owned();
    assert_eq!(outcome.exit, Exit::CannotServe);
    assert!(outcome.err.contains(&format!("Repeat the same command with --id {id}")), "{}", outcome.err);
}

#[test]
fn what_needs_a_second_person_is_kept_as_a_draft_and_says_what_is_next() {
    use tonic_types::{ErrorDetails, StatusExt as _};
    let details = ErrorDetails::with_error_info("approval_required", "passerelle", std::collections::HashMap::new());
    let status = tonic::Status::with_error_details(tonic::Code::FailedPrecondition, "not alone", details);
    let world = World::with(Node { refused_raise: Some(std::sync::Arc::new(status)), ..Node::default() });
    let file = world.file("alert.toml", CONVOY);
    let outcome = world.run(&["alert", "raise", "--file", &file, "--id", ID]);
    assert_eq!(outcome.exit, Exit::AwaitsApproval, "{}", outcome.err);
    assert!(world.last().starts_with("DraftAlertRequest"), "{}", world.last());
    assert!(outcome.out.contains(&format!("passerelle alert approve {ID}")), "{}", outcome.out);
    for words in [
        &["alert", "drafts"][..],
        &["alert", "drafts", ID],
        &["alert", "approve", ID, "--digest", "d9"],
        &["alert", "publish", ID],
        &["alert", "discard", ID],
        &["alert", "redact", ID, "--reason", "endangers_people"],
        &["alert", "list", "--mode", "Exercise"],
    ] {
        let outcome = world.run(words);
        assert_eq!(outcome.exit, Exit::Ok, "{words:?}: {}", outcome.err);
    }
    assert!(world.last().contains("mode: \"Exercise\""), "{}", world.last());
}

#[test]
fn an_update_names_what_it_takes_the_place_of() {
    let world = World::new();
    let file = world.file("alert.toml", CONVOY);
    world.run(&["alert", "update", "--file", &file, "--supersedes", ID]);
    let expected = format!("supersedes: [AlertReference {{ origin: \"MR\", id: \"{ID}\", sent_at: Some(");
    assert!(world.last().contains(&expected), "{}", world.last());
}

#[test]
fn lists_are_whole_documents_or_rows_a_line() {
    let world = World::new();
    let all = world.run(&["alert", "list", "--output", "json"]).json();
    let ids: Vec<_> = all["alerts"].as_array().expect("rows").iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, [json!("a1"), json!("a2"), json!("a3")]);
    let rows = world.run(&["alert", "list", "--output", "jsonl"]).out;
    assert_eq!(
        rows.lines().map(|row| row.contains("\"headline\":\"Convoi vers Rosso\"")).collect::<Vec<_>>(),
        [true; 3]
    );
    let entries = world.run(&["audit", "list", "--output", "json", "--limit", "0"]).json();
    assert_eq!(entries["entries"].as_array().map(Vec::len), Some(5));
    assert_eq!(entries["entries"][0]["body"], json!({"event": "sea.rescue"}));
    let two = world.run(&["audit", "list", "--output", "json", "--limit", "2", "--from", "1"]).json();
    assert_eq!(two["next_index"], json!(3));
}

#[test]
fn a_consent_record_comes_from_a_file_from_options_or_from_both() {
    let world = World::new();
    let file = world.file("consent.toml", CONSENT);
    let hash = "c0ffee00".repeat(8);
    let options = format!(
        "consent record --case {CASE} --language bm --understands bm --notice notice.transit@3:{hash} --understood \
         --purpose svc.transport --category contact --category journey_min --recipient ML --country ML \
         --storage origin_node --withdrawal hotline --right erasure --method oral_witnessed --given-by self \
         --capacity adult_capable --age-band adult --decision given"
    );
    let outcome = world.run(&options.split_whitespace().collect::<Vec<_>>());
    assert_eq!(outcome.exit, Exit::Ok, "{}", outcome.err);
    let both =
        format!("consent record --case {CASE} --file {file} --recipient GM --purpose svc.food_nfi --category contact");
    let outcome = world.run(&both.split_whitespace().collect::<Vec<_>>());
    assert_eq!(outcome.exit, Exit::Ok, "{}", outcome.err);
    let asked = world.last().replace('\\', "");
    assert!(asked.contains(r#""recipients":["GM"]"#) && asked.contains(r#""rights":["information""#), "{asked}");
    assert!(asked.contains(r#""purposes":[{"categories":["contact"],"purpose":"svc.food_nfi"}]"#), "{asked}");
    let outcome = world.run(&options.replace("--right erasure", "").split_whitespace().collect::<Vec<_>>());
    assert!(outcome.exit == Exit::Usage && outcome.err.contains("missing field `rights`"), "{}", outcome.err);
}

#[test]
fn an_offer_rests_on_the_consent_of_the_command_line_and_a_package_is_never_shown() {
    let world = World::new();
    let offer = world.file("offer.toml", OFFER);
    let words = ["handover", "offer", "--file", &offer, "--case", CASE, "--consent", ID];
    assert_eq!(world.run(&words).exit, Exit::Ok);
    assert!(world.last().replace('\\', "").contains(&format!(r#""consent":"{ID}""#)), "{}", world.last());
    let package = world.file("package.toml", &PACKAGE.replace("age_years = 24", "age_years = \"Awa\""));
    let outcome = world.run(&["handover", "release", ID, "--package", &package]);
    assert!(outcome.exit == Exit::Usage && !outcome.err.contains("Awa"), "{}", outcome.err);
    assert!(outcome.err.contains("line 16, column 13"), "{}", outcome.err);
}

#[test]
fn the_first_bundle_of_a_society_needs_a_persons_word() {
    let world = World::with(Node { first_bundle: true, ..Node::default() });
    let file = world.file("gambia.bundle", "bundle");
    let yes = world.run_with(&["peer", "add", &file], "yes\n", true);
    assert_eq!(
        (yes.exit, yes.first()),
        (Exit::Ok, "Took version 4 of the bundle of GM (The Gambia Red Cross Society).")
    );
    assert!(yes.err.contains("    abandon zoo\n"), "{}", yes.err);
    assert!(world.last().contains("fingerprint_words: \"abandon zoo\""));
    for answer in ["no\n", "", "y\n"] {
        assert_eq!(world.run_with(&["peer", "add", &file], answer, true).exit, Exit::Usage, "{answer:?}");
    }
    let nobody = world.run(&["peer", "add", &file]);
    assert!(nobody.exit == Exit::Usage && nobody.err.contains("--fingerprint"), "{}", nobody.err);
    assert_eq!(world.run(&["peer", "add", &file, "--fingerprint", "abandon zoo"]).exit, Exit::Ok);
    let remove = world.run_with(&["peer", "remove", "GM"], "no\n", true);
    assert!(remove.exit == Exit::Usage && !world.last().contains("RemovePeer"), "{}", remove.err);
}

#[test]
fn files_are_written_once_and_whole() {
    let world = World::new();
    let path = |name: &str| world.folder.path().join(name).display().to_string();
    assert_eq!(world.run(&["peer", "bundle", "--out", &path("b")]).exit, Exit::Ok);
    assert_eq!(std::fs::read(path("b")).expect("a file"), b"bundle");
    assert_eq!(world.run(&["peer", "bundle", "--out", &path("b")]).exit, Exit::Usage);
    let export = world.run(&["audit", "export", "--out", &path("e")]);
    assert_eq!(
        (export.exit, std::fs::read(path("e")).expect("a file")),
        (Exit::Ok, b"one two".to_vec()),
        "{}",
        export.err
    );
    let broken = world.run(&["audit", "export", "--out", &path("f"), "--from", "6"]);
    assert_eq!((broken.exit, std::path::Path::new(&path("f")).exists()), (Exit::CannotServe, false));
}

#[test]
fn a_journal_with_faults_ends_with_six() {
    let world = World::with(Node { faults: vec!["entry 3: the chain breaks".into()], ..Node::default() });
    let outcome = world.run(&["audit", "verify", "--output", "json"]);
    assert_eq!(outcome.exit, Exit::Unverified);
    assert_eq!(outcome.json()["faults"], json!(["entry 3: the chain breaks"]));
    assert!(outcome.err.contains("verified 2 of 5 entries") && outcome.err.contains("\"code\":\"not_verified\""));
}

#[test]
fn a_watch_that_breaks_resumes_after_the_last_position() {
    let world = World::new();
    let outcome = world.run(&["watch", "--from", "5", "--until-now", "--topic", "alert", "--output", "json"]);
    let positions: Vec<u64> = outcome
        .out
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("one object a line"))
        .filter_map(|event| event["position"].as_u64())
        .collect();
    assert_eq!((outcome.exit, positions), (Exit::Ok, vec![5, 9]), "{}", outcome.err);
    assert!(world.last().contains("from_position: Some(9), topics: [\"alert\"]"), "{}", world.last());
    assert!(outcome.err.ends_with("Resume with --from 10.\n"), "{}", outcome.err);
}

#[test]
fn completions_need_no_node() {
    for shell in ["bash", "zsh", "fish"] {
        let outcome = support::run(&["completions", shell], "", false, &[]);
        assert!(outcome.exit == Exit::Ok && outcome.out.contains("handover"), "{shell}");
    }
}

#[test]
fn letters_go_with_their_package_and_come_back_to_a_folder() {
    let world = World::new();
    let (package, letter) = (world.file("package.toml", PACKAGE), world.file("letter.pdf", "%PDF-1.7"));
    let letter = format!("clinical_letter={letter}");
    let outcome = world.run(&["handover", "release", ID, "--package", &package, "--letter", &letter]);
    assert_eq!(outcome.exit, Exit::Ok, "{}", outcome.err);
    let asked = world.node.seen.lock().expect("no panic holds the lock").join(" ");
    assert!(asked.contains("clinical_letter") && asked.contains("application/pdf"), "the letter goes along");
    let unknown = world.run(&["handover", "release", ID, "--package", &package, "--letter", "clinical_letter=x.exe"]);
    assert_eq!(unknown.exit, Exit::Usage);
    let alone = world.run(&["handover", "release", ID, "--letter", &letter]);
    assert_eq!(alone.exit, Exit::Usage, "a letter belongs to a package");
    let folder = world.folder.path().display().to_string();
    let read = ["handover", "read", ID, "--purpose", "svc.medical_referral", "--letters", &folder];
    let outcome = world.run(&read);
    assert_eq!(outcome.exit, Exit::Ok, "{}", outcome.err);
    let written = std::fs::read(world.folder.path().join("letter-1.pdf")).expect("a letter");
    assert_eq!(written, b"%PDF-1.7");
    assert!(!outcome.out.contains("PDF-1.7"), "a letter is for a folder, not for a screen");
    assert_ne!(world.run(&read).exit, Exit::Ok, "an existing file is not overwritten");
}

#[test]
fn an_alert_in_a_file_is_told_and_drawn_without_a_node() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("convoy.toml");
    std::fs::write(&file, CONVOY).expect("a file");
    let file = file.display().to_string();
    let nowhere = [("PASSERELLE_SOCKET", std::path::Path::new("/nonexistent/socket"))];
    let run = |words: &[&str]| support::run(words, "", false, &nowhere);

    let brief = run(&["alert", "brief", "--file", &file, "--lang", "en"]);
    assert!(brief.exit == Exit::Ok && brief.out.starts_with("EXERCISE - "), "{brief:?}");
    let sms = run(&["alert", "sms", "--file", &file, "--gsm", "--max-segments", "1", "--output", "json"]);
    assert_eq!((sms.json()["encoding"].as_str(), sms.json()["segments"].as_u64()), (Some("GSM-7"), Some(1)));
    let arabic = run(&["alert", "sms", "--file", &file, "--gsm", "--lang", "ar"]);
    assert!(arabic.exit == Exit::Usage && arabic.out.is_empty(), "{arabic:?}");

    for (name, begins) in [("map.png", &b"\x89PNG"[..]), ("map.svg", b"<svg")] {
        let path = folder.path().join(name);
        let drawn = run(&["alert", "map", "--file", &file, "--output", &path.display().to_string()]);
        assert_eq!(drawn.exit, Exit::Ok, "{drawn:?}");
        assert!(std::fs::read(&path).expect("the map").starts_with(begins));
    }
    for words in [
        &["alert", "map", "--file", &file][..],
        &["alert", "map", "--file", &file, "--output", "map.gif"],
        &["alert", "map", "--file", &file, "--output", "/nonexistent/map.png"],
        &["alert", "brief", "--file", &file, "--output", "map.png"],
        &["alert", "sms", "--file", &file, "--max-segments", "0"],
        &["alert", "sms", "--file", &file, "--lang", "wo"],
        &["alert", "brief"],
        &["alert", "brief", ID, "--file", &file],
    ] {
        assert_eq!(run(words).exit, Exit::Usage, "{words:?}");
    }
}

#[test]
fn a_name_that_means_two_places_is_answered_with_both() {
    let run = |words: &[&str]| support::run(words, "", false, &[]);
    let found = run(&["place", "find", "rosso", "--output", "json"]);
    let countries: Vec<_> = found.json().as_array().expect("a list").iter().map(|one| one["country"].clone()).collect();
    assert_eq!(countries[..2], [json!("MR"), json!("SN")]);
    assert!(found.err.contains("2 places are called so"), "{}", found.err);
    assert_eq!(run(&["place", "find", "MR09", "--output", "json"]).json()[0]["name"], "Inchiri");
    assert_eq!(run(&["place", "find", "MR-09", "--output", "json"]).json()[0]["name"], "Tagant");
    assert!(run(&["place", "list", "--kind", "crossing"]).out.contains("Assamaka"));
    assert!(run(&["place", "find", "nowhere at all"]).out.contains("no such place"));
    for nothing in ["", " ", "'-"] {
        assert_eq!(run(&["place", "find", nothing]).exit, Exit::Usage, "{nothing:?}");
    }
}

#[test]
fn an_alert_of_the_node_is_told_and_drawn() {
    let world = World::new();
    let brief = world.run(&["alert", "brief", ID, "--output", "json"]);
    assert_eq!(brief.exit, Exit::Ok, "{brief:?}");
    let path = world.folder.path().join("map.svg").display().to_string();
    let drawn = world.run(&["alert", "map", ID, "--output", &path]);
    assert_eq!(drawn.exit, Exit::Ok, "{drawn:?}");
}

#[test]
fn what_is_odd_about_a_place_is_told_when_an_alert_is_raised() {
    let world = World::new();
    let odd = CONVOY.replace("longitude = -", "longitude = ");
    let raised = world.run_with(&["alert", "raise", "-"], &odd, false);
    assert!(raised.err.contains("Warning, places[") || raised.exit != Exit::Ok, "{raised:?}");
}
