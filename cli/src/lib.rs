//! `passerelle`, the operator's command line of a node: a library with one entry for tests and one for
//! the program. It talks to a node through its API alone, and knows the rules only as far as
//! `passerelle-domain` states them.

// A failure ends the program, once: that it is large costs nothing.
#![allow(clippy::result_large_err, reason = "at most one is ever made")]

pub mod args;
pub mod client;
pub mod commands;
pub mod console;
pub mod draw;
pub mod failure;
pub mod files;
pub mod profile;
pub mod render;

use std::{ffi::OsString, process::ExitCode};

use args::{AlertCommand, Cli, Command, Destination, Output};
use clap::{FromArgMatches as _, ValueEnum as _};
use console::Console;
use failure::{Exit, Failure};
use render::Printer;

/// Runs the program with the arguments, streams and environment of this process.
#[must_use]
pub fn main_entry() -> ExitCode {
    let exit = console::with_process(|console| run(std::env::args_os(), console));
    ExitCode::from(exit as u8)
}

/// Runs one command line, the program's name first, and says how it ended. Must not be called from within an
/// async runtime: it brings its own.
pub fn run(args: impl IntoIterator<Item = OsString>, console: &mut Console<'_>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    let parsed = args::command().try_get_matches_from(&args).and_then(|found| Cli::from_arg_matches(&found));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return unparsed(&error, wanted_output(&args, console), console),
    };
    let cli = match with_picture(cli) {
        Ok(cli) => cli,
        Err(failure) => return report(&failure, Output::Table, console),
    };
    let output = match output_of(form_of(&cli), console) {
        Ok(output) => output,
        Err(failure) => return report(&failure, Output::Table, console),
    };
    match dispatch(cli, output, console) {
        Ok(exit) => exit,
        // Whoever reads us, such as `head`, has seen enough.
        Err(failure) if failure.code == "output_closed" => Exit::Ok,
        Err(failure) => report(&failure, output, console),
    }
}

fn dispatch(cli: Cli, output: Output, console: &mut Console<'_>) -> Result<Exit, Failure> {
    if let Command::Completions { shell } = cli.command {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut args::command(), "passerelle", &mut script);
        console.stdout.write_all(&script)?;
        return Ok(Exit::Ok);
    }
    if let Some(done) = commands::without_node(&cli.command, Printer { output }, console) {
        return done;
    }
    let target = profile::resolve(&cli.connection, console.env)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::unexpected(format!("the operating system gives no event loop: {error}")))?;
    runtime.block_on(async {
        let client = client::Client::connect(&target, cli.timeout).await?;
        let mut session = commands::Session { client, printer: Printer { output }, console };
        commands::run(cli.command, &mut session).await
    })
}

/// Gives a map the file that `--output` names; no other command makes a picture.
fn with_picture(mut cli: Cli) -> Result<Cli, Failure> {
    match (&mut cli.command, cli.output.take()) {
        (Command::Alert(AlertCommand::Map(map)), Some(Destination::Picture(path))) => map.picture = Some(path),
        (_, Some(Destination::Picture(_))) => {
            let message = "only a map is written as a picture";
            return Err(Failure::usage(message, "Give --output table, json or jsonl."));
        }
        (_, form) => cli.output = form,
    }
    Ok(cli)
}

fn form_of(cli: &Cli) -> Option<Output> {
    match cli.output {
        Some(Destination::Form(form)) => Some(form),
        _ => None,
    }
}

/// Help and version are data; everything else that clap says is a fault of the command line.
fn unparsed(error: &clap::Error, output: Output, console: &mut Console<'_>) -> Exit {
    let plain = error.render();
    if !error.use_stderr() {
        let colour = console.terminals.stdout && (console.env)("NO_COLOR").is_none_or(|value| value.is_empty());
        let text = if colour { plain.ansi().to_string() } else { plain.to_string() };
        let _ = console.stdout.write_all(text.as_bytes());
        return Exit::Ok;
    }
    if output == Output::Table {
        console.say(plain.to_string().trim_end());
        return Exit::Usage;
    }
    let text = plain.to_string();
    let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
    report(&Failure::usage(message, "See --help."), output, console)
}

/// The form of output that a command line asks for which could not be parsed.
fn wanted_output(args: &[OsString], console: &Console<'_>) -> Output {
    let args: Vec<_> = args.iter().map(|arg| arg.to_string_lossy()).collect();
    let apart = args.windows(2).find(|pair| pair[0] == "--output").map(|pair| pair[1].to_string());
    let joined = || args.iter().find_map(|arg| arg.strip_prefix("--output=").map(str::to_owned));
    let named = apart.or_else(joined).and_then(|name| Output::from_str(&name, true).ok());
    named.or_else(|| output_of(None, console).ok()).unwrap_or(Output::Table)
}

fn output_of(given: Option<Output>, console: &Console<'_>) -> Result<Output, Failure> {
    if let Some(output) = given {
        return Ok(output);
    }
    match (console.env)("PASSERELLE_OUTPUT").filter(|value| !value.is_empty()) {
        None => Ok(Output::Table),
        Some(name) => Output::from_str(&name.to_string_lossy(), true)
            .map_err(|_| Failure::usage("PASSERELLE_OUTPUT is none of table, json, jsonl", "Correct or unset it.")),
    }
}

fn report(failure: &Failure, output: Output, console: &mut Console<'_>) -> Exit {
    match output {
        Output::Table => console.say(failure),
        Output::Json | Output::Jsonl => console.say(failure.to_json()),
    }
    failure.exit
}
