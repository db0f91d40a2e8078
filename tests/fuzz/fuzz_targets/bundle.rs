//! Trust bundles as they are offered. Touches nothing outside the process.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passerelle_domain::bundle::{Bundle, SignedBundle};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(bundle) = Bundle::parse(bytes) {
        assert_eq!(bundle.payload(), bytes, "one bundle, one sequence of bytes");
        let fingerprint = bundle.fingerprint();
        assert!(fingerprint.matches(&fingerprint.words().join(" ")));
        assert!(SignedBundle::parse(bytes.to_vec(), vec![]).is_ok());
    }
});
