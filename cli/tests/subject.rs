//! Rights of the person at the command line: what is asked reaches the node, what it says is shown, and what only the
//! person knows stands on no command line.

mod support;

use passerelle_cli::failure::Exit;
use support::World;

#[test]
fn each_right_is_asked_for_with_the_code_and_what_the_person_answers() {
    let world = World::new();
    let file = world.file("answer.txt", "Marché de Kayes\n");
    let rights: [(&[&str], &str); 6] = [
        (&["access"], "access"),
        (&["rectify", "--section", "contact"], "rectification"),
        (&["erase"], "erasure"),
        (&["object"], "objection"),
        (&["restrict"], "restriction"),
        (&["complain", "--about", "staff"], "complaint"),
    ];
    for (words, right) in rights {
        let line = [&["subject"], words, &["--code", "7K2M9QX", "--society", "GM", "--answer-file", &file]].concat();
        let outcome = world.run(&line);
        assert_eq!(outcome.exit, Exit::Ok, "{right}: {}", outcome.err);
        assert!(outcome.out.contains("Taken as r1") && outcome.out.contains("checks the answer"), "{}", outcome.out);
        let seen = world.last();
        assert!(
            seen.contains(&format!("right: \"{right}\"")) && seen.contains("answer: \"Marché de Kayes\""),
            "{seen}"
        );
        assert!(!outcome.out.contains("Kayes") && !outcome.err.contains("Kayes"), "it is not repeated");
    }
    assert!(world.last().contains("topic: \"staff\""));
}

#[test]
fn an_answer_is_piped_or_typed_and_never_an_argument() {
    let world = World::new();
    let words = ["subject", "access", "--code", "7K2M9QX"];
    let piped = world.run_with(&[&words[..], &["--answer-file", "-"]].concat(), "le marché\n", false);
    assert_eq!(piped.exit, Exit::Ok, "{}", piped.err);
    assert!(piped.out.contains("The answer was right"));
    assert!(world.last().contains("answer: \"le marché\""));
    let typed = world.run_with(&words, "le marché\n", true);
    assert_eq!(typed.exit, Exit::Ok, "{}", typed.err);
    let nobody = world.run(&words);
    assert_eq!(nobody.exit, Exit::Usage, "nobody is there to type it");
    assert_eq!(world.run(&[&words[..], &["--answer", "le marché"]].concat()).exit, Exit::Usage);
}

#[test]
fn requests_are_listed_shown_and_answered() {
    let world = World::new();
    let list = world.run(&["subject", "list", "--open"]);
    assert!(list.out.contains("open LATE") && list.out.contains("1/2"), "{}", list.out);
    let show = world.run(&["subject", "show", "r1"]);
    for text in ["HELD BY ML", "svc.transport", "passed on to", "waiting"] {
        assert!(show.out.contains(text), "{text}: {}", show.out);
    }
    let json = world.run(&["subject", "show", "r1", "--output", "json"]).json();
    assert_eq!(json["request"]["holders"][0]["held"]["onward"][0], "NE");
    world.run(&["subject", "answer", "r1", "--outcome", "refused", "--reason", "unfounded"]);
    assert!(world.last().contains("reason: \"unfounded\""));
}

#[test]
fn disclosures_and_breaches_are_shown_with_what_keeps_a_call_safe() {
    let world = World::new();
    let disclosures = world.run(&["case", "disclosures", "h1"]);
    assert!(disclosures.out.contains("consent c1 v1") && disclosures.out.contains("role_missing"));
    let rows = world.run(&["case", "disclosures", "h1", "--output", "jsonl"]);
    assert_eq!(rows.out.lines().count(), 2);
    let words = ["breach", "blast-radius", "--node", "ML", "--from", "2026-11-01T00:00:00Z"];
    let radius = world.run(&words);
    assert!(radius.out.contains("unsafe code_word") && radius.out.contains("still there"), "{}", radius.out);
    let record = ["breach", "record", "--node", "ML", "--detected", "2026-11-24T05:00:00Z", "--subjects", "12"];
    assert_eq!(world.run(&record).exit, Exit::Ok);
    assert!(world.last().contains("subjects: 12"));
    assert_eq!(world.run(&["breach", "record", "--node", "ML", "--detected", "yesterday"]).exit, Exit::Usage);
}

#[test]
fn a_card_is_printed_in_three_formats_and_keeps_its_secrets() {
    let world = World::new();
    let answer = world.file("answer.txt", "Marché de Kayes");
    let word = world.file("word.txt", "baobab");
    for (name, magic) in [("card.png", &b"\x89PNG"[..]), ("card.pdf", b"%PDF-1.4"), ("card.svg", b"<svg")] {
        let out = world.folder.path().join(name).display().to_string();
        let common = ["card", "print", "h1", "--lang", "ar", "--hotline", "+221 33 000 00 00", "--out", &out];
        let outcome = world.run(&[&common[..], &["--answer-file", &answer, "--word-file", &word]].concat());
        assert_eq!(outcome.exit, Exit::Ok, "{name}: {}", outcome.err);
        assert!(outcome.out.contains("SN 7K2M9QX") && !outcome.out.contains("baobab"), "{}", outcome.out);
        let file = std::fs::read(&out).expect("it is written");
        assert!(file.starts_with(magic), "{name}");
        assert!(!String::from_utf8_lossy(&file).contains("Kayes"), "{name}: the answer is on no card");
        assert!(world.last().contains("word: \"baobab\""));
    }
    let out = world.folder.path().join("card.gif").display().to_string();
    let wrong = world.run(&["card", "print", "h1", "--hotline", "1", "--answer-file", &answer, "--out", &out]);
    assert_eq!(wrong.exit, Exit::Usage);
}
