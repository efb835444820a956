//! Answers that are made while they are sent: a blocking thread writes, a bounded channel carries chunks, the body
//! hands them on.
//!
//! Invariants: no more than [`CHUNKS_AHEAD`] chunks and one wait for a slow client. An answer that is not complete
//! never looks so: the body ends in an error, upon which the connection is cut. When the body is dropped, because
//! the client has hung up or has all, the work is asked to stop. An answer begins only when its first chunk is
//! there, so what goes wrong before is an ordinary problem document.

use std::{
    io::{self, Read as _, Write},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::body::{Body, Bytes};
use http_body::{Frame, SizeHint};
use tokio::{
    runtime::Handle,
    sync::{
        OwnedSemaphorePermit, Semaphore,
        mpsc::{Receiver, Sender, channel},
    },
};

use crate::planner::{Export, PlannerError, Stop};

/// Bytes of a chunk.
const CHUNK: usize = 64 << 10;
/// Chunks that wait for the client.
const CHUNKS_AHEAD: usize = 4;

/// Room for a bounded number of works at a time.
#[derive(Debug, Clone)]
pub(super) struct Slots {
    free: Arc<Semaphore>,
    most: usize,
}

/// The room that one work takes until it is dropped.
pub(super) type Slot = OwnedSemaphorePermit;

impl Slots {
    pub(super) fn new(most: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), most }
    }

    /// Room for one more, if there is.
    pub(super) fn take(&self) -> Option<Slot> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// How many are at work.
    pub(super) fn taken(&self) -> usize {
        self.most - self.free.available_permits()
    }
}

/// What is known when the first byte is there.
#[derive(Debug)]
pub(super) struct Beginning {
    /// What the format does not hold, as far as it is known.
    pub(super) losses: Vec<String>,
    /// The length in bytes, where it is known.
    length: Option<u64>,
}

/// What the thread says to the body.
#[derive(Debug)]
enum Message {
    Begin(Beginning),
    Chunk(Bytes),
    /// All is sent.
    End,
    Failed(PlannerError),
}

/// Starts to write an export beside the caller and waits for its first chunk.
///
/// # Errors
/// What went wrong before it; `None` where the thread has died.
pub(super) async fn begin(
    export: Export,
    slot: Slot,
    patience: Duration,
) -> Result<(Beginning, Body), Option<PlannerError>> {
    let (to_body, messages) = channel(CHUNKS_AHEAD);
    let mut body = Sending { messages, stop: export.stop(), left: None, is_over: false };
    let line = Line { to_body, runtime: Handle::current(), patience, stop: export.stop() };
    tokio::task::spawn_blocking(move || {
        // Given back when everything that the work held is gone.
        let _slot = slot;
        work(export, &line);
    });
    match body.messages.recv().await {
        Some(Message::Begin(beginning)) => {
            body.left = beginning.length;
            Ok((beginning, Body::new(body)))
        }
        Some(Message::Failed(error)) => Err(Some(error)),
        _ => Err(None),
    }
}

/// The way of an answer that is made as things happen: it ends well whenever its maker lets go of it.
pub(super) struct LiveLine {
    to_body: Sender<Message>,
    patience: Duration,
}

/// A line and the body that it ends in.
pub(super) fn line(patience: Duration) -> (LiveLine, Body) {
    let (to_body, messages) = channel(CHUNKS_AHEAD);
    let body = Live(messages);
    (LiveLine { to_body, patience }, Body::new(body))
}

impl LiveLine {
    /// Says something as soon as there is room; gives up on a client that takes nothing.
    pub(super) async fn say(&self, chunk: Bytes) -> io::Result<()> {
        let said = self.to_body.send_timeout(Message::Chunk(chunk), self.patience).await;
        said.map_err(|_| io::Error::other("nobody takes the answer any more"))
    }

    /// Resolves when the client has gone.
    pub(super) async fn gone(&self) {
        self.to_body.closed().await;
    }
}

/// The body of a line.
struct Live(Receiver<Message>);

impl http_body::Body for Live {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        self.0.poll_recv(context).map(|message| match message {
            Some(Message::Chunk(chunk)) => Some(Ok(Frame::data(chunk))),
            _ => None,
        })
    }
}

/// A body for headers that are asked for alone.
pub(super) fn no_body() -> Body {
    let (_, messages) = channel(1);
    Body::new(Sending { messages, stop: Stop::default(), left: None, is_over: true })
}

