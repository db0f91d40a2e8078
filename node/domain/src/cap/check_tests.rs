//! The checker against small documents: each rule with what breaks it and the line where it is found, the formats,
//! and hostile bytes.

use std::{collections::BTreeSet, fmt::Write as _};

use proptest::prelude::*;

use super::*;
use crate::limits::{CAP_CHECK_BYTES_MAX, ORIGINAL_BYTES_MAX, POINTS_MAX, POLYGONS_MAX, TEXTS_MAX, XML_ELEMENTS_MAX};

/// A valid alert, an element a line; its lines are counted on below.
const GOOD: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
<identifier>a-2</identifier>
<sender>met@example.org</sender>
<sent>2026-11-24T06:00:00+00:00</sent>
<status>Actual</status>
<msgType>Update</msgType>
<scope>Public</scope>
<code>x</code>
<references>met@example.org,a-1,2026-11-23T06:00:00-00:00</references>
<info>
<language>fr</language>
<category>Met</category>
<event>Vent de sable</event>
<urgency>Expected</urgency>
<severity>Severe</severity>
<certainty>Likely</certainty>
<expires>2026-11-25T06:00:00+00:00</expires>
<headline>Vent</headline>
<web>https://example.org/a</web>
<parameter><valueName>n</valueName><value>v</value></parameter>
<resource>
<resourceDesc>Carte</resourceDesc>
<mimeType>image/png</mimeType>
<size>12</size>
<uri>https://example.org/a.png</uri>
<digest>da39a3ee5e6b4b0d3255bfef95601890afd80709</digest>
</resource>
<area>
<areaDesc>Nord</areaDesc>
<polygon>14,-5 14,-4 15,-4 14,-5</polygon>
<circle>14.5,-4.5 10</circle>
<geocode><valueName>ISO3166-1</valueName><value>MLI</value></geocode>
<altitude>5.5</altitude>
<ceiling>6</ceiling>
</area>
</info>
<info>
<language>en</language>
<category>Met</category>
<category>Safety</category>
<event>Sandstorm</event>
<responseType>Avoid</responseType>
<urgency>Expected</urgency>
<severity>Severe</severity>
<certainty>Likely</certainty>
</info>
<Signature xmlns="http://www.w3.org/2000/09/xmldsig#"><SignedInfo/></Signature>
</alert>
"#;

fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

fn found(text: &str) -> Vec<(Rule, usize, String)> {
    let report = check(text.as_bytes());
    report
        .findings
        .into_iter()
        .map(|one| (one.rule, one.line, one.path))
        .filter(|one| one.0 != Rule::Signature)
        .collect()
}

#[test]
fn a_valid_alert_is_valid_and_says_who_it_is() {
    let report = check(GOOD.as_bytes());
    assert_eq!((report.format, report.verdict), (Format::Cap12, Verdict::Valid), "{:?}", report.findings);
    assert_eq!(report.languages, ["fr", "en"]);
    assert_eq!(report.references, ["met@example.org,a-1,2026-11-23T06:00:00-00:00"]);
    assert_eq!(
        [&report.identifier, &report.sender, &report.sent, &report.status, &report.msg_type]
            .map(|text| text.as_deref()),
        [Some("a-2"), Some("met@example.org"), Some("2026-11-24T06:00:00+00:00"), Some("Actual"), Some("Update")]
    );
    assert_eq!(report.signatures, 1);
    let [signature] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!((signature.rule, signature.line, signature.column), (Rule::Signature, 48, 1));
}

