//! Tests of the configuration: tables of faults, and the two sample files held to the schema.

use std::collections::BTreeSet;

use super::{read::read, *};
use crate::store::sled::SledOptions;

const REFERENCE: &str = include_str!("../../../config/node.reference.toml");
const MINIMAL: &str = include_str!("../../../config/node.minimal.toml");

fn parse(text: &str) -> Result<Config, ConfigFaults> {
    parse_with(text, &[])
}

fn parse_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigFaults> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse(Path::new("/etc/passerelle/node.toml"), text, environment)
}

/// Line and beginning of each fault.
fn faults(text: &str) -> Vec<String> {
    let faults = parse(text).expect_err("a faulty configuration").faults;
    faults
        .into_iter()
        .map(|fault| match fault.place {
            Place::Line { line, column } => format!("{line}:{column} {}", fault.what),
            Place::File => format!("file {}", fault.what),
            Place::Variable(name) => format!("{name} {}", fault.what),
        })
        .collect()
}

/// The reference with its commented keys made live.
fn uncommented() -> String {
    let live = |line: &str| {
        let setting =
            line.strip_prefix('#').filter(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '['));
        setting.unwrap_or(line).to_owned() + "\n"
    };
    REFERENCE.lines().map(live).collect()
}

#[test]
fn the_minimal_configuration_loads_with_the_defaults() {
    let config = parse(MINIMAL).expect("the minimal configuration");
    assert_eq!(config.society.code(), "SN");
    assert_eq!(config.trust.dir, Path::new("/var/lib/passerelle/trust"));
    assert_eq!(config.operator.socket, Path::new("/var/lib/passerelle/operator.sock"));
    assert_eq!(config.link.listen.map(|address| address.port()), Some(7443));
    assert!(config.metrics.listen.is_some_and(|address| address.ip().is_loopback()));
    assert_eq!(config.store.cache_mib << 20, SledOptions::default().cache_bytes, "the store's own default");
    assert!(config.peers.is_empty());
}

#[test]
fn the_reference_shows_the_defaults_as_they_are() {
    let shown = parse(&uncommented()).expect("the reference, uncommented");
    let plain = parse(REFERENCE).expect("the reference");
    let default =
        Peer { addresses: Vec::new(), alerts: true, handovers: true, hold_at_origin: false, suspended: false };
    for peer in shown.peers.values() {
        assert_eq!(Peer { addresses: Vec::new(), ..peer.clone() }, default);
    }
    assert_eq!(
        Config {
            peers: plain.peers.clone(),
            operators: plain.operators.clone(),
            transfers: plain.transfers.clone(),
            card_hotline: None,
            duty: Vec::new(),
            feed: None,
            cap: Cap::default(),
            cap_sources: Vec::new(),
            ..shown
        },
        plain
    );
}

#[test]
fn the_reference_names_every_key_and_no_other() {
    let no_environment = std::iter::empty();
    let (config, schema) = read(Path::new("node.toml"), &uncommented(), no_environment);
    // Unknown keys would be faults, so what loads names no other.
    config.expect("the reference, uncommented");
    let (mut section, mut named) = (String::new(), BTreeSet::new());
    for line in uncommented().lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix("[[").and_then(|rest| rest.strip_suffix("]]")) {
            section = format!("{name}[].");
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ") {
            named.insert(format!("{section}{key}"));
        }
    }
    assert_eq!(named, schema);
}

#[test]
fn every_key_of_the_reference_is_explained_above_it_with_its_default() {
    let (mut comment, mut seen) = (String::new(), BTreeSet::new());
    for line in REFERENCE.lines() {
        if let Some(prose) = line.strip_prefix("# ") {
            comment.push_str(prose);
        } else if let Some((key, _)) = line.trim_start_matches('#').split_once(" = ") {
            let first = seen.insert((key.to_owned(), comment.clone())) && !comment.is_empty();
            let again = key == "roles" && comment.is_empty();
            assert!(first || again, "`{key}` has no comment of its own");
            assert!(again || comment.contains("Default: ") || comment.contains("Required"), "`{key}`: {comment}");
            comment.clear();
        } else {
            comment.clear();
        }
    }
}

