//! What a build has done so far, from the lines that buildx prints. Keeps no time: whoever feeds it does.

use super::Redactor;
use super::rawjson::{self, SolveStatus};
use super::vertex_kind::VertexKind;
use crate::domain::Digest;
use crate::failure::Place;
use indexmap::IndexMap;
use std::collections::{HashMap, VecDeque};

/// Lines kept of each vertex' log, and of what is no JSON.
const TAIL: usize = 40;
/// Bytes of a line that has not ended yet.
const PARTIAL_LIMIT: usize = 64 * 1024;

/// Something to be told of a running build. Texts hold no secrets and no control characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuildUpdate<'a> {
    /// How far it has come.
    Stage {
        /// The name of the vertex that runs.
        stage: &'a str,
        /// Steps of the Dockerfile that came from the cache.
        cached: u32,
        /// Steps of the Dockerfile that ran.
        run: u32,
    },
    /// A line of output of a `RUN`.
    Line(&'a str),
    /// Something is odd, but no error.
    Warning(&'a str),
}

/// A step of the Dockerfile that ended well.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRun {
    /// `[stage 2/3] RUN npm ci`, redacted.
    pub name: String,
    /// Whether it came from the cache.
    pub cached: bool,
    /// How long it took, in seconds.
    pub seconds: f64,
}

/// One vertex.
#[derive(Debug, Clone)]
pub(super) struct Vertex {
    /// Its name, redacted.
    pub(super) name: String,
    pub(super) kind: VertexKind,
    /// Its error, redacted.
    pub(super) error: Option<String>,
    /// The end of its log, redacted.
    pub(super) tail: VecDeque<String>,
    started: Option<jiff::Timestamp>,
    completed: Option<jiff::Timestamp>,
    cached: bool,
    /// What it does at the moment: the last status that has not completed.
    doing: Option<String>,
    /// Counts up with each start: the highest one is what runs now.
    order: u64,
    partial: HashMap<u64, Vec<u8>>,
}

impl Vertex {
    /// Where a failure of it came up.
    pub(super) fn place(&self) -> Place {
        match self.kind {
            VertexKind::ImageExport if self.name.starts_with("exporting to oci image format") => {
                Place::Layout
            }
            VertexKind::ImageExport => Place::Push,
            VertexKind::Metadata | VertexKind::From => Place::Base,
            VertexKind::Copy => Place::Copy,
            VertexKind::Run => Place::Run,
            VertexKind::CacheExport => Place::CacheExport,
            VertexKind::CacheImport | VertexKind::OtherStep | VertexKind::Internal => Place::Step,
        }
    }
}

/// What a stall would mean now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Steps run, or the image is written locally: silence means nothing.
    Building,
    /// Layers are pushed. `BuildKit` is silent while it pushes one.
    PushingLayers,
    /// The manifest is pushed: a few hundred bytes.
    PushingManifest,
    /// The image is pushed; the cache export, or buildx' own end, is all that is left.
    Pushed,
}

/// The state of a build.
#[derive(Debug, Default)]
pub(super) struct Progress {
    redactor: Redactor,
    /// By their digests, in the order in which they came.
    vertices: IndexMap<String, Vertex>,
    manifest: Option<Digest>,
    wrapper: Option<Digest>,
    manifest_pushed: bool,
    warnings: Vec<String>,
    text: VecDeque<String>,
    shown: Option<(String, u32, u32)>,
    starts: u64,
    activity: u64,
}

impl Progress {
    /// Nothing has happened yet.
    pub(super) fn new(redactor: Redactor) -> Self {
        Self {
            redactor,
            ..Self::default()
        }
    }

