//! The rules of the house that no compiler keeps: what the rooms may name, what may be linked in, what a file
//! looks like, and that the wire still is what was frozen. Reads the sources; needs no network and no node.

#[path = "house/container.rs"]
mod container;
#[path = "house/defects.rs"]
mod defects;
#[path = "house/refusals.rs"]
mod refusals;
#[path = "house/resolved.rs"]
mod resolved;
#[path = "house/sources.rs"]
mod sources;
#[path = "house/wire.rs"]
mod wire;

use std::{fs, process::Command};

use passerelle_cli::args;

use resolved::linked_into;
use sources::{names_behind, root, sources};

/// Longest production file, in lines. Beyond it a file is two things.
const LINES_MAX: usize = 500;

/// Rooms of node/src, and what each must not name. Arrows go from the shell to the meaning, never back.
const NEVER: [(&str, &[&str]); 10] = [
    ("store", &["engine", "link", "operator", "trust", "vault", "packages", "peers"]),
    ("engine", &["link", "operator", "trust", "vault", "packages", "peers"]),
    ("trust", &["store", "engine", "link", "operator", "vault", "packages", "peers"]),
    ("vault", &["store", "engine", "link", "operator", "packages", "peers"]),
    ("link", &["operator"]),
    ("operator", &["link", "vault", "packages", "peers"]),
    ("packages", &["operator"]),
    ("peers", &["operator"]),
    ("config", &["store", "engine", "link", "operator", "trust", "vault"]),
    ("metrics", &["store", "engine", "link", "operator", "trust", "vault"]),
];

#[test]
fn rooms_of_the_node_name_each_other_in_one_direction_only() {
    let mut faults = Vec::new();
    for source in sources() {
        let Some(inside) = source.path.strip_prefix("node/src/") else { continue };
        let room = inside.split('/').next().unwrap_or_default().trim_end_matches(".rs");
        let named = names_behind("crate::", &source.code());
        let forbidden = NEVER.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, never)| never);
        // Only the top of the program puts the rooms together.
        let is_top = ["main", "commands", "run"].contains(&room);
        let top: &[&str] = if is_top { &[] } else { &["commands", "run", "adapters"] };
        let broken = forbidden.iter().chain(top).filter(|name| named.contains(**name));
        faults.extend(broken.map(|name| format!("{}: {room} names {name}", source.path)));
    }
    assert!(faults.is_empty(), "against the order of the rooms:\n{}", faults.join("\n"));
}

