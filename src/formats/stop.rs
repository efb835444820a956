//! Stopping a writer from outside: a flag that whoever waits for the file sets, and a file that asks it.
//!
//! Features are asked for one after the other, and [`super::Target::until_stopped`] ends them when the flag is
//! set; what writers do after the last feature (sort, copy, pack) goes through [`Watched`], which fails then. So a
//! writer may believe that it has finished: whoever set the flag takes nothing that it says for an answer.

use std::{
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

/// Whether the work is still wanted. Clones share one flag.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Says that nobody wants the work any more.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody has said so.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A writer that fails once it is asked to stop.
#[derive(Debug)]
pub struct Watched<W> {
    out: W,
    stop: Stop,
}

impl<W> Watched<W> {
    /// Watches over a writer.
    pub const fn new(out: W, stop: Stop) -> Self {
        Self { out, stop }
    }

    /// The writer.
    pub const fn get_ref(&self) -> &W {
        &self.out
    }

    /// The writer, unwatched.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn allowed(&self) -> io::Result<()> {
        // Not `Interrupted`, upon which writers try again.
        if self.stop.is_asked() { Err(io::Error::other("nobody wants the file any more")) } else { Ok(()) }
    }
}

impl<W: Write> Write for Watched<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.allowed()?;
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.allowed()?;
        self.out.flush()
    }
}

impl<W: io::Seek> io::Seek for Watched<W> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        self.out.seek(to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watched_writer_takes_nothing_once_it_is_asked_to_stop() {
        let stop = Stop::default();
        let mut out = Watched::new(Vec::new(), stop.clone());
        out.write_all(b"before").unwrap();
        stop.ask();
        assert!(out.write_all(b"after").is_err() && out.flush().is_err());
        assert_eq!(out.into_inner(), b"before");
    }
}
