//! The authority firewall: no command, message or key of the configuration can address anything about a person to an authority.
//! Each place that names a recipient is listed here with what may stand in it; a new one fails until somebody has
//! thought about it. Aggregates alone may be given to an organisation.

use std::collections::BTreeSet;

use passerelle_cli::args;
use passerelle_domain::{
    catalogue::OrganisationKind,
    consent::{ConsentDraft, Recipient},
    handover::HandoverDraft,
    refusal::Code,
    society::Society,
};
use passerelle_node::config::Config;
use prost::Message as _;

/// Names under which somebody could be addressed.
fn addresses(name: &str) -> bool {
    ["to", "peer", "society", "recipient", "recipients", "distribution", "given_to", "addresses"].contains(&name)
}

#[test]
fn every_argument_that_names_a_recipient_takes_a_society_but_that_of_an_aggregate() {
    fn walk(command: &clap::Command, name: &str, found: &mut BTreeSet<String>) {
        for arg in command.get_arguments().filter(|arg| addresses(arg.get_id().as_str())) {
            let society = arg.get_value_parser().type_id() == std::any::TypeId::of::<Society>();
            found.insert(format!("{name} {} {}", arg.get_id(), if society { "Society" } else { "text" }));
        }
        for child in command.get_subcommands() {
            walk(child, format!("{name} {}", child.get_name()).trim_start(), found);
        }
    }
    let mut found = BTreeSet::new();
    walk(&args::command(), "", &mut found);
    let texts: Vec<_> = found.iter().filter(|place| place.ends_with(" text")).map(String::as_str).collect();
    // Who a consent names is checked when it is read, below; to narrow it only takes somebody out. An aggregate may go
    // to an organisation.
    let known = ["consent narrow recipients text", "consent record recipients text", "report export recipient text"];
    assert_eq!(texts, known);
    assert!(found.len() > 5, "{found:?}");
}

#[test]
fn every_field_of_the_wire_that_names_a_recipient_is_known() {
    let set = prost_types::FileDescriptorSet::decode(passerelle_proto::DESCRIPTOR_SET).expect("descriptors");
    let mut found = BTreeSet::new();
    for message in set.file.iter().filter(|file| file.package() == "passerelle.v1").flat_map(|file| &file.message_type)
    {
        for field in message.field.iter().filter(|field| addresses(field.name())) {
            if field.type_name().is_empty() {
                found.insert(format!("{}.{}", message.name(), field.name()));
            }
        }
    }
    let known: BTreeSet<String> = KNOWN.split_whitespace().map(str::to_owned).collect();
    assert_eq!(found, known, "who may stand in a field? Person-level data never goes to an authority");
}

/// Two fields of an aggregate, which an organisation may get; all others hold the code of a Society, are shown and never
/// sent to, are addresses of a peer's node, or say who is to get nothing any more. The node reads each by its type.
const KNOWN: &str = "
    AddPeerResponse.society
    Alert.distribution
    AlertAcknowledgement.society
    AlertDelivery.society
    AlertErasure.society
    AskRightRequest.society
    GetBlastRadiusRequest.society
    MakeCardResponse.society
    RecordBreachRequest.society
    RequestHolder.society
    SubjectRequestView.society
    CheckConsentRequest.to
    ConsentSummary.recipients
    ExportAlertRequest.society
    ExportReportRequest.recipient
    GetBundleRequest.society
    GetStatusResponse.society
    HandoverView.to
    Hello.society
    HolderView.society
    ListEntriesRequest.society
    ListHandoversRequest.society
    PeerStatus.society
    PublishAlertResponse.recipients
    RaiseAlertResponse.recipients
    RemovePeerRequest.society
    ReplayToPeerRequest.society
    ReportView.given_to
    SuspendPeerRequest.society
    UpdateAlertResponse.recipients
    WatchResponse.society
    WithdrawConsentRequest.recipients
    WithdrawalView.recipients
";

#[test]
fn an_offer_goes_to_a_society_whatever_its_file_says() {
    let text = include_str!("../../config/demo/handover.toml");
    let offer: toml::Table = toml::from_str(text).expect("the demo's offer");
    let with = |to: toml::Value| {
        let mut offer = offer.clone();
        offer.insert("to".into(), to);
        offer.try_into::<HandoverDraft>()
    };
    assert!(with("ML".into()).is_ok());
    let authority: toml::Table = toml::from_str("organisation = \"police\"\nkind = \"authority\"").expect("TOML");
    for to in ["police", "border.rosso", "MLI", "interpol"] {
        assert!(with(to.into()).is_err(), "{to}");
    }
    assert!(with(authority.into()).is_err());
}

#[test]
fn no_consent_names_an_authority_whatever_it_calls_itself() {
    let organisation = |code: &str, kind: &str| -> Recipient {
        serde_json::from_value(serde_json::json!({"organisation": code, "kind": kind})).expect("a recipient")
    };
    for kind in OrganisationKind::ALL {
        for code in
            ["police.rosso", "Gendarmerie", "dgsn-immigration", "frontex", "consulat.espagne", "ministry.interior"]
        {
            let outcome = organisation(code, kind.as_str()).check().map_err(|refusal| refusal.code);
            assert_eq!(outcome, Err(Code::AuthorityRecipient), "{code} {kind}");
        }
    }
    let text = include_str!("../../config/demo/consent.toml");
    let mut consent: toml::Table = toml::from_str(text).expect("the demo's consent");
    let police: toml::Table = toml::from_str("organisation = \"police\"\nkind = \"ngo\"").expect("TOML");
    consent.insert("recipients".into(), toml::Value::Array(vec!["ML".into(), police.into()]));
    let draft: ConsentDraft = consent.try_into().expect("a draft");
    let context = passerelle_domain::consent::RecordContext {
        id: passerelle_domain::ids::ConsentId::new(passerelle_tests::world::now(), [1; 10]),
        subject: passerelle_domain::decide::Pseudonyms::new([1; 32])
            .own(passerelle_domain::ids::CaseId::new(passerelle_tests::world::now(), [1; 10])),
        society: "GM".parse().expect("a Society"),
        now: passerelle_tests::world::now(),
    };
    let faults = passerelle_domain::consent::ConsentRecord::from_draft(draft, context).expect_err("an authority");
    assert!(faults.iter().any(|fault| fault.code == Code::AuthorityRecipient), "{faults:?}");
}

#[test]
fn the_configuration_knows_societies_and_no_other_recipient() {
    let parse = |text: &str| Config::parse(std::path::Path::new("node.toml"), text, std::iter::empty());
    for text in [
        "society = \"SN\"\n[[peers]]\nsociety = \"police\"\n",
        "society = \"SN\"\n[[authorities]]\nname = \"police\"\n",
        "society = \"SN\"\n[[peers]]\nsociety = \"GM\"\nforward_to = \"police\"\n",
        "society = \"SN\"\n[[transfer_basis]]\nfrom = \"SN\"\nto = \"police\"\nbasis = \"agreement\"\nvalid_from = \"2026-01-01\"\n",
    ] {
        assert!(parse(text).is_err(), "{text}");
    }
}