#[test]
fn all_faults_are_listed_at_once_each_with_its_line_and_remedy() {
    let text = r#"socity = "SN"
data_dir = 7

[store]
cache_mib = 1
cache_mob = 16

[link]
listen = "7443"
advertise = ["node.example:7443", "nowhere", 5]
"étrange" = 1

[metrics]
listen = "127.0.0.1"

[[peers]]
society = "GM"
suspended = "no"

[[peers]]
society = "GM"

[[operators]]
user = "duty"
certificate = "duty"
roles = ["chief", "dpo", "dpo"]

[[operators]]
roles = []

[journal]
"#;
    assert_eq!(
        faults(text),
        [
            "file `society` is missing",
            "1:1 `socity` is not a known key",
            "2:12 `data_dir` is not a path",
            "5:13 `store.cache_mib` is out of bounds",
            "6:1 `store.cache_mob` is not a known key",
            "9:10 `link.listen` is not an address to listen on",
            "10:35 `link.advertise` holds something that is not an address to dial",
            "10:46 `link.advertise` holds something that is not an address to dial",
            "11:1 `link.étrange` is not a known key",
            "14:10 `metrics.listen` is not an address to listen on",
            "18:13 `peers.suspended` is not true or false",
            "21:11 the peer GM is listed twice",
            "23:1 an operator is either a user or a certificate",
            "26:10 `operators.roles` holds something that is not a role",
            "26:26 the role dpo is given twice",
            "28:1 an operator is either a user or a certificate",
            "28:1 an operator without `roles` may do nothing",
            "31:2 `journal` is not a known key",
        ]
    );
    let shown = parse(text).expect_err("faults").to_string();
    assert!(
        shown.contains("/etc/passerelle/node.toml:1:1: `socity` is not a known key\n  Did you mean `society`?\n\n")
    );
    assert!(shown.contains("Did you mean `cache_mib`?"), "{shown}");
}

#[test]
fn faults_of_syntax_come_with_the_other_faults_and_without_their_echo() {
    let text = "society = \"SN\"\n[link]\nadvertise = \nlisten = 7\n[log]\nlevel = \"info\"\nlevel = \"warn\"\n";
    let faults = faults(text);
    assert_eq!(faults.len(), 3, "{faults:#?}");
    assert!(faults[0].starts_with("3:"), "{faults:#?}");
    assert_eq!(faults[1], "4:10 `link.listen` is not an address to listen on");
    assert!(faults[2].starts_with("7:1 is not TOML here"), "{faults:#?}");
}

#[test]
fn what_must_hold_between_keys_is_checked() {
    let cases = [
        ("[[peers]]\nsociety = \"sn\"", "3:11 the peer SN is this node's own Society"),
        ("[link]\nlisten = \"off\"\n[[peers]]\nsociety = \"GM\"", "4:1 this peer has no `addresses`"),
        ("[link]\nlisten = \"off\"\nadvertise = [\"a:1\"]", "4:14 `link.advertise` names addresses"),
        ("[operator]\ntcp_listen = \"127.0.0.1:7443\"", "3:14 `operator.tcp_listen` and `link.listen` share the port"),
        ("[operator]\nsocket_mode = \"0666\"", "3:15 `operator.socket_mode` is not a file mode"),
        (
            "[[operators]]\nuser = 0\nroles = [\"dpo\"]\n[[operators]]\nuser = \"0\"\nroles = [\"dpo\"]",
            "5:1 this operator is",
        ),
        ("[peers]\nsociety = \"GM\"", "2:1 `peers` is not a list of sections"),
    ];
    for (text, fault) in cases {
        let found = faults(&format!("society = \"SN\"\n{text}\n"));
        assert!(found.len() == 1 && found[0].starts_with(fault), "{text}: {found:#?}");
    }
    let long = format!("society = \"SN\"\ndata_dir = \"/{}\"\n", "d".repeat(100));
    assert_eq!(faults(&long).len(), 1);
    let crowd: String = passerelle_domain::society::MEMBERS.iter().map(|_| "[[peers]]\nsociety = \"FR\"\n").collect();
    assert_eq!(faults(&format!("society = \"SN\"\n{crowd}")).len(), 9);
}

