//! The log: its format, its level, and what may not enter it. Writes to standard error only.

use std::io::IsTerminal;

use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{Log, LogFormat};

/// Sets up the log of the process, once, and the panic hook.
///
/// The level of the configuration is the level of our own code; libraries speak from `warn` on. `rust_log` (the value
/// of the environment variable `RUST_LOG`, in its usual syntax) takes the place of both, but no library gets below
/// `info`: at `debug` and `trace` some of them print what they carry, and what a node carries is personal data.
///
/// # Errors
/// When `rust_log` cannot be understood, or when a log was set up before.
pub fn init(log: &Log, rust_log: Option<&str>) -> anyhow::Result<()> {
    // Targets are matched by their beginning, so this names every crate of ours.
    let default = format!("warn,passerelle={}", log.level);
    let filter = EnvFilter::builder()
        .parse(rust_log.unwrap_or(&default))
        .map_err(|fault| anyhow::anyhow!("RUST_LOG cannot be understood ({fault}); write for example RUST_LOG=info"))?;
    let format =
        tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let format = match log.format {
        LogFormat::Human => format.boxed(),
        LogFormat::Json => format.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(filter).with(format.with_filter(filter_fn(may_speak))).try_init()?;
    std::panic::set_hook(Box::new(report_panic));
    Ok(())
}

/// Our own code may log at any level, libraries from `info` on.
fn may_speak(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("passerelle") || *metadata.level() <= Level::INFO
}

/// Where it happened, and nothing else: the message of a panic often quotes the value that caused it.
fn report_panic(info: &std::panic::PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    match info.location() {
        Some(place) => tracing::error!(file = place.file(), line = place.line(), thread, "panic"),
        None => tracing::error!(thread, "panic at an unknown place"),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, sync::Arc};

    use parking_lot::Mutex;

    use super::*;

    /// What was written, for a subscriber of one test.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(run: impl FnOnce()) -> String {
        let written = Written::default();
        let writer = written.clone();
        let layer = tracing_subscriber::fmt::layer().with_writer(move || writer.clone()).with_ansi(false);
        let subscriber = tracing_subscriber::registry().with(layer.with_filter(filter_fn(may_speak)));
        tracing::subscriber::with_default(subscriber, run);
        let bytes = written.0.lock().clone();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    #[test]
    fn a_library_is_not_heard_below_info() {
        let text = logged(|| {
            tracing::trace!(target: "h2::codec", "frame with Aminata in it");
            tracing::debug!(target: "hyper", "header with Aminata in it");
            tracing::info!(target: "rustls", "handshake");
            tracing::trace!(target: "passerelle_node::link", "own");
        });
        assert!(!text.contains("Aminata"), "{text}");
        assert!(text.contains("handshake") && text.contains("own"), "{text}");
    }

    #[test]
    fn a_panic_is_logged_by_place_without_its_message() {
        // The hook belongs to the whole process, so the former one is put back.
        let former = std::panic::take_hook();
        std::panic::set_hook(Box::new(report_panic));
        let text = logged(|| {
            let caught = std::panic::catch_unwind(|| panic!("the phone of Aminata is 77 123 45 67"));
            assert!(caught.is_err());
        });
        std::panic::set_hook(former);
        assert!(text.contains("telemetry.rs") && text.contains("panic"), "{text}");
        assert!(!text.contains("Aminata"), "{text}");
    }
}
