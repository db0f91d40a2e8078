//! The servers of the interface: at the Unix socket, and over TLS for those who have an operator certificate.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::{Stream, stream};
use passerelle_domain::limits::OPERATOR_MESSAGE_BYTES_MAX;
use passerelle_proto::{
    DESCRIPTOR_SET,
    v1::{
        alert_service_server::AlertServiceServer, audit_service_server::AuditServiceServer,
        consent_service_server::ConsentServiceServer, handover_service_server::HandoverServiceServer,
        peer_service_server::PeerServiceServer, retention_service_server::RetentionServiceServer,
        safeguard_service_server::SafeguardServiceServer, status_service_server::StatusServiceServer,
        subject_service_server::SubjectServiceServer, watch_service_server::WatchServiceServer,
    },
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{UnixListener, UnixStream},
};
use tokio_util::sync::CancellationToken;
use tonic::{
    server::NamedService,
    transport::server::{Connected, Server},
};

use super::Operator;
use crate::trust::{Conn, OperatorInfo};

/// Requests under way on one connection.
const REQUESTS_MAX: usize = 64;
/// How long an end waits for answers that are being given.
const END_WITHIN: Duration = Duration::from_secs(1);
/// Pause after the system refused a connection, most often for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// An idle remote operator is asked whether it is there this often.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// The services beside our own, by the names that reflection lists.
const ALWAYS_SERVED: [&str; 3] =
    ["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"];

/// A Unix socket to listen on; its file is removed when this is dropped.
#[derive(Debug)]
pub struct Listening {
    listener: UnixListener,
    _file: SocketFile,
}

#[derive(Debug)]
struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // A file that stays is found stale at the next start.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes the operators' socket with the permissions `mode`. The file that an earlier life left is removed, if nobody
/// listens on it. To be called within a Tokio runtime.
///
/// # Errors
/// `AddrInUse` when somebody listens there, or something else than a socket has the name; what the system says.
pub fn bind(path: &Path, mode: u32) -> io::Result<Listening> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.file_type().is_socket() => match std::os::unix::net::UnixStream::connect(path) {
            Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "another node listens on this socket")),
            Err(_) => fs::remove_file(path)?,
        },
        Ok(_) => return Err(io::Error::new(io::ErrorKind::AddrInUse, "the path is no socket")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    let file = SocketFile(path.to_owned());
    // Whoever slipped in before this is known by their user all the same.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    listener.set_nonblocking(true)?;
    Ok(Listening { listener: UnixListener::from_std(listener)?, _file: file })
}

/// Serves operators at the Unix socket until `end`.
///
/// # Errors
/// What makes the server end before that.
pub async fn serve_unix(operator: Operator, listening: Listening, end: CancellationToken) -> Result<(), ServeError> {
    let Listening { listener, _file } = listening;
    serve(operator, connections(listener), end).await
}

/// Serves operators with a certificate until `end`; `incoming` is that of [`crate::trust::operator_incoming`].
///
/// # Errors
/// What makes the server end before that.
pub async fn serve_tcp<S>(
    operator: Operator,
    incoming: impl Stream<Item = io::Result<Conn<S, OperatorInfo>>> + Send + 'static,
    end: CancellationToken,
) -> Result<(), ServeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    serve(operator, incoming, end).await
}

/// Why a server could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The transport failed.
    #[error("the operator interface failed: {0}")]
    Transport(#[from] tonic::transport::Error),
    /// The descriptors that are compiled in do not fit together.
    #[error("the operator interface cannot describe itself: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// The connections to a socket. An error of one does not end the others.
fn connections(listener: UnixListener) -> impl Stream<Item = io::Result<UnixStream>> + Send {
    stream::unfold(listener, async |listener| {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => return Some((Ok(stream), listener)),
                Err(error) => {
                    tracing::warn!(%error, "the operator socket could not take a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    })
}

async fn serve<Io>(
    operator: Operator,
    incoming: impl Stream<Item = io::Result<Io>> + Send + 'static,
    end: CancellationToken,
) -> Result<(), ServeError>
where
    Io: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    Io::ConnectInfo: Clone + Send + Sync + 'static,
{
    macro_rules! limited {
        ($server:ident) => {
            $server::new(operator.clone())
                .max_decoding_message_size(OPERATOR_MESSAGE_BYTES_MAX)
                .max_encoding_message_size(OPERATOR_MESSAGE_BYTES_MAX)
        };
    }
    let (health, health_service) = tonic_health::server::health_reporter();
    // Not all that the descriptors hold is served here: the link has its own port.
    let mut served = ALWAYS_SERVED.to_vec();
    macro_rules! serving {
        ($($server:ident),+) => {$(
            health.set_serving::<$server<Operator>>().await;
            served.push(<$server<Operator> as NamedService>::NAME);
        )+};
    }
    serving!(AlertServiceServer, AuditServiceServer, ConsentServiceServer, HandoverServiceServer);
    serving!(
        PeerServiceServer,
        RetentionServiceServer,
        SafeguardServiceServer,
        StatusServiceServer,
        SubjectServiceServer,
        WatchServiceServer
    );
    let described = || {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
        served.iter().fold(builder, |builder, name| builder.with_service_name(*name))
    };
    let server = Server::builder()
        .concurrency_limit_per_connection(REQUESTS_MAX)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .add_service(health_service)
        .add_service(described().build_v1()?)
        .add_service(described().build_v1alpha()?)
        .add_service(limited!(AlertServiceServer))
        .add_service(limited!(AuditServiceServer))
        .add_service(limited!(ConsentServiceServer))
        .add_service(limited!(HandoverServiceServer))
        .add_service(limited!(PeerServiceServer))
        .add_service(limited!(SafeguardServiceServer))
        .add_service(limited!(RetentionServiceServer))
        .add_service(limited!(StatusServiceServer))
        .add_service(limited!(SubjectServiceServer))
        .add_service(limited!(WatchServiceServer))
        .serve_with_incoming_shutdown(incoming, end.clone().cancelled_owned());
    let overdue = async {
        end.cancelled().await;
        // Streams end with the spawner's token; a client that holds its connection open must not hold the node.
        tokio::time::sleep(END_WITHIN).await;
    };
    tokio::select! {
        biased;
        outcome = server => Ok(outcome?),
        () = overdue => Ok(()),
    }
}