#[test]
fn peers_are_capped_at_their_limit() {
    let codes: Vec<String> =
        (b'A'..=b'Z').flat_map(|a| (b'A'..=b'Z').map(move |b| format!("{}{}", a as char, b as char))).collect();
    let peers = |count: usize| {
        let others = codes.iter().filter(|code| *code != "SN").take(count);
        let tables: String = others.map(|code| format!("[[peers]]\nsociety = \"{code}\"\n")).collect();
        parse(&format!("society = \"SN\"\n{tables}"))
    };
    assert_eq!(peers(200).map(|config| config.peers.len()).ok(), Some(200));
    assert!(peers(201).is_err());
}

#[test]
fn the_environment_overrides_the_file_and_its_faults_name_the_variable() {
    let config = parse_with(
        "[link]\nlisten = \"nonsense\"\nadvertise = [\"a:1\"]\n",
        &[
            ("PASSERELLE_SOCIETY", "ML"),
            ("PASSERELLE_DATA_DIR", "data"),
            ("PASSERELLE_LINK__LISTEN", "127.0.0.1:9"),
            ("PASSERELLE_LINK__ADVERTISE", "b:2, [::1]:3"),
            ("PASSERELLE_STORE__CACHE_MIB", "32"),
            ("PASSERELLE_SOCKET", "belongs to the command line tool"),
            ("HOME", "/"),
        ],
    )
    .expect("overridden");
    assert_eq!(config.society.code(), "ML");
    assert_eq!(config.data_dir, Path::new("/etc/passerelle/data"));
    assert_eq!(config.link.advertise.iter().map(Address::as_str).collect::<Vec<_>>(), ["b:2", "[::1]:3"]);
    assert_eq!(config.store.cache_mib, 32);

    let faults = parse_with(
        "society = \"SN\"\n",
        &[
            ("PASSERELLE_LINK__LISTEM", "off"),
            ("PASSERELLE_STORE__CACHE_MIB", "much"),
            ("PASSERELLE_PEERS__SOCIETY", "GM"),
        ],
    )
    .expect_err("three faults")
    .to_string();
    assert!(faults.contains("environment variable PASSERELLE_LINK__LISTEM: "), "{faults}");
    assert!(faults.contains("Did you mean PASSERELLE_LINK__LISTEN?"), "{faults}");
    assert!(faults.contains("PASSERELLE_STORE__CACHE_MIB: `store.cache_mib` is not a whole number"), "{faults}");
    assert!(faults.contains("PASSERELLE_PEERS__SOCIETY: "), "{faults}");
}

#[test]
fn a_starting_configuration_loads_whatever_the_paths_hold() {
    let starting = Starting {
        society: "MR".parse().expect("a code"),
        data_dir: "/srv/a \"b\" \\c".into(),
        listen: None,
        advertise: Vec::new(),
        admin: "1000".to_owned(),
    };
    let config = parse(&starting_config(&starting)).expect("the starting configuration");
    assert_eq!(config.data_dir, starting.data_dir);
    assert_eq!(config.operators[0].identity, Identity::User(User::Uid(1000)));

    let open = Starting {
        society: "GM".parse().expect("a code"),
        listen: "[::]:7443".parse().ok(),
        advertise: vec!["node.example:7443".parse().expect("an address")],
        ..starting
    };
    let text = starting_config(&open);
    assert_eq!(parse(&text).map(|config| config.link.advertise), Ok(open.advertise));
    let examples: String = text
        .lines()
        .map(|line| line.strip_prefix('#').filter(|l| !l.starts_with(' ')).unwrap_or(line).to_owned() + "\n")
        .collect();
    let config = parse(&examples).expect("its examples, uncommented");
    assert_eq!((config.peers.len(), config.operators.len()), (1, 2));
}

