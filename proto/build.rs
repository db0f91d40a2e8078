//! Compiles the .proto files with a compiler written in Rust, so that nobody needs protoc.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const FILES: &[&str] = &[
    "passerelle/v1/alert.proto",
    "passerelle/v1/audit.proto",
    "passerelle/v1/consent.proto",
    "passerelle/v1/handover.proto",
    "passerelle/v1/link.proto",
    "passerelle/v1/peer.proto",
    "passerelle/v1/safeguard.proto",
    "passerelle/v1/retention.proto",
    "passerelle/v1/status.proto",
    "passerelle/v1/subject.proto",
    "passerelle/v1/watch.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=passerelle");
    let descriptors = protox::compile(FILES, ["."])?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptor.binpb"), descriptors.encode_to_vec())?;
    // `bytes` fields of the link become `Bytes`, which are shared and not copied.
    tonic_prost_build::configure().bytes(".passerelle.v1.Parcels").compile_fds(descriptors)?;
    Ok(())
}