    /// Takes one line and tells what is new.
    pub(super) fn feed(&mut self, line: &str, tell: &mut dyn FnMut(BuildUpdate<'_>)) {
        let Some(status) = rawjson::parse(line) else {
            let line = self.redactor.line(line);
            if !line.trim().is_empty() {
                push(&mut self.text, line);
            }
            return;
        };
        self.apply(status, tell);
        let (cached, run) = self.counts();
        let stage = self.stage().unwrap_or_default();
        let now = (stage, cached, run);
        if self.shown.as_ref() != Some(&now) && !now.0.is_empty() {
            tell(BuildUpdate::Stage {
                stage: &now.0,
                cached,
                run,
            });
            self.shown = Some(now);
        }
    }

    fn apply(&mut self, status: SolveStatus, tell: &mut dyn FnMut(BuildUpdate<'_>)) {
        for update in status.vertices {
            self.vertex(update, tell);
        }
        for update in status.statuses {
            self.status(&update);
        }
        for update in status.logs {
            self.log(&update, tell);
        }
        for update in status.warnings {
            self.warn(&update.short, tell);
        }
    }

    fn vertex(&mut self, update: rawjson::VertexUpdate, tell: &mut dyn FnMut(BuildUpdate<'_>)) {
        let vertex = self.vertices.entry(update.digest).or_insert_with(|| Vertex {
            kind: VertexKind::of(&update.name),
            name: self.redactor.line(&update.name),
            error: None,
            tail: VecDeque::new(),
            started: None,
            completed: None,
            cached: false,
            doing: None,
            order: 0,
            partial: HashMap::new(),
        });
        if update.started.is_some() && update.started != vertex.started {
            self.starts += 1;
            vertex.order = self.starts;
        }
        vertex.started = update.started;
        vertex.completed = update.completed;
        vertex.cached |= update.cached;
        vertex.error = update.error.map(|error| self.redactor.line(&error));
        if matches!(vertex.kind, VertexKind::ImageExport | VertexKind::CacheExport) {
            self.activity += 1;
        }
        if let Some(error) = vertex.error.clone() {
            let name = vertex.name.clone();
            match vertex.kind {
                VertexKind::CacheExport => self.warn(&format!("{name} failed: {error}"), tell),
                // There is none yet on the first build.
                VertexKind::CacheImport if !error.ends_with("not found") => {
                    self.warn(&format!("{name} failed: {error}"), tell);
                }
                _ => {}
            }
        }
    }

    fn status(&mut self, update: &rawjson::StatusUpdate) {
        let Some(vertex) = self.vertices.get_mut(&update.vertex) else {
            return;
        };
        if update.completed {
            if vertex.doing.as_ref() == Some(&update.id) {
                vertex.doing = None;
            }
        } else {
            vertex.doing = Some(update.id.clone());
        }
        if matches!(vertex.kind, VertexKind::ImageExport | VertexKind::CacheExport) {
            self.activity += 1;
        }
        if vertex.kind != VertexKind::ImageExport {
            return;
        }
        let digest = |prefix: &str| update.id.strip_prefix(prefix).and_then(|text| text.parse().ok());
        if let Some(digest) = digest("exporting manifest list ") {
            self.wrapper = Some(digest);
        } else if let Some(digest) = digest("exporting manifest ") {
            self.manifest = Some(digest);
        } else if update.id.starts_with("pushing manifest for ") {
            self.wrapper = update
                .id
                .rsplit_once('@')
                .and_then(|(_, digest)| digest.parse().ok())
                .or(self.wrapper);
            self.manifest_pushed |= update.completed;
        }
    }

    fn log(&mut self, update: &rawjson::LogUpdate, tell: &mut dyn FnMut(BuildUpdate<'_>)) {
        let Some(vertex) = self.vertices.get_mut(&update.vertex) else {
            return;
        };
        let partial = vertex.partial.entry(update.stream).or_default();
        partial.extend_from_slice(&update.data);
        while let Some(end) = partial
            .iter()
            .position(|&byte| byte == b'\n')
            .or_else(|| (partial.len() > PARTIAL_LIMIT).then_some(PARTIAL_LIMIT))
        {
            let line: Vec<u8> = partial.drain(..=end).collect();
            let line = self.redactor.line(&String::from_utf8_lossy(&line));
            tell(BuildUpdate::Line(&line));
            push(&mut vertex.tail, line);
        }
    }

    fn warn(&mut self, text: &str, tell: &mut dyn FnMut(BuildUpdate<'_>)) {
        let text = self.redactor.line(text);
        if !text.is_empty() && !self.warnings.contains(&text) {
            tell(BuildUpdate::Warning(&text));
            self.warnings.push(text);
        }
    }

    /// Steps of the Dockerfile: how many came from the cache, how many ran.
    pub(super) fn counts(&self) -> (u32, u32) {
        let (mut cached, mut run) = (0, 0);
        for vertex in self.vertices.values().filter(|vertex| vertex.kind.is_step()) {
            if vertex.cached {
                cached += 1;
            } else if vertex.completed.is_some() && vertex.error.is_none() {
                run += 1;
            }
        }
        (cached, run)
    }

    /// The name of the vertex that started last and still runs, with what it does; a step or an export before anything internal.
    pub(super) fn stage(&self) -> Option<String> {
        let running = |vertex: &&Vertex| vertex.started.is_some() && vertex.completed.is_none();
        let rank = |vertex: &&Vertex| {
            let shown = vertex.kind.is_step()
                || matches!(vertex.kind, VertexKind::ImageExport | VertexKind::CacheExport);
            (shown, vertex.order)
        };
        let vertex = self.vertices.values().filter(running).max_by_key(rank)?;
        match (&vertex.doing, vertex.kind) {
            (Some(doing), VertexKind::ImageExport) if doing.starts_with("pushing") => {
                Some(self.redactor.line(doing))
            }
            _ => Some(vertex.name.clone()),
        }
    }

    /// The last stage that was told: what a build was at when it was ended.
    pub(super) fn last_stage(&self) -> Option<&str> {
        self.shown.as_ref().map(|(stage, ..)| stage.as_str())
    }

    /// The steps of the Dockerfile that ended well.
    pub(super) fn steps(&self) -> Vec<StepRun> {
        self.vertices
            .values()
            .filter(|vertex| vertex.kind.is_step() && vertex.error.is_none())
            .filter_map(|vertex| {
                let took = vertex.completed?.duration_since(vertex.started?);
                Some(StepRun {
                    name: vertex.name.clone(),
                    cached: vertex.cached,
                    seconds: took.as_secs_f64().max(0.0),
                })
            })
            .collect()
    }

    /// Whether the registry has taken the manifest.
    pub(super) fn pushed(&self) -> bool {
        let exports = || {
            self.vertices
                .values()
                .filter(|vertex| vertex.kind == VertexKind::ImageExport)
        };
        self.manifest_pushed
            && exports().count() > 0
            && exports().all(|vertex| vertex.completed.is_some() && vertex.error.is_none())
    }

    /// What a stall would mean now.
    pub(super) fn phase(&self) -> Phase {
        if self.pushed() {
            return Phase::Pushed;
        }
        let running = self.vertices.values().find(|vertex| {
            vertex.kind == VertexKind::ImageExport && vertex.started.is_some() && vertex.completed.is_none()
        });
        match running {
            Some(vertex) => match vertex.doing.as_deref() {
                Some(doing) if doing.starts_with("pushing manifest") => Phase::PushingManifest,
                Some(doing) if doing.starts_with("pushing") => Phase::PushingLayers,
                // Between two statuses, or on the classic store, where the vertex itself is the push.
                None if vertex.name.starts_with("pushing ") => Phase::PushingLayers,
                _ => Phase::Building,
            },
            None => Phase::Building,
        }
    }

    /// Counts up with each update of an export: as long as it stands still, so does the push.
    pub(super) fn activity(&self) -> u64 {
        self.activity
    }

    /// The digest of what was pushed: the wrapper index, or the image manifest when there is none.
    pub(super) fn wrapper(&self) -> Option<Digest> {
        self.wrapper.or(self.manifest)
    }

    /// The digest of the image manifest, where the engine told it.
    pub(super) fn manifest(&self) -> Option<Digest> {
        self.manifest
    }

    /// Vertices that failed, in the order in which they came. Failures of the cache are warnings and not among them.
    pub(super) fn failed(&self) -> impl Iterator<Item = &Vertex> {
        self.vertices.values().filter(|vertex| {
            vertex.error.is_some()
                && !matches!(vertex.kind, VertexKind::CacheExport | VertexKind::CacheImport)
        })
    }

    /// What is odd, but no error.
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The last lines that were no JSON: buildx' own words.
    pub(super) fn text(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.text.iter().map(String::as_str)
    }
}

fn push(tail: &mut VecDeque<String>, line: String) {
    if tail.len() == TAIL {
        tail.pop_front();
    }
    tail.push_back(line);
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn feed(progress: &mut Progress, lines: &[&str]) -> Vec<String> {
        let mut told = Vec::new();
        for line in lines {
            progress.feed(line, &mut |update| told.push(format!("{update:?}")));
        }
        told
    }

    #[test]
    fn counts_stage_and_lines() {
        let mut progress = Progress::new(Redactor::new(["hunter22".to_owned()]));
        let told = feed(
            &mut progress,
            &[
                r#"{"vertexes":[{"digest":"i","name":"[internal] load build context","started":"2026-01-01T00:00:00Z"}]}"#,
                r#"{"vertexes":[{"digest":"c","name":"[1/2] COPY a b","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:00Z","cached":true}]}"#,
                r#"{"vertexes":[{"digest":"r","name":"[2/2] RUN login hunter22","started":"2026-01-01T00:00:00Z"}]}"#,
                r#"{"logs":[{"vertex":"r","stream":1,"data":"aHVudA=="}]}"#,
                r#"{"logs":[{"vertex":"r","stream":1,"data":"ZXIyMgo="}]}"#,
                r#"{"vertexes":[{"digest":"r","name":"[2/2] RUN login hunter22","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:02Z"}]}"#,
            ],
        );
        assert!(!format!("{told:?}").contains("hunter22"), "{told:?}");
        assert!(told.contains(&r#"Line("***")"#.to_owned()), "{told:?}");
        assert!(
            told.contains(&r#"Stage { stage: "[2/2] RUN login ***", cached: 1, run: 0 }"#.to_owned()),
            "{told:?}"
        );
        assert_eq!(progress.counts(), (1, 1));
        let steps = progress.steps();
        assert!((steps[1].seconds - 2.0).abs() < 1e-9);
    }

    #[test]
    fn a_push_and_its_phases() {
        let mut progress = Progress::new(Redactor::default());
        feed(
            &mut progress,
            &[
                r#"{"vertexes":[{"digest":"e","name":"exporting to image","started":"2026-01-01T00:00:00Z"}]}"#,
            ],
        );
        assert_eq!(progress.phase(), Phase::Building);
        let status = |id: &str, done: bool| {
            let done = if done {
                r#","completed":"2026-01-01T00:00:00Z""#
            } else {
                ""
            };
            format!(r#"{{"statuses":[{{"id":"{id}","vertex":"e"{done}}}]}}"#)
        };
        feed(
            &mut progress,
            &[&status(&format!("exporting manifest {A}"), true)],
        );
        assert_eq!(progress.wrapper().unwrap().to_string(), A);
        feed(&mut progress, &[&status("pushing layers", false)]);
        assert_eq!(progress.phase(), Phase::PushingLayers);
        assert_eq!(progress.stage().unwrap(), "pushing layers");
        let manifest = format!("pushing manifest for r/x:s@{A}");
        feed(
            &mut progress,
            &[&status("pushing layers", true), &status(&manifest, false)],
        );
        assert_eq!(progress.phase(), Phase::PushingManifest);
        assert!(!progress.pushed());
        let before = progress.activity();
        feed(
            &mut progress,
            &[
                &status(&manifest, true),
                r#"{"vertexes":[{"digest":"e","name":"exporting to image","started":"2026-01-01T00:00:00Z","completed":"2026-01-01T00:00:01Z"}]}"#,
            ],
        );
        assert!(progress.pushed() && progress.phase() == Phase::Pushed);
        assert!(progress.activity() > before);
    }

    #[test]
    fn cache_failures_are_warnings() {
        let mut progress = Progress::new(Redactor::default());
        let told = feed(
            &mut progress,
            &[
                r#"{"vertexes":[{"digest":"m","name":"importing cache manifest from r/x:c","error":"r/x:c: not found"}]}"#,
                r#"{"vertexes":[{"digest":"x","name":"exporting cache to registry","error":"400 Bad Request"}]}"#,
            ],
        );
        assert_eq!(
            told,
            [r#"Warning("exporting cache to registry failed: 400 Bad Request")"#]
        );
        assert_eq!(progress.failed().count(), 0);
    }
}