#[test]
fn an_operator_is_a_person_unless_it_is_said_to_be_a_program() {
    let operator = |more: &str| format!("{MINIMAL}\n[[operators]]\nuser = 77\nroles = [\"dpo\"]\n{more}\n");
    let automation =
        |more: &str| parse(&operator(more)).map(|config| config.operators.last().map(|one| one.automation));
    assert_eq!(automation(""), Ok(Some(false)));
    assert_eq!(automation("automation = true"), Ok(Some(true)));
    let faults = faults(&operator("automation = \"yes\""));
    assert!(faults.iter().any(|fault| fault.ends_with("`operators.automation` is not true or false")), "{faults:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault_with_the_way_out() {
    let missing = Config::load(Path::new("/nonexistent/node.toml"), std::iter::empty()).expect_err("no file");
    assert!(missing.to_string().contains("passerelle-node init"));
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("node.toml");
    std::fs::write(&file, b"society = \"\xff\"").expect("a file");
    assert!(Config::load(&file, std::iter::empty()).expect_err("no UTF-8").to_string().contains("UTF-8"));
    std::fs::write(&file, vec![b'\n'; CONFIG_BYTES_MAX + 1]).expect("a file");
    assert!(Config::load(&file, std::iter::empty()).expect_err("too large").to_string().contains("larger"));
    std::fs::write(&file, MINIMAL).expect("a file");
    assert!(Config::load(&file, std::iter::empty()).is_ok());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "(society|\\[|\\]|peers|link|\"|=|\n|#|é|\\PC){0,40}") {
        let _ = parse(&text);
    }
}

#[test]
fn retention_and_bases_for_transfers_are_read_within_their_bounds() {
    let text = "society = \"SN\"\n[retention]\npackage_received = \"30d\"\n[[transfer_basis]]\nfrom = \"SN\"\nto = \"ML\"\n\
                basis = \"community_act\"\nvalid_from = \"2026-01-01\"\n";
    let config = parse(text).expect("a good configuration");
    assert_eq!(config.retention.periods.package_received, Duration::from_secs(30 * 86_400));
    assert_eq!(config.retention.periods.offer_sent, Periods::default().offer_sent);
    assert_eq!(config.transfers.len(), 1);
    let cases = [
        ("[retention]\nconsent = \"90d\"", "3:11 `retention.consent` is out of bounds"),
        ("[retention]\ndead_payload = \"31d\"", "3:16 `retention.dead_payload` is out of bounds"),
        ("[retention]\nalert = \"two years\"", "3:9 `retention.alert` is not a span of time"),
        ("[retention]\nalert = 7", "3:9 `retention.alert` is not a span of time"),
        ("[retention]\nalerts = \"2y\"", "3:1 `retention.alerts` is not a known key"),
        (
            "[[transfer_basis]]\nfrom = \"SN\"\nto = \"ML\"\nbasis = \"agreement\"",
            "2:1 `valid_from` of this basis is missing",
        ),
        (
            "[[transfer_basis]]\nfrom = \"GM\"\nto = \"ML\"\nbasis = \"agreement\"\nvalid_from = \"2026-01-01\"",
            "3:8 a transfer from GM to ML does not cross this node's border",
        ),
        (
            "[[transfer_basis]]\nfrom = \"SN\"\nto = \"ML\"\nbasis = \"police\"\nvalid_from = \"2026-01-01\"",
            "5:9 `transfer_basis.basis` is not a ground for transfers",
        ),
        (
            "[[transfer_basis]]\nfrom = \"SN\"\nto = \"ML\"\nbasis = \"agreement\"\nvalid_from = \"2026-01-02\"\nvalid_until = \"2026-01-01\"",
            "7:15 this basis ends before it begins",
        ),
    ];
    for (text, expected) in cases {
        let found = faults(&format!("society = \"SN\"\n{text}\n"));
        assert_eq!(found, [expected], "{text}");
    }
}

