//! Every stored input is given to its reader: what was found once is not found again. The same readers as `tests/fuzz`
//! has, without a fuzzer.

use std::{fs, panic};

use passerelle_hostile::{TARGETS, seeds_folder};

/// Stored inputs that each reader has at the least.
const SEEDS_MIN: usize = 2;

#[test]
fn every_stored_input_is_read_without_a_fault() -> anyhow::Result<()> {
    let mut broken = Vec::new();
    for target in TARGETS {
        let mut inputs: Vec<_> = fs::read_dir(seeds_folder().join(target.name))?
            .map(|file| file.map(|file| file.path()))
            .collect::<Result<_, _>>()?;
        inputs.sort();
        assert!(inputs.len() >= SEEDS_MIN, "{} has {} inputs", target.name, inputs.len());
        for path in inputs {
            let bytes = fs::read(&path)?;
            if panic::catch_unwind(|| (target.run)(&bytes)).is_err() {
                broken.push(path.display().to_string());
            }
        }
    }
    assert!(broken.is_empty(), "broken by:\n{}", broken.join("\n"));
    Ok(())
}

#[test]
fn the_stored_inputs_are_few_and_small() -> anyhow::Result<()> {
    let mut bytes = 0;
    for folder in fs::read_dir(seeds_folder())? {
        let folder = folder?.path();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        assert!(TARGETS.iter().any(|target| target.name == name), "nobody reads {name}");
        for file in fs::read_dir(folder)? {
            bytes += file?.metadata()?.len();
        }
    }
    assert!(bytes < 1024 * 1024, "{bytes} bytes of stored inputs");
    Ok(())
}
