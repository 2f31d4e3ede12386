//! Live progress on a terminal: a bar per layer, with bytes and rate.

use crate::image::descriptor::Descriptor;
use crate::image::digest::Digest;
use crate::image::observe::{Event, Observer};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};

/// Shows bars on standard error, and keeps what is to be said afterwards.
pub(super) struct Progress {
    bars: MultiProgress,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    total: Option<ProgressBar>,
    layers: HashMap<(Digest, u64), ProgressBar>,
    warnings: Vec<String>,
}

impl Progress {
    /// Bars where a person watches: standard error is a terminal, nobody asked for quiet, and this is no CI job.
    pub(super) fn new(quiet: bool) -> Self {
        let watched = !quiet && std::io::stderr().is_terminal() && std::env::var_os("CI").is_none();
        let target = if watched { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Self { bars: MultiProgress::with_draw_target(target), state: Mutex::default() }
    }

    /// Takes the bars away and gives what is worth a warning, each once.
    pub(super) fn finish(&self) -> Vec<String> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(total) = state.total.take() {
            total.finish_and_clear();
        }
        state.layers.clear();
        let _ = self.bars.clear();
        let mut warnings = std::mem::take(&mut state.warnings);
        warnings.sort();
        warnings.dedup();
        warnings
    }

    /// From now on the platforms are run.
    pub(super) fn running(&self, platforms: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(total) = state.total.take() {
            total.finish_and_clear();
        }
        let noun = if platforms == 1 { "platform" } else { "platforms" };
        let spinner = self.bars.add(ProgressBar::new_spinner().with_message(format!("running {platforms} {noun}")));
        spinner.enable_steady_tick(std::time::Duration::from_millis(100));
        state.total = Some(spinner);
    }

    /// From now on this is done.
    pub(super) fn doing(&self, what: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let spinner = state.total.get_or_insert_with(|| {
            let spinner = self.bars.add(ProgressBar::new_spinner());
            spinner.enable_steady_tick(std::time::Duration::from_millis(100));
            spinner
        });
        spinner.set_message(what.to_owned());
    }

    fn bar(&self, bytes: u64, template: &str, name: String) -> ProgressBar {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.bars.add(ProgressBar::new(bytes));
        bar.set_style(style.progress_chars("=> "));
        bar.set_prefix(name);
        bar
    }
}

fn key(layer: &Descriptor) -> (Digest, u64) {
    (layer.digest.clone(), layer.size)
}

impl Observer for Progress {
    fn observe(&self, event: Event<'_>) {
        const LAYER: &str = "{prefix:20} [{bar:30}] {bytes:>11}/{total_bytes:11} {bytes_per_sec}";
        const TOTAL: &str = "{prefix:20} [{bar:30}] {bytes:>11}/{total_bytes:11} {bytes_per_sec}, {eta} left";
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Layers { count, bytes } => {
                let noun = if count == 1 { "layer" } else { "layers" };
                state.total = Some(self.bar(bytes, TOTAL, format!("{count} {noun}")));
            }
            Event::LayerStarted(layer) => {
                let bar = self.bar(layer.size, LAYER, layer.digest.short());
                state.layers.insert(key(layer), bar);
            }
            Event::LayerBytes(layer, bytes) => {
                for bar in state.layers.get(&key(layer)).into_iter().chain(&state.total) {
                    bar.inc(bytes);
                }
            }
            Event::LayerFinished(layer) => {
                if let Some(bar) = state.layers.remove(&key(layer)) {
                    bar.finish_and_clear();
                    self.bars.remove(&bar);
                }
            }
            Event::CacheUnusable(why) => state.warnings.push(why.to_owned()),
        }
    }
}