#[test]
fn feeds_are_off_until_somebody_says_where_they_are() {
    let config = parse(MINIMAL).expect("the minimal configuration");
    assert_eq!((config.feed, config.cap_sources.len()), (None, 0));
    let text = "society = \"SN\"\n[feed]\nfolder = \"public\"\nbase_url = \"https://crs.example/alerts/\"\n\
                [[cap_sources]]\nname = \"anacim\"\nurl = \"http://met.example/cap\"\nevent = \"env.flood\"\n";
    let config = parse(text).expect("a configuration");
    let feed = config.feed.expect("a feed");
    assert_eq!(feed.folder.as_deref(), Some(Path::new("/etc/passerelle/public")));
    assert_eq!((feed.listen, feed.base_url.as_str()), (None, "https://crs.example/alerts"));
    let source = &config.cap_sources[0];
    assert_eq!((source.every.as_secs(), source.feed_bytes_max, source.allow_private), (300, 8 << 20, false));
}

#[test]
fn what_is_wrong_with_feeds_is_told_with_its_line() {
    let text = "society = \"SN\"\n[metrics]\nlisten = \"127.0.0.1:8480\"\n[feed]\nlisten = \"127.0.0.1:8480\"\n\
                [[cap_sources]]\nname = \"a\"\nurl = \"ftp://met.example\"\nevery_seconds = 5\n\
                [[cap_sources]]\nname = \"b\"\nurl = \"https://user@met.example\"\n\
                [[cap_sources]]\nname = \"c\"\nurl = \"https://met.example:0/\"\nevent = \"rain\"\n\
                [[cap_sources]]\nname = \"d\"\nurl = \"https://met.example\"\n\
                [[cap_sources]]\nname = \"d\"\nurl = \"https://met.example\"\n\
                [[cap_sources]]\n";
    let found = faults(text).join("\n");
    for expected in [
        "4:1 `feed.base_url` is missing",
        "3:10 `metrics.listen` and `feed.listen` share the port 8480",
        "8:7 `cap_sources.url` is not an address on the web",
        "9:17 `cap_sources.every_seconds` is out of bounds",
        "12:7 `cap_sources.url` is not an address on the web",
        "15:7 `cap_sources.url` is not an address on the web",
        "16:9 `cap_sources.event` is not the code of an event",
        "20:1 the source d is listed twice",
        "23:1 `name` of this source is missing",
        "23:1 `url` of this source is missing",
    ] {
        assert!(found.contains(expected), "{expected} in\n{found}");
    }
}

#[test]
fn certificates_that_vouch_for_documents_are_files_beside_the_configuration() {
    let text = "society = \"SN\"\n[cap]\ntrusted_certificates = [\"met.pem\", \"/etc/ssl/wmo.pem\"]\n";
    let config = parse(text).expect("in order");
    let expected = [Path::new("/etc/passerelle/met.pem"), Path::new("/etc/ssl/wmo.pem")];
    assert_eq!(config.cap.trusted_certificates, expected);
    let wrong = faults("society = \"SN\"\n[cap]\ntrusted_certificates = \"met.pem\"\ntrust = 1\n");
    assert_eq!(wrong.len(), 2, "{wrong:?}");
}

#[test]
fn a_data_folder_that_does_not_exist_is_named_and_never_made() {
    let home = tempfile::tempdir().expect("a folder");
    let of = |folder: &Path| {
        let text = format!("society = \"SN\"\ndata_dir = {folder:?}\n");
        Config::parse(Path::new("node.toml"), &text, std::iter::empty()).expect("in order")
    };
    let missing = home.path().join("nowhere");
    let refused = of(&missing).check_data_folder().expect_err("it is not there").to_string();
    assert!(refused.contains("nowhere") && refused.contains("passerelle-node init"), "{refused}");
    assert!(!missing.exists());
    assert!(of(home.path()).check_data_folder().is_ok());
}

#[test]
fn the_number_on_the_cards_is_a_number() {
    let of = |hotline: &str| {
        let text = format!("society = \"SN\"\n[card]\nhotline = {hotline:?}\n");
        Config::parse(Path::new("node.toml"), &text, std::iter::empty()).map(|config| config.card_hotline)
    };
    assert_eq!(of("+221 33 000 00 00").ok().flatten().as_deref(), Some("+221 33 000 00 00"));
    for wrong in ["", "1", "ask for Awa", "+221\n33"] {
        assert!(of(wrong).is_err(), "{wrong:?}");
    }
}
