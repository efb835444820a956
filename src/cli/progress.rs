//! A progress bar on a terminal for what takes longer than a second; nothing in a pipe.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::planner::Progress;

/// Shows how far a long piece of work has come.
pub(super) struct Bar {
    bar: ProgressBar,
    start: Instant,
}

impl Bar {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {human_pos} {per_sec}") {
            bar.set_style(style);
        }
        Self { bar, start: Instant::now() }
    }

    /// Tells the bar of progress; it appears once the work has taken a second.
    pub(super) fn tell(&self, progress: &Progress) {
        if self.bar.is_hidden() {
            if self.start.elapsed() < Duration::from_secs(1) {
                return;
            }
            // Draws only where standard error is a terminal.
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_message(progress.stage);
        self.bar.set_position(progress.done);
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