#[test]
fn what_the_schema_allows_is_valid() {
    for (from, to) in [
        ("<sent>2026-11-24T06:00:00+00:00<", "<sent>\n 2026-11-24T06:00:00+00:00\t<"),
        ("<language>fr</language>", "<language></language>"),
        ("<language>fr</language>", ""),
        ("<size>12</size>", "<size> +012 </size>"),
        ("<altitude>5.5</altitude>", "<altitude>-.5</altitude>"),
        ("<alert ", "<alert xmlns:xsi='http://www.w3.org/2001/XMLSchema-instance' xsi:schemaLocation='a b' "),
        ("<status>Actual</status>", "<status><![CDATA[Actual]]></status>"),
        ("<status>Actual</status>", "<status>Act<!-- -->&#117;al</status>"),
        ("<Signature ", "<KeyInfo xmlns='http://www.w3.org/2000/09/xmldsig#'/><Signature "),
        ("<polygon>14,-5 ", "<polygon>\n14.,-5\t+14.0,-5.00\n"),
        ("encoding=\"UTF-8\"?>", "encoding=\"utf-8\" standalone=\"yes\" ?>"),
        ("<value>v</value>", "<value/>"),
    ] {
        let text = with(from, to);
        let errors: Vec<_> = found(&text).into_iter().filter(|one| one.0.severity() == Severity::Error).collect();
        assert_eq!(errors, [], "{to}");
    }
    let prefixed = GOOD
        .replace("</", "</\u{1}")
        .replace("<?", "\u{2}?")
        .replace("</\u{1}", "\u{3}")
        .replace('<', "<cap:")
        .replace('\u{3}', "</cap:")
        .replace('\u{2}', "<")
        .replace("xmlns=\"urn", "xmlns:cap=\"urn")
        .replace("cap:Sign", "Sign");
    assert_eq!(check(prefixed.as_bytes()).verdict, Verdict::Valid, "{:?}", found(&prefixed));
}