#[test]
fn crates_name_each_other_in_one_direction_only() {
    const MEANING: &[&str] =
        &["passerelle_proto", "passerelle_node", "passerelle_cli", "passerelle_tests", "passerelle_hostile"];
    let arrows: [(&str, &[&str]); 6] = [
        ("node/domain/", MEANING),
        ("node/signature/", MEANING),
        ("proto/", &["passerelle_node", "passerelle_cli", "passerelle_tests", "passerelle_hostile"]),
        ("cli/", &["passerelle_node", "passerelle_tests", "passerelle_hostile"]),
        ("node/", &["passerelle_cli", "passerelle_tests", "passerelle_hostile"]),
        ("tests/hostile/", &["passerelle_cli", "passerelle_tests"]),
    ];
    let mut faults = Vec::new();
    for source in sources() {
        let Some((_, never)) = arrows.iter().find(|(room, _)| source.path.starts_with(room)) else { continue };
        let broken = never.iter().filter(|name| source.text.contains(&format!("{name}::")));
        faults.extend(broken.map(|name| format!("{} names {name}", source.path)));
    }
    assert!(faults.is_empty(), "against the order of the crates:\n{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_lives_there() {
    let silent = sources().into_iter().filter(|source| !source.text.starts_with("//! "));
    let silent: Vec<_> = silent.map(|source| source.path).collect();
    assert!(silent.is_empty(), "no //! at the top of {silent:?}");
}

#[test]
fn no_production_file_is_too_long() {
    let shipped = sources().into_iter().filter(|source| !source.production.is_empty());
    let counted = shipped.map(|source| (source.text.lines().count(), source.path));
    let long: Vec<_> = counted.filter(|(lines, _)| *lines > LINES_MAX).collect();
    assert!(long.is_empty(), "longer than {LINES_MAX} lines: {long:?}");
}

#[test]
fn production_code_has_no_shortcut() {
    const NONE_OF: [&str; 4] = [".unwrap()", "todo!", "unimplemented!", "unsafe {"];
    let mut faults = Vec::new();
    for source in sources() {
        for (number, line) in &source.production {
            let found = NONE_OF.iter().filter(|shortcut| line.contains(**shortcut));
            faults.extend(found.map(|shortcut| format!("{}:{number}: {shortcut}", source.path)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_meaning_is_linked_with_nothing_that_acts() {
    let linked = linked_into("passerelle-domain");
    for acting in ["tokio", "tonic", "prost", "sled", "rand", "getrandom", "mio", "rustls", "hyper"] {
        assert!(!linked.contains_key(acting), "node/domain is linked with {acting}");
    }
}

#[test]
fn the_programs_are_linked_with_one_tls() {
    for program in ["passerelle-node", "passerelle-cli"] {
        let linked = linked_into(program);
        for other in ["ring", "openssl", "openssl-sys", "native-tls"] {
            assert!(!linked.contains_key(other), "{program} is linked with {other}");
        }
        let features = &linked["tonic"];
        assert!(features.contains("transport"), "the features of tonic were not found: {features:?}");
        assert!(!features.contains("tls"), "tonic brings TLS of its own: {features}; ours is node/src/trust");
    }
}

/// Commands of `passerelle-node` in the README. Those of `passerelle` are given to its own parser.
const NODE_COMMANDS: [&str; 3] = [
    "passerelle-node init --society SN --dir sn --advertise node.sn.example:7443",
    "passerelle-node check-config --config sn/node.toml",
    "passerelle-node run --config sn/node.toml",
];

/// The programs of this crate that the README has people run.
const PROGRAMS: [(&str, &str); 4] = [
    ("simulate", env!("CARGO_BIN_EXE_simulate")),
    ("powercut", env!("CARGO_BIN_EXE_powercut")),
    ("links", env!("CARGO_BIN_EXE_links")),
    ("bench", env!("CARGO_BIN_EXE_bench")),
];

#[test]
fn the_programs_of_the_proof_take_the_options_that_the_readme_gives_them() {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README.md");
    // Options are read from the left, so that help is given for good ones alone.
    let takes = |program: &str, options: &[String]| {
        let output = Command::new(program).args(options).arg("--help").output().expect("it starts");
        output.status.success().then_some(()).ok_or_else(|| String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let mut seen = Vec::new();
    for line in readme.lines() {
        let Some(command) = line.strip_prefix("cargo run --release -p passerelle-tests --bin ") else { continue };
        let (name, options) = command.split_once(" -- ").unwrap_or((command, ""));
        let program = PROGRAMS.iter().find(|(program, _)| *program == name.trim());
        let (name, program) = program.unwrap_or_else(|| panic!("there is no program {name:?}"));
        let options = options.split(" #").next().unwrap_or_default();
        assert_eq!(takes(program, &words(options)), Ok(()), "{name} refuses {options:?}");
        seen.push(*name);
    }
    for (name, program) in PROGRAMS {
        assert!(seen.contains(&name), "the README does not say how to run {name}");
        assert!(takes(program, &["--no-such-option".to_owned()]).is_err(), "{name} takes any option");
    }
}

#[test]
fn every_command_of_the_readme_is_known_to_work() {
    let readme = fs::read_to_string(root().join("README.md")).expect("there is a README.md");
    let gate = fs::read_to_string(root().join(".ci/run")).expect("there is a gate");
    let (mut inside, mut run_by_gate, mut operators) = (false, 0, 0);
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```sh";
            continue;
        }
        let command = line.split(" #").next().unwrap_or_default().trim();
        if !inside || command.is_empty() {
            continue;
        }
        if command.starts_with("passerelle ") {
            let parsed = args::command().try_get_matches_from(words(command));
            assert!(parsed.is_ok(), "the command line refuses {command:?}: {parsed:?}");
            operators += 1;
        } else if command.starts_with("passerelle-node ") {
            assert!(NODE_COMMANDS.contains(&command), "nobody knows whether this works: {command:?}");
        } else {
            let step = gate.lines().any(|it| it.starts_with("step ") && it.ends_with(&format!("' {command}")));
            assert!(step, "the gate does not run {command:?}");
            run_by_gate += 1;
        }
    }
    assert_eq!(run_by_gate, 2, "the README begins with two commands, which the gate runs");
    assert!(operators >= 4, "the commands of an operator were not found");
}

/// The words of a command line made of plain words and "quoted ones".
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    let words = parts.flat_map(|(index, part)| match index % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    words.collect()
}
