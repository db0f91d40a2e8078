//! One reader of foreign bytes, by the name in the variable READER, under libFuzzer. Touches nothing outside the process.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use passerelle_hostile::{Target, target};

static READER: OnceLock<Target> = OnceLock::new();

fuzz_target!(
    init: {
        let name = std::env::var("READER").unwrap_or_default();
        let found = target(&name).unwrap_or_else(|| panic!("READER names none of the readers: {name:?}"));
        READER.get_or_init(|| found);
    },
    |bytes: &[u8]| {
        if let Some(reader) = READER.get() {
            (reader.run)(bytes);
        }
    }
);
