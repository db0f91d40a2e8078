//! The wire of Passerelle: the generated messages and services of package `passerelle.v1`, and the
//! descriptor set for gRPC reflection. What the messages mean is said in `passerelle-domain`;
//! `convert` is the one place where the two meet.

pub mod convert;

/// The messages and services of `passerelle.v1`, generated from the .proto files.
#[allow(missing_docs, clippy::all, clippy::unwrap_used, clippy::panic, unreachable_pub, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("passerelle.v1");
}

/// The encoded descriptor set of all .proto files, as gRPC reflection serves it.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptor.binpb"));
