//! `passerelle alert check`: holds CAP documents in files to the standard. Needs no node and no profile.

use std::{
    fs,
    path::{Path, PathBuf},
};

use passerelle_domain::{
    cap::{self, Finding, Report, Severity, Verdict},
    limits::CAP_CHECK_BYTES_MAX,
};
use passerelle_signature::{State, Trusted};
use serde_json::{Value, json};

use crate::{
    args::{CheckArgs, Output},
    console::Console,
    failure::{Exit, Failure},
    files,
};

/// What files in folders are called that may hold an alert.
const EXTENSIONS: [&str; 6] = ["xml", "cap", "atom", "rss", "edxl", "edxlde"];
/// The largest file of certificates.
const CERTIFICATES_BYTES_MAX: usize = 1024 * 1024;
/// How deep folders are searched.
const FOLDERS_DEEP_MAX: usize = 64;

/// Checks what the command line names, one document after the other.
///
/// # Errors
/// `usage` when a path is not there, cannot be read, or leads to no document at all.
pub(crate) fn run(args: CheckArgs, output: Output, console: &mut Console<'_>) -> Result<Exit, Failure> {
    let paths = documents(args.paths)?;
    let trusted = trusted(&args.trust_cert, console)?;
    let mut tally = Tally::default();
    let mut all = Vec::new();
    for path in &paths {
        // One byte more than is read of it tells the checker that there is more.
        let bytes = files::read_up_to(path, CAP_CHECK_BYTES_MAX + 1, console)?;
        let report = cap::check(&bytes);
        let name = if files::is_stdin(path) { "-".to_owned() } else { path.display().to_string() };
        tally.count(report.verdict);
        let signature = signature(&report, &bytes, trusted.as_ref());
        match output {
            Output::Table => console.stdout.write_all(lines(&name, &report, signature).as_bytes())?,
            Output::Json => all.push(object(&name, &report, signature)),
            Output::Jsonl => {
                writeln!(console.stdout, "{}", object(&name, &report, signature))?;
                console.stdout.flush()?;
            }
        }
    }
    match output {
        Output::Table => writeln!(console.stdout, "\n{}", tally.line())?,
        Output::Json => writeln!(console.stdout, "{:#}", Value::Array(all))?,
        Output::Jsonl => {}
    }
    console.stdout.flush()?;
    Ok(if tally.invalid > 0 { Exit::Refused } else { Exit::Ok })
}

/// The certificates that the command line names; none when it names no file.
fn trusted(paths: &[PathBuf], console: &mut Console<'_>) -> Result<Option<Trusted>, Failure> {
    let mut certificates = Vec::new();
    for path in paths {
        let bytes = files::read(path, CERTIFICATES_BYTES_MAX, console)?;
        let found = Trusted::parse(&bytes).ok_or_else(|| {
            let name = path.display();
            Failure::usage(
                format!("{name} holds no X.509 certificate that can be used"),
                "Give certificates in PEM or DER.",
            )
        })?;
        certificates.extend(found);
    }
    Ok((!certificates.is_empty()).then(|| Trusted::new(certificates)))
}

/// What is to be said of the signatures of a document.
fn signature(report: &Report, bytes: &[u8], trusted: Option<&Trusted>) -> &'static str {
    // What is no good XML, or has a document type, is not given to another reader.
    let readable = !report
        .findings
        .iter()
        .any(|finding| finding.rule.severity() == Severity::Error && finding.rule.as_str().starts_with("cap.xml."));
    match trusted {
        _ if report.signatures == 0 => "absent",
        Some(trusted) if readable => trusted.state_of(bytes).as_str(),
        _ => State::NotVerified.as_str(),
    }
}

