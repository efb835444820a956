//! Connections: how they are accepted, how long a silent one is kept, and how they end.
//!
//! A client may be slow or hostile; what it can hold is bounded: a number of connections, the size of a request's
//! head and the time to send it, and the time in which an answer must move at all.

use std::{convert::Infallible, pin::pin, sync::Arc, time::Duration};

use axum::{Router, extract::Request};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt;

use super::{AppState, router};

/// Requests under way may take so long to end once the server is asked to stop.
const DRAIN: Duration = Duration::from_secs(10);
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
/// What the operating system says where it cannot accept connections at all.
pub async fn serve(
    listener: TcpListener,
    state: AppState,
    stop: impl Future<Output = ()> + Send,
) -> std::io::Result<()> {
    let head_time = state.config.head_time;
    let feed = Arc::clone(&state.feed);
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
        let stream = match accepted {
            Ok((stream, _)) => stream,
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
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(STALLED));
        let app = app.clone();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| answer(app.clone(), request));
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head_time)
            .max_buf_size(LONGEST_HEAD)
            .serve_connection(TokioIo::new(Box::pin(stream)), service);
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            // What goes wrong on a connection is between the client and its network.
            if let Err(error) = watched.await {
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

async fn answer(app: Router, request: Request<Incoming>) -> Result<axum::response::Response, Infallible> {
    app.oneshot(request.map(axum::body::Body::new)).await
}

/// Whether a failure to accept concerns one client and not the server.
fn is_of_one_client(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
