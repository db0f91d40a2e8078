//! Feeds as their publishers write them, and as nobody should.

use proptest::prelude::*;

use super::*;

const ALERT: &str = include_str!("../../../../../config/demo/alert.cap.xml");

fn inner() -> &'static str {
    ALERT.split_once("?>").map_or(ALERT, |(_, rest)| rest.trim())
}

fn addresses(feed: &str) -> Vec<String> {
    let feed = read(feed.as_bytes()).expect("a feed");
    let address = |entry: &PolledEntry| match &entry.document {
        Polled::At(address) => address.clone(),
        Polled::Here(_) => "here".to_owned(),
    };
    feed.entries.iter().map(address).collect()
}

fn atom(entries: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?>\n<feed xmlns=\"{ATOM}\" xmlns:cap=\"{CAP_NAMESPACE}\"><title>t</title>\
         <link rel=\"self\" href=\"x\"/>{entries}</feed>"
    )
}

#[test]
fn the_best_link_of_an_entry_leads_to_its_document() {
    let cases = [
        (r#"<link href="a.xml"/>"#, &["a.xml"][..]),
        (r#"<link type="text/html" href="a.html"/><link type="application/cap+xml" href="a.xml"/>"#, &["a.xml"]),
        (r#"<link href="b"/><link type="text/xml; charset=utf-8" href="a&amp;b.xml"/>"#, &["a&b.xml"]),
        (r#"<content type="application/cap+xml" src="a.xml"/><link href="b"/>"#, &["a.xml"]),
        (r#"<link rel="edit" href="a.xml"/>"#, &[]),
        (r#"<link type="text/html" href="a.html"/>"#, &[]),
        (r#"<author><link href="a.xml"/></author>"#, &[]),
        ("", &[]),
    ];
    for (entry, expected) in cases {
        assert_eq!(addresses(&atom(&format!("<entry><id>1</id>{entry}</entry>"))), expected, "{entry}");
    }
    let rss = "<rss version=\"2.0\"><channel><link>home</link>\
               <item><link> http://x.example/1 </link></item>\
               <item><link>page</link><enclosure type=\"application/cap+xml\" url=\"2.xml\"/></item>\
               <item><title>nothing</title></item></channel></rss>";
    assert_eq!(addresses(rss), ["http://x.example/1", "2.xml"]);
    assert_eq!(read(rss.as_bytes()).expect("a feed").passed_over, 1);
    let rdf = format!(
        "<rdf:RDF xmlns:rdf=\"{RDF}\" xmlns=\"http://purl.org/rss/1.0/\"><item><link>1</link></item></rdf:RDF>"
    );
    assert_eq!(addresses(&rdf), ["1"]);
    assert_eq!(addresses(&format!("<entry xmlns=\"{ATOM}\"><link href=\"1\"/></entry>")), ["1"]);
}

#[test]
fn a_document_within_a_feed_comes_out_whole_with_its_namespaces() {
    let options = super::super::CapOptions::default();
    let now = "2026-11-24T08:00:00Z".parse().expect("a time");
    let prefixed = inner()
        .replace('<', "<cap:")
        .replace("<cap:/", "</cap:")
        .replace("<cap:!--", "<!--")
        .replace("xmlns=\"urn", "xmlns:other=\"urn:other\" other:x=\"1\" data=\"urn");
    // As a prefix from the feed's root, and as a default of its own.
    let prefixed = prefixed.replacen(
        " xmlns:other=\"urn:other\" other:x=\"1\" data=\"urn:oasis:names:tc:emergency:cap:1.2\"",
        "",
        1,
    );
    for document in [inner().to_owned(), prefixed] {
        let entry = format!("<entry><id>1</id><content type=\"text/xml\">{document}</content></entry>");
        let feed = read(atom(&entry).as_bytes()).expect("a feed");
        let [PolledEntry { document: Polled::Here(bytes), .. }] = &feed.entries[..] else { panic!("{feed:?}") };
        let read_back = super::super::read(bytes, now, &options);
        assert!(read_back.is_ok(), "{read_back:?} {}", String::from_utf8_lossy(bytes));
    }
    let bare = read(ALERT.as_bytes()).expect("a document");
    assert_eq!(bare.entries[0].document, Polled::Here(ALERT.as_bytes().to_vec()));
}

#[test]
fn an_entry_is_another_once_it_changes() {
    let marks = |id: &str, date: &str, href: &str| {
        let entry = format!("<entry><id>{id}</id><updated>{date}</updated><link href=\"{href}\"/></entry>");
        read(atom(&entry).as_bytes()).expect("a feed").entries[0].mark
    };
    assert_eq!(marks("1", "a", "x"), marks("1", "a", "x"));
    let all = [marks("1", "a", "x"), marks("2", "a", "x"), marks("1", "b", "x"), marks("1", "a", "y")];
    assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
}

#[test]
fn what_is_no_feed_is_refused_with_its_line() {
    let deep = atom(&"<entry>".repeat(100));
    let cases: [(&[u8], Code); 8] = [
        (b"", Code::MalformedFile),
        (b"no xml", Code::MalformedFile),
        (b"<html></html>", Code::NotCap),
        (b"<alert xmlns=\"urn:oasis:names:tc:emergency:cap:1.1\"></alert>", Code::NotCap),
        (b"<!DOCTYPE rss [<!ENTITY a \"b\">]><rss></rss>", Code::MalformedFile),
        (b"<rss><channel><item><link>x</link>", Code::MalformedFile),
        (b"<?xml version=\"1.0\" encoding=\"utf-8\"?><rss>\xff</rss>", Code::MalformedFile),
        (deep.as_bytes(), Code::MalformedFile),
    ];
    for (bytes, code) in cases {
        let refused = read(bytes).expect_err("no feed");
        assert_eq!(refused.code, code, "{} {}", String::from_utf8_lossy(bytes), refused.message);
    }
}

#[test]
fn entries_beyond_the_limit_are_counted_and_left() {
    let feed = atom(&"<entry><link href=\"x\"/></entry>".repeat(POLLED_ENTRIES_MAX + 7));
    let feed = read(feed.as_bytes()).expect("a feed");
    assert_eq!((feed.entries.len(), feed.passed_over), (POLLED_ENTRIES_MAX, 7));
}

proptest! {
    #[test]
    fn no_damage_makes_reading_panic(
        at in any::<prop::sample::Index>(), length in 0..60_usize, put in "[<>/&;#!a0. \"\\[\\]?-]{0,6}",
    ) {
        let mut bytes = atom(&format!("<entry><id>1</id>{}<link href=\"x\"/></entry>", inner())).into_bytes();
        let at = at.index(bytes.len());
        let end = bytes.len().min(at + length);
        bytes.splice(at..end, put.bytes());
        let _ = read(&bytes);
    }

    #[test]
    fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        let _ = read(&bytes);
    }
}

#[test]
fn what_surrounds_a_document_is_not_copied_without_end() {
    let within = format!("<content>{}</content>", inner().replacen("<alert xmlns=", "<cap:alert xmlns:cap=", 1));
    let entry = format!("<entry><id>1</id>{within}<link href=\"a.xml\"/></entry>").replace("</alert>", "</cap:alert>");
    for (long, expected) in [(10, "here"), (4 * HEAD_BYTES_MAX, "a.xml")] {
        let feed = atom(&entry).replacen("<feed ", &format!("<feed xmlns:long=\"{}\" ", "x".repeat(long)), 1);
        assert_eq!(addresses(&feed), [expected], "{long}");
    }
    let many: String = (0..NAMESPACES_MAX).map(|n| format!(" xmlns:n{n}=\"n\"")).collect();
    let feed = atom(&entry).replacen("<feed ", &format!("<feed{many} "), 1);
    assert_eq!(read(feed.as_bytes()).map_err(|refusal| refusal.code), Err(Code::MalformedFile));
}