/// The files that are meant, those of folders in the order of their names.
fn documents(named: Vec<PathBuf>) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for path in named {
        if files::is_stdin(&path) {
            found.push(path);
            continue;
        }
        if fs::metadata(&path).map_err(|error| unreadable(&path, &error))?.is_dir() {
            search(&path, FOLDERS_DEEP_MAX, &mut found)?;
        } else {
            found.push(path);
        }
    }
    if found.is_empty() {
        let next = format!("Name a file, or a folder with files called *.{}.", EXTENSIONS.join(", *."));
        return Err(Failure::usage("there is no file to check", next));
    }
    Ok(found)
}

fn search(folder: &Path, deep: usize, found: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let mut entries = entries.map_err(|error| unreadable(folder, &error))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(|error| unreadable(&path, &error))?;
        let called = |path: &Path| {
            let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
            EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
        };
        if kind.is_dir() && deep > 0 {
            search(&path, deep - 1, found)?;
        } else if called(&path) && fs::metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            found.push(path);
        }
    }
    Ok(())
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::usage(format!("cannot read {}: {error}", path.display()), "Check the path and its rights.")
}

#[derive(Default)]
struct Tally {
    valid: usize,
    warned: usize,
    invalid: usize,
    other: usize,
}

impl Tally {
    fn count(&mut self, verdict: Verdict) {
        *match verdict {
            Verdict::Valid => &mut self.valid,
            Verdict::ValidWithWarnings => &mut self.warned,
            Verdict::Invalid => &mut self.invalid,
            Verdict::OtherFormat => &mut self.other,
        } += 1;
    }

    fn line(&self) -> String {
        let Self { valid, warned, invalid, other } = self;
        let all = valid + warned + invalid + other;
        let documents = if all == 1 { "document" } else { "documents" };
        format!(
            "{all} {documents}: {valid} valid, {warned} valid with warnings, {invalid} invalid, {other} of other formats"
        )
    }
}

/// What people read of one document: a line, and one more for each finding.
fn lines(name: &str, report: &Report, signature: &str) -> String {
    let mut text = format!("{name}: {} ({})", report.verdict.as_str(), report.format.as_str());
    let more = [
        report.msg_type.clone(),
        report.status.clone(),
        (!report.languages.is_empty()).then(|| report.languages.join(" ")),
        report.identifier.as_ref().map(|identifier| format!("identifier {identifier}")),
    ];
    for more in more.into_iter().flatten() {
        text.push_str(", ");
        text.push_str(&printable(&more));
    }
    if report.signatures > 0 {
        text.push_str(", signature ");
        text.push_str(signature);
    }
    text.push('\n');
    for finding in &report.findings {
        let Finding { rule, path, line, column, message } = finding;
        let path = if path.is_empty() { String::new() } else { format!("{}: ", printable(path)) };
        let severity = rule.severity().as_str();
        text.push_str(&format!("  {line}:{column} {severity}: {path}{message} [{rule}]\n"));
    }
    if report.findings_left_out > 0 {
        text.push_str(&format!("  and {} more findings\n", report.findings_left_out));
    }
    text
}

/// A text of the document on one short line, without what would steer a terminal.
fn printable(text: &str) -> String {
    const CHARS_MAX: usize = 120;
    let mut line: String = text.chars().take(CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        line.push('…');
    }
    line
}

/// What programs read of one document.
fn object(name: &str, report: &Report, signature: &str) -> Value {
    let finding = |finding: &Finding| {
        json!({
            "code": finding.rule.as_str(),
            "severity": finding.rule.severity().as_str(),
            "path": finding.path,
            "line": finding.line,
            "column": finding.column,
            "message": finding.message,
        })
    };
    json!({
        "file": name,
        "format": report.format.as_str(),
        "verdict": report.verdict.as_str(),
        "findings": report.findings.iter().map(finding).collect::<Vec<_>>(),
        "findings_left_out": report.findings_left_out,
        "languages": report.languages,
        "references": report.references,
        "identifier": report.identifier,
        "sender": report.sender,
        "sent": report.sent,
        "status": report.status,
        "msgType": report.msg_type,
        "signature": { "present": report.signatures > 0, "count": report.signatures, "state": signature },
    })
}
