//! The wire that was frozen against the wire of today: what another node relies on may be added to, and nothing
//! else. `.ci/freeze-descriptor` freezes.

use std::{collections::BTreeSet, fs};

use prost::Message as _;
use prost_types::{DescriptorProto, EnumDescriptorProto, FileDescriptorSet, ServiceDescriptorProto};

use super::sources::root;

/// All that another node relies on, a line of text each.
fn promises(encoded: &[u8]) -> BTreeSet<String> {
    let set = FileDescriptorSet::decode(encoded).expect("it is a descriptor set");
    let mut promises = BTreeSet::new();
    for file in set.file.iter().filter(|file| file.package().starts_with("passerelle.")) {
        let package = file.package();
        file.message_type.iter().for_each(|message| promise_message(package, message, &mut promises));
        file.enum_type.iter().for_each(|it| promise_enum(package, it, &mut promises));
        file.service.iter().for_each(|service| promise_service(package, service, &mut promises));
    }
    promises
}

fn promise_message(scope: &str, message: &DescriptorProto, into: &mut BTreeSet<String>) {
    let name = format!("{scope}.{}", message.name());
    into.insert(format!("message {name}"));
    for field in &message.field {
        let oneof = field.oneof_index.and_then(|index| message.oneof_decl.get(usize::try_from(index).ok()?));
        into.insert(format!(
            "field {name}.{} = {}: {:?} {:?} {}, JSON {}, oneof {}",
            field.name(),
            field.number(),
            field.label(),
            field.r#type(),
            field.type_name(),
            field.json_name(),
            oneof.map_or("-", |oneof| oneof.name())
        ));
    }
    message.nested_type.iter().for_each(|nested| promise_message(&name, nested, into));
    message.enum_type.iter().for_each(|nested| promise_enum(&name, nested, into));
}

fn promise_enum(scope: &str, it: &EnumDescriptorProto, into: &mut BTreeSet<String>) {
    for value in &it.value {
        into.insert(format!("enum {scope}.{}.{} = {}", it.name(), value.name(), value.number()));
    }
}

fn promise_service(scope: &str, service: &ServiceDescriptorProto, into: &mut BTreeSet<String>) {
    for method in &service.method {
        let stream = |streaming: bool| if streaming { "stream " } else { "" };
        into.insert(format!(
            "rpc {scope}.{}/{}({}{}) returns {}{}",
            service.name(),
            method.name(),
            stream(method.client_streaming()),
            method.input_type(),
            stream(method.server_streaming()),
            method.output_type()
        ));
    }
}

#[test]
fn the_wire_keeps_all_that_was_frozen() {
    let frozen = fs::read(root().join("proto/descriptor.frozen.binpb")).expect("the frozen descriptor is there");
    let frozen = promises(&frozen);
    let today = promises(passerelle_proto::DESCRIPTOR_SET);
    for kind in ["message ", "field ", "rpc "] {
        assert!(frozen.iter().any(|promise| promise.starts_with(kind)), "the frozen descriptor has no {kind:?}");
    }
    let broken: Vec<_> = frozen.difference(&today).map(String::as_str).collect();
    assert!(broken.is_empty(), "gone from the wire, or not what it was:\n{}", broken.join("\n"));
}