fn work(export: Export, line: &Line) {
    let start = Instant::now();
    let (name, format) = (export.file_name(), export.format().name);
    let outcome = write(&export, line);
    drop(export);
    let duration_ms = start.elapsed().as_secs_f64() * 1000.0;
    match outcome {
        Ok(features) => {
            tracing::debug!(name, format, features, duration_ms, "export");
            // A client that knows the length may have gone already.
            let _ = line.say(Message::End);
        }
        Err(PlannerError::Stopped) => tracing::info!(name, format, duration_ms, "export given up by its client"),
        Err(error) => {
            tracing::info!(name, format, duration_ms, inside = %error, "export failed");
            let _ = line.say(Message::Failed(error));
        }
    }
}

/// Writes the export to the line and tells how many features it has.
fn write(export: &Export, line: &Line) -> Result<u64, PlannerError> {
    export.check()?;
    if let Some(losses) = export.losses_foreseen() {
        let beginning = Beginning { losses, length: None };
        let mut out = Chunks { line, filled: Vec::with_capacity(CHUNK), beginning: Some(beginning) };
        let written = export.stream(&mut out)?;
        out.send().map_err(|_| PlannerError::Stopped)?;
        return Ok(written.features);
    }
    let (mut passing, written) = export.to_passing_file()?;
    let gone = |_| PlannerError::Stopped;
    line.say(Message::Begin(Beginning { losses: written.losses, length: Some(passing.length) })).map_err(gone)?;
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        (&mut passing.file).take(CHUNK as u64).read_to_end(&mut chunk).map_err(|source| {
            let path = "the temporary file of an export".to_owned();
            PlannerError::Format(crate::planner::FormatError::Io { path, source })
        })?;
        if chunk.is_empty() {
            return Ok(written.features);
        }
        line.say(Message::Chunk(chunk.into())).map_err(gone)?;
    }
}

/// The way from the thread to the body.
struct Line {
    to_body: Sender<Message>,
    runtime: Handle,
    patience: Duration,
    stop: Stop,
}

impl Line {
    /// Says something, as soon as the client has taken what was said before; gives up on a client that takes nothing.
    fn say(&self, message: Message) -> io::Result<()> {
        let said = self.runtime.block_on(self.to_body.send_timeout(message, self.patience));
        said.map_err(|_| {
            self.stop.ask();
            io::Error::other("nobody takes the answer any more")
        })
    }
}

/// Gathers what is written into chunks; the first makes the answer begin.
struct Chunks<'l> {
    line: &'l Line,
    filled: Vec<u8>,
    beginning: Option<Beginning>,
}

impl Chunks<'_> {
    fn send(&mut self) -> io::Result<()> {
        if let Some(beginning) = self.beginning.take() {
            self.line.say(Message::Begin(beginning))?;
        }
        if self.filled.is_empty() {
            return Ok(());
        }
        let filled = std::mem::replace(&mut self.filled, Vec::with_capacity(CHUNK));
        self.line.say(Message::Chunk(filled.into()))
    }
}

impl Write for Chunks<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let fitting = bytes.len().min(CHUNK - self.filled.len());
        self.filled.extend_from_slice(&bytes[..fitting]);
        if self.filled.len() == CHUNK {
            self.send()?;
        }
        Ok(fitting)
    }

    /// Chunks are sent when they are full; the last one by [`Chunks::send`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The body: what the thread says, in order.
struct Sending {
    messages: Receiver<Message>,
    stop: Stop,
    left: Option<u64>,
    /// Compression asks once more after the end; the answer is the end again.
    is_over: bool,
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.stop.ask();
    }
}

/// The answer is not complete; why stands in the log.
#[derive(Debug, thiserror::Error)]
#[error("the export broke off")]
struct BrokenOff;

impl http_body::Body for Sending {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let Poll::Ready(message) = self.messages.poll_recv(context) else { return Poll::Pending };
        if let Some(Message::Chunk(chunk)) = message {
            self.left = self.left.map(|left| left.saturating_sub(chunk.len() as u64));
            return Poll::Ready(Some(Ok(Frame::data(chunk))));
        }
        self.is_over = true;
        // A thread that is gone without a word has not finished.
        let is_complete = matches!(message, Some(Message::End));
        Poll::Ready(if is_complete { None } else { Some(Err(BrokenOff)) })
    }

    fn is_end_stream(&self) -> bool {
        self.is_over
    }

    fn size_hint(&self) -> SizeHint {
        self.left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