/// What is put in place of what, and the rule, line and path that are found.
const BROKEN: &[(&str, &str, Rule, usize, &str)] = &[
    ("</alert>", "", Rule::XmlMalformed, 50, "alert"),
    ("</sender>", "</sent>", Rule::XmlMalformed, 4, "alert/sender"),
    ("<sender>", "<sender>&", Rule::XmlMalformed, 4, "alert/sender"),
    ("<sender>", "<sender>&#0;", Rule::XmlMalformed, 4, "alert/sender"),
    ("<sender>", "<sender>\u{1}", Rule::XmlMalformed, 4, "alert/sender"),
    ("<sender>", "<1/><sender>", Rule::XmlMalformed, 4, "alert"),
    ("<sender>", "<q:a/><sender>", Rule::XmlMalformed, 4, "alert"),
    ("<sender>", "<sender a='1' a='2'>", Rule::XmlMalformed, 4, "alert"),
    ("<code>x", "<code>]]>", Rule::XmlMalformed, 9, "alert/code"),
    ("</alert>", "</alert><alert/>", Rule::XmlMalformed, 49, ""),
    ("<?xml", "\n<?xml", Rule::XmlMalformed, 2, ""),
    ("UTF-8", "UTF-16", Rule::XmlEncodingUnknown, 1, ""),
    ("<alert", "<!DOCTYPE alert SYSTEM 'http://localhost/a.dtd'>\n<alert", Rule::XmlDoctype, 2, ""),
    ("<sender>", "<sender>&xxe;", Rule::XmlEntity, 4, "alert/sender"),
    (
        "<scope>Public</scope>\n<code>x</code>",
        "<code>x</code>\n<scope>Public</scope>",
        Rule::SchemaOrder,
        9,
        "alert/scope",
    ),
    (
        "<severity>Severe</severity>\n<certainty>Likely</certainty>",
        "<certainty>Likely</certainty>\n<severity>Severe</severity>",
        Rule::SchemaOrder,
        17,
        "alert/info[1]/severity",
    ),
    (
        "<Signature xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><SignedInfo/></Signature>\n</alert>",
        "</alert>",
        Rule::Signature,
        0,
        "",
    ),
    (
        "<info>\n<language>en",
        "<Signature xmlns='http://www.w3.org/2000/09/xmldsig#'/><info>\n<language>en",
        Rule::SchemaOrder,
        38,
        "alert/info[2]",
    ),
    ("<scope>Public</scope>\n", "", Rule::SchemaMissing, 2, "alert/scope"),
    ("<category>Met</category>\n<event>", "<event>", Rule::SchemaMissing, 11, "alert/info[1]/category"),
    ("<valueName>n</valueName>", "", Rule::SchemaMissing, 21, "alert/info[1]/parameter[1]/valueName"),
    (
        "<status>Actual</status>",
        "<status>Actual</status>\n<status>Actual</status>",
        Rule::SchemaRepeated,
        7,
        "alert/status",
    ),
    ("<status>", "<colour/><status>", Rule::SchemaUnknown, 6, "alert/colour"),
    ("<status>", "<password/><status>", Rule::SchemaUnknown, 6, "alert/password"),
    ("<status>", "<source xmlns=''/><status>", Rule::SchemaUnknown, 6, "alert/source"),
    (
        "<polygon>",
        "<Signature xmlns='http://www.w3.org/2000/09/xmldsig#'/><polygon>",
        Rule::SchemaUnknown,
        31,
        "alert/info[1]/area[1]/Signature",
    ),
    ("<status>", "<status lang='fr'>", Rule::SchemaAttribute, 6, "alert/status"),
    ("<status>", "<status xml:lang='fr'>", Rule::SchemaAttribute, 6, "alert/status"),
    ("<area>", "<area>text", Rule::SchemaText, 29, "alert/info[1]/area[1]"),
    ("<code>x", "<code><code>x</code>", Rule::SchemaChildren, 9, "alert/code[1]"),
    ("<status>Actual", "<status> Actual", Rule::SchemaCode, 6, "alert/status"),
    ("<status>Actual", "<status>actual", Rule::SchemaCode, 6, "alert/status"),
    ("<category>Safety", "<category>Weather", Rule::SchemaCode, 41, "alert/info[2]/category[2]"),
    ("<certainty>Likely", "<certainty>Very Likely", Rule::SchemaCode, 17, "alert/info[1]/certainty"),
    ("06:00:00+00:00</sent>", "06:00:00Z</sent>", Rule::SchemaTime, 5, "alert/sent"),
    ("11-25T06:00:00+00:00</expires>", "31-25T06:00:00+00:00</expires>", Rule::SchemaTime, 18, "alert/info[1]/expires"),
    ("<expires>2026-11-25T06:00:00+00:00<", "<expires><", Rule::SchemaTime, 18, "alert/info[1]/expires"),
    (
        "<status>",
        "<status xmlns:x='http://www.w3.org/2001/XMLSchema-instance' x:nil='false'>",
        Rule::SchemaAttribute,
        6,
        "alert/status",
    ),
    ("<language>fr", "<language>fr_SN", Rule::SchemaLanguage, 12, "alert/info[1]/language"),
    ("<web>https://example.org/a", "<web>https://example.org/%", Rule::SchemaUri, 20, "alert/info[1]/web"),
    ("<size>12", "<size>12 kB", Rule::SchemaInteger, 25, "alert/info[1]/resource[1]/size"),
    ("<altitude>5.5", "<altitude>5,5", Rule::SchemaDecimal, 34, "alert/info[1]/area[1]/altitude"),
    ("<identifier>a-2", "<identifier>a 2", Rule::Name, 3, "alert/identifier"),
    ("<identifier>a-2", "<identifier>", Rule::Name, 3, "alert/identifier"),
    ("<sender>met", "<sender>met&amp;", Rule::Name, 4, "alert/sender"),
    ("<event>Vent de sable", "<event> ", Rule::TextBlank, 14, "alert/info[1]/event"),
    ("<areaDesc>Nord", "<areaDesc>", Rule::TextBlank, 30, "alert/info[1]/area[1]/areaDesc"),
    ("<code>x", "<restriction>secret</restriction><code>x", Rule::ScopeRestriction, 9, "alert/restriction"),
    ("<scope>Public", "<scope>Private", Rule::ScopeAddresses, 8, "alert/scope"),
    ("<scope>Public", "<scope>Restricted", Rule::RestrictionMissing, 8, "alert/scope"),
    (
        "<references>met@example.org,a-1,2026-11-23T06:00:00-00:00</references>\n",
        "",
        Rule::ReferenceMissing,
        7,
        "alert/references",
    ),
    ("met@example.org,a-1,", "a-1,", Rule::ReferenceForm, 10, "alert/references"),
    ("a-1,2026-11-23T06:00:00-00:00", "a-1,yesterday", Rule::ReferenceForm, 10, "alert/references"),
    ("a-1,2026-11-23", "a-2,2026-11-24", Rule::ReferenceSelf, 10, "alert/references"),
    ("a-1,2026-11-23T06:00:00-00:00", "a-1,2026-11-24T06:00:00-00:01", Rule::ReferenceFuture, 10, "alert/references"),
    ("<polygon>14,-5 14", "<polygon>NaN,-5 14", Rule::AreaPoint, 31, "alert/info[1]/area[1]/polygon[1]"),
    ("<polygon>14,-5 14", "<polygon>95,-5 14", Rule::AreaPoint, 31, "alert/info[1]/area[1]/polygon[1]"),
    ("15,-4 14,-5<", "15,-4 14,-6<", Rule::AreaPolygon, 31, "alert/info[1]/area[1]/polygon[1]"),
    ("14,-4 15,-4 ", "14,-4 ", Rule::AreaPolygon, 31, "alert/info[1]/area[1]/polygon[1]"),
    ("-4.5 10", "-4.5", Rule::AreaCircle, 32, "alert/info[1]/area[1]/circle[1]"),
    ("-4.5 10", "-4.5 inf", Rule::AreaCircle, 32, "alert/info[1]/area[1]/circle[1]"),
    ("-4.5 10", "-4.5 -1", Rule::AreaCircle, 32, "alert/info[1]/area[1]/circle[1]"),
    ("<altitude>5.5</altitude>\n", "", Rule::AreaCeilingAlone, 34, "alert/info[1]/area[1]/ceiling"),
    ("<ceiling>6", "<ceiling>5", Rule::AreaCeilingBelow, 35, "alert/info[1]/area[1]/ceiling"),
    (
        "14,-5 14,-4 15,-4 14,-5",
        "14,-5 15,-4 14,-4 15,-5 14,-5",
        Rule::AreaCrossing,
        31,
        "alert/info[1]/area[1]/polygon[1]",
    ),
    ("14,-5 14,-4 15,-4 14,-5", "-5,14 -4,14 -4,15 -5,14", Rule::GeoSwapped, 31, "alert/info[1]/area[1]/polygon[1]"),
    ("<polygon>14,-5 14,-4 15,-4 14,-5<", "<polygon><", Rule::Empty, 31, "alert/info[1]/area[1]/polygon[1]"),
    ("<expires>2026-11-25", "<expires>2026-11-23", Rule::TimeOrder, 18, "alert/info[1]/expires"),
    ("<status>Actual", "<status>Exercise", Rule::NoteExercise, 6, "alert/status"),
    ("<msgType>Update", "<msgType>Error", Rule::NoteError, 7, "alert/msgType"),
    ("<web>https://example.org/a", "<web>www.example.org", Rule::Web, 20, "alert/info[1]/web"),
    ("image/png", "png", Rule::Mime, 24, "alert/info[1]/resource[1]/mimeType"),
    ("<size>12", "<size>-12", Rule::ResourceSize, 25, "alert/info[1]/resource[1]/size"),
    ("<uri>https://example.org/", "<uri>", Rule::ResourceUri, 26, "alert/info[1]/resource[1]/uri"),
    (
        "<digest>",
        "<derefUri>no-base64!</derefUri><digest>",
        Rule::ResourceDeref,
        27,
        "alert/info[1]/resource[1]/derefUri",
    ),
    ("<digest>da", "<digest>", Rule::ResourceDigest, 27, "alert/info[1]/resource[1]/digest"),
    ("<headline>Vent", "<headline>Vent&lt;br/&gt;", Rule::TextMarkup, 19, "alert/info[1]/headline"),
    ("<headline>Vent", "<headline>Vent&amp;nbsp;", Rule::TextMarkup, 19, "alert/info[1]/headline"),
    ("<alert", "<?xml-stylesheet href='a.xsl'?><alert", Rule::Instruction, 2, ""),
];

