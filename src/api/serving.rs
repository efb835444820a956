//! Connections: how they are accepted, how long a silent one is kept, and how they end.
//!
//! A client may be slow or hostile; what it can hold is bounded: a number of connections, the size of a request's
//! head and the time to send it, and the time in which an answer must move at all.

use std::{convert::Infallible, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::Semaphore,
    time::timeout,
};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use super::{AppState, gate::Peer, router, tls};

/// Requests under way may take so long to end once the server is asked to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// A client has so long to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// An answer of which the client takes nothing for so long is given up.
const STALLED: Duration = Duration::from_mins(1);
/// Connections at once; further ones wait to be accepted.
const MOST_CONNECTIONS: usize = 1024;
/// The longest head of a request, bytes: a filter of 64 KiB, percent-encoded, and headers.
const LONGEST_HEAD: usize = 256 * 1024;

/// Serves until `stop` resolves; requests under way are then answered to their end, but not waited for longer than ten
/// seconds: a client that says nothing must not keep the server alive.
///
/// # Errors
/// What the operating system says where it cannot accept connections at all, and what is wrong with the certificate or key.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    stop: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let head_time = state.config.head_time;
    let feed = Arc::clone(&state.feed);
    let tls = tls::acceptor(&state.config).map_err(std::io::Error::other)?;
    let app = router(state);
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let graceful = GracefulShutdown::new();
    let mut stop = pin!(stop);
    loop {
        let place = tokio::select! {
            place = Arc::clone(&places).acquire_owned() => place.map_err(std::io::Error::other)?,
            () = &mut stop => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_client(&error) => continue,
            Err(error) => {
                // Out of file descriptors, mostly: others will end.
                tracing::error!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        // Without it an answer's last packet may wait 40 ms for an acknowledgement.
        let _ = stream.set_nodelay(true);
        let (app, watcher, tls) = (app.clone(), graceful.watcher(), tls.clone());
        tokio::spawn(async move {
            let ended = match tls {
                None => attend(stream, (app, peer), head_time, watcher).await,
                Some(tls) => match timeout(HANDSHAKE, tls.accept(stream)).await {
                    Ok(Ok(stream)) => attend(stream, (app, peer), head_time, watcher).await,
                    Ok(Err(error)) => {
                        tracing::debug!(%error, "handshake");
                        Ok(())
                    }
                    Err(_) => Ok(()),
                },
            };
            // What goes wrong on a connection is between the client and its network.
            if let Err(error) = ended {
                tracing::debug!(%error, "connection");
            }
            drop(place);
        });
    }
    drop(listener);
    // Streams have no end of their own.
    feed.end();
    tokio::select! {
        () = graceful.shutdown() => {}
        () = tokio::time::sleep(DRAIN) => {}
    }
    Ok(())
}

/// Answers the requests of one connection until it ends.
async fn attend<S: AsyncRead + AsyncWrite + Send + 'static>(
    stream: S,
    (app, peer): (Router, SocketAddr),
    head_time: Duration,
    watcher: Watcher,
) -> Result<(), hyper::Error> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALLED));
    let service = hyper::service::service_fn(move |request: Request<Incoming>| answer(app.clone(), peer, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    watcher.watch(connection).await
}

async fn answer(
    app: Router,
    peer: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<axum::response::Response, Infallible> {
    request.extensions_mut().insert(Peer(peer));
    app.oneshot(request.map(axum::body::Body::new)).await
}

/// Whether a failure to accept concerns one client and not the server.
fn is_of_one_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