#[test]
fn each_rule_is_found_at_its_line_and_alone() {
    let mut wrong = Vec::new();
    for (from, to, rule, line, path) in BROKEN {
        let found = found(&with(from, to));
        let expected = [(*rule, *line, (*path).to_owned())];
        if *rule != Rule::Signature && found != expected {
            wrong.push((to, expected, found));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn blocks_are_compared_with_each_other() {
    let same = with(
        "<certainty>Likely</certainty>\n</info>",
        "<certainty>Likely</certainty>\n<headline>Vent</headline>\n</info>",
    );
    assert_eq!(found(&same), [(Rule::TextSame, 47, "alert/info[2]/headline".to_owned())]);
    let one = "<info>\n<language>en</language>\n<category>Met</category>\n<category>Safety</category>\n<event>Sandstorm</event>";
    let two = "<info>\n<language>fr</language>\n<category>Met</category>\n<event>Vent de sable</event>";
    let over = with(one, two).replace(
        "<severity>Severe</severity>\n<certainty>Likely</certainty>\n</info>",
        "<severity>Minor</severity>\n<certainty>Likely</certainty>\n<area><areaDesc>Nord</areaDesc></area>\n</info>",
    );
    assert_eq!(found(&over), [(Rule::InfoOverride, 44, "alert/info[2]/severity".to_owned())]);
}

#[test]
fn the_profile_is_asked_of_documents_that_claim_it() {
    let rules: Vec<Rule> = found(&with("<code>x", "<code>SahelPlus:1.0")).into_iter().map(|one| one.0).collect();
    assert_eq!(rules, [Rule::ProfileEvent, Rule::ProfileExpires, Rule::ProfileEvent, Rule::ProfileArea]);
    assert_eq!(check(with("<code>x", "<code>SahelPlus:1.0").as_bytes()).verdict, Verdict::Valid);
    let silent = with("<code>x", "<code>SahelPlus:1.0").replace("<language>en</language>\n", "");
    assert!(found(&silent).iter().any(|one| one.0 == Rule::ProfileLanguage));
}

#[test]
fn our_limits_are_warnings_and_those_of_reading_are_errors() {
    let info = "<info><category>Met</category><event>e</event><urgency>Past</urgency><severity>Minor</severity><certainty>Likely</certainty></info>";
    let infos = with("<info>\n<language>en", &format!("{}<info>\n<language>en", info.repeat(TEXTS_MAX)));
    let polygon = "<polygon>14,-5 14,-4 15,-4 14,-5</polygon>";
    let polygons = with(polygon, &polygon.repeat(POLYGONS_MAX + 1));
    let points = with("<polygon>14,-5", &format!("<polygon>{}14,-5", "14,-5 ".repeat(POINTS_MAX)));
    let reference = "met@example.org,a-1,2026-11-23T06:00:00-00:00";
    let references = with(reference, &format!("{reference} ").repeat(REFERENCES_MAX + 1));
    let size = format!("{GOOD}{}", " ".repeat(ORIGINAL_BYTES_MAX));
    for (text, rule) in [
        (infos, Rule::LimitInfos),
        (polygons, Rule::LimitPolygons),
        (points, Rule::LimitPoints),
        (references, Rule::LimitReferences),
        (size, Rule::LimitSize),
    ] {
        assert_eq!(found(&text).iter().map(|one| one.0).collect::<Vec<_>>(), [rule]);
        assert_eq!(check(text.as_bytes()).verdict, Verdict::ValidWithWarnings);
    }
    let crowd = with("<code>x</code>", &"<code>x</code>".repeat(XML_ELEMENTS_MAX));
    let deep = with("<code>x", &"<code>".repeat(1_700_000));
    let large = format!("{GOOD}{}", " ".repeat(CAP_CHECK_BYTES_MAX));
    for (text, rule) in [(crowd, Rule::XmlElements), (deep, Rule::XmlDepth), (large, Rule::XmlSize)] {
        let report = check(text.as_bytes());
        let rules: Vec<Rule> = report.findings.iter().map(|one| one.rule).collect();
        assert_eq!(report.verdict, Verdict::Invalid);
        assert!(rules.contains(&rule) && rules.len() <= 2, "{rules:?}");
    }
}

#[test]
fn findings_are_counted_beyond_a_hundred_and_errors_are_never_crowded_out() {
    let many = with("<code>x</code>", &"<code/>\n".repeat(300)).replace("<status>Actual", "<status>actual");
    let report = check(many.as_bytes());
    assert_eq!((report.verdict, report.findings_left_out), (Verdict::Invalid, 200));
}

#[test]
fn a_document_that_breaks_off_is_still_known_by_its_beginning() {
    let namespace = GOOD.find("cap:1.2").expect("there") + "cap:1.2".len();
    let end = GOOD.rfind("</alert>").expect("there") + "</alert>".len();
    let good = GOOD.as_bytes();
    for length in 0..end {
        let report = check(&good[..length]);
        let expected = match length < namespace {
            true => (Format::Other, Verdict::OtherFormat),
            false => (Format::Cap12, Verdict::Invalid),
        };
        assert_eq!((report.format, report.verdict), expected, "cut after {length} bytes");
        let errors: Vec<_> = report.findings.iter().filter(|one| one.rule.severity() == Severity::Error).collect();
        assert!(errors.iter().any(|one| one.rule == Rule::XmlMalformed && one.line >= 1), "{length}: {errors:?}");
    }
    for (text, format) in [
        (format!("\n{GOOD}"), Format::Cap12),
        (format!("// not XML <- \n{GOOD}"), Format::Cap12),
        (with("<alert ", "<c:alert xmlns = 'x' xmlns:c = ").replace("xmlns=\"urn", "\"urn"), Format::Cap12),
        (
            "<feed xmlns='http://www.w3.org/2005/Atom' xmlns:cap='urn:oasis:names:tc:emergency:cap:1.2".into(),
            Format::Atom,
        ),
        ("<alert xmlns='urn:oasis:names:tc:emergency:cap:1.1' a=<".into(), Format::Cap11),
        ("<alert xmlns='urn:oasis:names:tc:emergency:cap:1.".into(), Format::Other),
        ("{\"alert\": 1 < 2}".into(), Format::Other),
    ] {
        let report = check(text.as_bytes());
        assert_eq!(report.format, format, "{text}");
        assert_eq!(report.verdict == Verdict::Invalid, format == Format::Cap12, "{text}");
    }
}

#[test]
fn every_wrong_way_to_write_a_time_or_a_point_is_found() {
    for time in [
        "2026-11-24T06:00:00Z",
        "2026-11-24T06:00:00",
        "2026-11-24T06:00:00.000+00:00",
        "2026-11-24 06:00:00+00:00",
        "2026-11-24T06:00+00:00",
        "2026-11-24T06:00:00+0000",
        "2026-11-24T06:00:00,00:00",
        "2026-02-30T06:00:00+00:00",
        "2026-11-24T25:00:00+00:00",
        "2026-11-24T06:00:00+15:00",
        "24/11/2026 06:00",
        "Tue, 24 Nov 2026 06:00:00 GMT",
        "1795500000",
        "",
    ] {
        let text = with("<sent>2026-11-24T06:00:00+00:00", &format!("<sent>{time}"));
        assert_eq!(found(&text), [(Rule::SchemaTime, 5, "alert/sent".to_owned())], "{time}");
    }
    for point in
        ["NaN,-5", "inf,-5", "14,", "14", "14;-5", "14,-5,0", "14°,-5", "91,-5", "14,-181", "1e999,-5", "14, -5"]
    {
        let text = with("<polygon>14,-5 ", &format!("<polygon>{point} "));
        let rules: Vec<Rule> = found(&text).into_iter().map(|one| one.0).collect();
        assert_eq!(rules, [Rule::AreaPoint], "{point}");
    }
}

#[test]
fn shapes_are_held_to_the_map_of_the_country_that_the_area_names() {
    let area = |shape: &str, codes: &[&str]| {
        let codes: String = codes
            .iter()
            .map(|code| format!("<geocode><valueName>ISO 3166-1</valueName><value>{code}</value></geocode>"))
            .collect();
        let text = with("<polygon>14,-5 14,-4 15,-4 14,-5</polygon>\n<circle>14.5,-4.5 10</circle>", shape)
            .replace("<geocode><valueName>ISO3166-1</valueName><value>MLI</value></geocode>", &codes);
        let rules: Vec<Rule> = found(&text).into_iter().map(|one| one.0).collect();
        assert_eq!(check(text.as_bytes()).verdict == Verdict::Valid, rules.is_empty());
        rules
    };
    for (what, shape, codes, expected) in [
        ("Bamako", "<circle>12.6,-8 20</circle>", &["ML"][..], &[][..]),
        ("Bamako, said to be in Niger", "<circle>12.6,-8 20</circle>", &["NER"], &[Rule::GeoOutside]),
        ("Bamako, of two countries", "<circle>12.6,-8 20</circle>", &["NER", "MLI"], &[]),
        (
            "Agadez, turned round, which is still in the Sahel",
            "<circle>7.99,16.97 5</circle>",
            &["NE"],
            &[Rule::GeoSwapped],
        ),
        ("Dakar by its region", "<circle>14.7,-17.4 5</circle>", &["SN-DK"], &[]),
        ("a boat off Dakar", "<circle>15.5,-21 5</circle>", &["SN"], &[]),
        ("Rosso, turned round", "<circle>-15.81,16.51 5</circle>", &[], &[Rule::GeoSwapped]),
        ("a form left empty", "<circle>0,0 0</circle>", &[], &[Rule::GeoZero]),
        ("Nairobi", "<circle>-1.29,36.82 5</circle>", &[], &[]),
        ("Nairobi, named", "<circle>-1.29,36.82 5</circle>", &["KEN"], &[]),
        ("Kampala", "<circle>0.35,32.58 5</circle>", &[], &[]),
        ("Dar es Salaam", "<circle>-6.8,39.28 5</circle>", &[], &[]),
        ("Kigali", "<circle>-1.94,30.06 5</circle>", &[], &[]),
        ("Khartoum", "<circle>15.5,32.55 5</circle>", &[], &[]),
        ("Addis Ababa", "<circle>9.03,38.74 5</circle>", &[], &[]),
        ("Mogadishu", "<circle>2.05,45.32 5</circle>", &[], &[]),
        ("Antananarivo", "<circle>-18.88,47.5 5</circle>", &[], &[]),
        ("Manila", "<circle>14.6,120.98 5</circle>", &[], &[]),
    ] {
        assert_eq!(area(shape, codes), expected, "{what}");
    }
}

#[test]
fn a_document_is_what_its_root_says() {
    let declared = |root: &str| format!("<?xml version='1.0'?>\n<!-- x -->\n{root}");
    for (root, format) in [
        ("<alert xmlns='urn:oasis:names:tc:emergency:cap:1.1'>", Format::Cap11),
        ("<c:alert xmlns:c='http://www.incident.com/cap/1.0'/>", Format::Cap10),
        ("<alert xmlns='urn:oasis:names:tc:emergency:cap:1.0'/>", Format::Cap10),
        ("<feed xmlns='http://www.w3.org/2005/Atom'/>", Format::Atom),
        ("<entry xmlns='http://www.w3.org/2005/Atom'/>", Format::Atom),
        ("<EDXLDistribution xmlns='urn:oasis:names:tc:emergency:EDXL:DE:1.0'/>", Format::EdxlDe),
        ("<edxlDistribution xmlns='urn:oasis:names:tc:emergency:edxl:de:2.0'/>", Format::EdxlDe),
        ("<rss version='2.0'/>", Format::Other),
        ("<alert/>", Format::Other),
        ("<alert xmlns='urn:oasis:names:tc:emergency:cap:1.3'/>", Format::Other),
        (
            "<schema xmlns='http://www.w3.org/2001/XMLSchema' targetNamespace='urn:oasis:names:tc:emergency:cap:1.2'/>",
            Format::Other,
        ),
        ("<value xmlns='urn:oasis:names:tc:emergency:cap:1.2'/>", Format::Other),
        ("not XML at all", Format::Other),
        ("", Format::Other),
    ] {
        let report = check(declared(root).as_bytes());
        assert_eq!((report.format, report.verdict), (format, Verdict::OtherFormat), "{root}");
        assert!(report.findings.iter().any(|one| one.line == 3), "{root}: {:?}", report.findings);
        let refusals =
            read(declared(root).as_bytes(), Time::default(), &CapOptions::default()).expect_err("no CAP 1.2");
        assert!(!refusals.is_empty());
    }
}

#[test]
fn hostile_entities_are_neither_resolved_nor_expanded() {
    let mut laughs = String::from("<!DOCTYPE alert [<!ENTITY a0 \"ha\">\n");
    for i in 1..20 {
        let _ = writeln!(laughs, "<!ENTITY a{i} \"{}\">", format!("&a{};", i - 1).repeat(10));
    }
    laughs.push_str("]>\n");
    let text = with("<alert", &format!("{laughs}<alert")).replace("<headline>Vent", "<headline>&a19;");
    let rules: Vec<Rule> = found(&text).into_iter().map(|one| one.0).collect();
    assert_eq!(rules, [Rule::XmlDoctype, Rule::Empty, Rule::XmlEntity]);
    assert_eq!(check(text.as_bytes()).verdict, Verdict::Invalid);
}

#[test]
fn other_encodings_are_read_and_wrong_bytes_are_found_at_their_line() {
    let latin = with("UTF-8", "ISO-8859-1").replace("Nord", "Ségou");
    let bytes: Vec<u8> = latin.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin 1")).collect();
    assert_eq!(check(&bytes).verdict, Verdict::Valid);
    let wide = with("UTF-8", "UTF-16");
    let bytes: Vec<u8> = [0xfeff].into_iter().chain(wide.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    assert_eq!(check(&bytes).verdict, Verdict::Valid);
    let cut = &bytes[..bytes.len() - 1];
    assert_eq!(check(cut).findings.last().map(|one| (one.rule, one.line)), Some((Rule::XmlEncoding, 49)));
    let mut broken = GOOD.as_bytes().to_vec();
    let at = GOOD.find("Nord").expect("there");
    broken[at] = 0xe9;
    let report = check(&broken);
    assert_eq!(report.verdict, Verdict::Invalid);
    assert_eq!((report.findings[0].rule, report.findings[0].line), (Rule::XmlEncoding, 30));
    let marked = [b"\xef\xbb\xbf", with("UTF-8", "ISO-8859-15").as_bytes()].concat();
    let rules: Vec<Rule> = check(&marked).findings.into_iter().map(|one| one.rule).collect();
    assert_eq!(rules, [Rule::EncodingConflict, Rule::Signature]);
}

#[test]
fn each_code_is_one_of_its_own_and_messages_repeat_nothing() {
    let codes: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
    assert_eq!(codes.len(), Rule::ALL.len());
    assert!(codes.iter().all(|code| code.starts_with("cap.")));
    for (from, to, ..) in BROKEN {
        let loud = with(from, to).replace("Vent", "Awa Diop");
        for finding in check(loud.as_bytes()).findings {
            assert!(!finding.message.contains("Awa"), "{finding:?}");
        }
    }
}

#[test]
fn two_megabytes_of_points_are_checked_well_within_a_second() {
    let ring: String = (0..99_000)
        .map(|i| (f64::from(i) * std::f64::consts::TAU / 99_000.0).sin_cos())
        .map(|(sin, cos)| format!("{:.5},{:.5} ", 14.0 + sin, cos - 5.0))
        .collect();
    let first = ring.split_whitespace().next().expect("a point");
    let text = with("14,-5 14,-4 15,-4 14,-5", &format!("{ring}{first}"));
    let started = std::time::Instant::now();
    assert_eq!(check(text.as_bytes()).verdict, Verdict::Valid);
    assert!(started.elapsed().as_secs() < 5, "unoptimised: {:?}", started.elapsed());
}

proptest! {
    #[test]
    fn no_bytes_make_the_checker_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = check(&bytes);
    }

    #[test]
    fn no_damage_makes_the_checker_panic_and_what_is_invalid_is_not_imported(
        at in any::<prop::sample::Index>(), length in 0..60_usize, put in "[<>/&;#!a0. \"\\[\\]?\u{e9}-]{0,8}",
    ) {
        let mut bytes = GOOD.as_bytes().to_vec();
        let at = at.index(bytes.len());
        let end = bytes.len().min(at + length);
        bytes.splice(at..end, put.bytes());
        let report = check(&bytes);
        let read = read(&bytes, "2026-11-24T06:30:00Z".parse().expect("a time"), &CapOptions::default());
        if matches!(report.verdict, Verdict::Invalid | Verdict::OtherFormat) {
            prop_assert!(read.is_err());
            prop_assert!(!report.findings.is_empty());
        }
        for finding in &report.findings {
            prop_assert!(finding.line >= 1 && finding.column >= 1);
        }
    }
}

#[test]
fn a_document_that_was_made_to_be_dear_is_checked_in_a_moment() {
    let head = format!(
        "<alert xmlns='{CAP_NAMESPACE}'><identifier>A</identifier><sender>s</sender>\
         <sent>2026-11-24T06:30:00+00:00</sent><status>Actual</status><msgType>Alert</msgType><scope>Public</scope>"
    );
    let info = |inside: &str| {
        format!(
            "<info><category>Met</category><event>E</event><urgency>Past</urgency><severity>Minor</severity>\
             <certainty>Likely</certainty>{inside}</info>"
        )
    };
    let areas = |block: usize| -> String {
        (0..350).map(|place| format!("<area><areaDesc>place {block} {place}</areaDesc></area>")).collect()
    };
    for (story, inside) in [
        ("nothing but references to characters", format!("<note>{}</note>", "&amp;".repeat(1_000_000))),
        (
            "what begins as a reference and is none",
            info(&format!("<description>{}</description>", "&amp;a".repeat(500_000))),
        ),
        ("what begins as a tag and is none", info(&format!("<description>{}</description>", "&lt;a".repeat(500_000)))),
        ("blocks that might be for the same area", (0..64).map(|block| info(&areas(block))).collect()),
        (
            "a language for each block",
            (0..12_000).map(|n| format!("<info><language>x-{n}</language></info>")).collect(),
        ),
    ] {
        let started = std::time::Instant::now();
        let report = check(format!("{head}{inside}</alert>").as_bytes());
        assert_eq!(report.format, Format::Cap12, "{story}");
        assert!(started.elapsed() < std::time::Duration::from_secs(15), "{story}: {:?}", started.elapsed());
    }
}
