//! The one module that starts child processes.
//!
//! A child gets a process group of its own, so that a Ctrl-C on the terminal reaches this program alone, which then passes it on in order:
//! first `SIGINT`, and `SIGKILL` to the whole group when that did not end it.

mod undertaker;

use crate::environment::{Child, Environment};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt as _, BufReader};
use tokio_util::sync::CancellationToken;

/// How long a child may take to end after it was told to.
const GRACE: Duration = Duration::from_secs(2);
/// How long output is waited for after a child's end. All that it wrote is there to be read, but on a busy machine this program may not have had its turn.
const REST: Duration = Duration::from_secs(3);
/// Longest line that is kept whole; what is longer is cut in pieces of this length.
const LINE_LIMIT: u64 = 1024 * 1024;
/// Most of a child's output that is captured, in bytes of each stream; what comes after it is lost.
const CAPTURED: usize = 32 * 1024 * 1024;

/// A command line, as data: it can be compared and tested without being run. Shown, it has the names of its variables and nothing of their values.
#[derive(Clone, PartialEq, Eq)]
pub struct Command {
    /// Name or path of the program.
    pub program: OsString,
    /// Arguments, without the program.
    pub args: Vec<OsString>,
    /// Variables on top of this program's own environment; `None` takes one away.
    pub env: BTreeMap<OsString, Option<OsString>>,
    /// Folder to run in; this program's own when `None`.
    pub dir: Option<PathBuf>,
    /// What it reads from standard input: nothing when `None`.
    pub input: Option<String>,
}

impl Command {
    /// A command without arguments.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            dir: None,
            input: None,
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item = S>, S: Into<OsString>>(mut self, args: I) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), Some(value.into()));
        self
    }

    /// Gives it the variables of this environment that it has none for itself, and none that the environment withholds.
    #[must_use]
    pub fn within(mut self, environment: &Environment) -> Self {
        for (name, value) in environment.iter() {
            let own = self.env.entry(name.into());
            own.or_insert_with(|| Some(value.into()));
        }
        for name in environment.withheld() {
            self.env.entry(name.into()).or_insert(None);
        }
        self
    }

    /// Runs in `dir`.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Gives it this to read.
    #[must_use]
    pub fn input(mut self, input: impl Into<String>) -> Self {
        self.input = Some(input.into());
        self
    }

    /// The program's name for messages.
    #[must_use]
    pub fn name(&self) -> String {
        self.program.to_string_lossy().into_owned()
    }
}

impl std::fmt::Debug for Command {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Command")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &self.env.keys())
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// Where a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It exited with this code.
    Exited(i32),
    /// A signal that this program did not send ended it.
    Signalled(i32),
    /// It took longer than allowed, and was ended.
    TimedOut,
    /// The run was interrupted, and it was ended.
    Cancelled,
}

/// A child that could not be run at all.
#[derive(Debug, thiserror::Error)]
#[error("run `{program}`: {source}")]
pub struct SpawnError {
    /// The program.
    pub program: String,
    /// Why.
    pub source: std::io::Error,
}

/// Captured output of a child that was expected to be short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// How it ended.
    pub ended: Ended,
    /// Standard output, lossily as UTF-8.
    pub stdout: String,
    /// Standard error, lossily as UTF-8.
    pub stderr: String,
}

/// Writes what a child reads from its standard input. Runs on a thread of its own, and may block.
pub type Input = Box<dyn FnOnce(&mut dyn std::io::Write) -> std::io::Result<()> + Send>;

/// Runs a command to its end, handing over each line as it comes.
///
/// # Errors
/// The program could not be started (not found, not executable).
pub async fn run(
    command: &Command,
    timeout: Option<Duration>,
    cancel: &CancellationToken,
    on_line: impl FnMut(Stream, &str) + Send,
) -> Result<Ended, SpawnError> {
    let stdin = if command.input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    let child = spawn(command, stdin).map_err(|source| SpawnError {
        program: command.name(),
        source,
    })?;
    attend(command, child, timeout, cancel, on_line).await
}

/// Runs a command to its end, writes `input` to it, and captures what it prints. Beside that, whether all of `input` was written: a child
/// that ends early breaks it off.
///
/// # Errors
/// The program could not be started.
pub async fn feed(
    command: &Command,
    input: Input,
    timeout: Option<Duration>,
    cancel: &CancellationToken,
) -> Result<(Output, std::io::Result<()>), SpawnError> {
    let failed = |source| SpawnError {
        program: command.name(),
        source,
    };
    let mut child = spawn(command, Stdio::piped()).map_err(failed)?;
    let pipe = child.stdin.take().map(tokio::process::ChildStdin::into_owned_fd);
    let pipe = pipe.transpose().map_err(failed)?;
    let writing = tokio::task::spawn_blocking(move || {
        let Some(pipe) = pipe else { return Ok(()) };
        let mut pipe = std::io::BufWriter::with_capacity(256 * 1024, std::fs::File::from(pipe));
        input(&mut pipe)?;
        std::io::Write::flush(&mut pipe)
    });
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let ended = attend(command, child, timeout, cancel, |stream, line| {
        let text = match stream {
            Stream::Stdout => &mut stdout,
            Stream::Stderr => &mut stderr,
        };
        capture(text, line);
    })
    .await?;
    // The child has ended, and nobody reads the pipe any more: a write that still waits fails.
    let written = writing
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)));
    let output = Output {
        ended,
        stdout,
        stderr,
    };
    Ok((output, written))
}

async fn attend(
    command: &Command,
    mut child: tokio::process::Child,
    timeout: Option<Duration>,
    cancel: &CancellationToken,
    mut on_line: impl FnMut(Stream, &str) + Send,
) -> Result<Ended, SpawnError> {
    let failed = |source| SpawnError {
        program: command.name(),
        source,
    };
    let group = child.id();
    let mut guard = KillOnDrop(group);
    let _heir = undertaker::told_of(group);
    let (sender, mut lines) = tokio::sync::mpsc::channel(256);
    // They end with this function, even when a grandchild holds the pipes open.
    let mut pumps = tokio::task::JoinSet::new();
    if let Some(stdout) = child.stdout.take() {
        pumps.spawn(pump(stdout, Stream::Stdout, sender.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        pumps.spawn(pump(stderr, Stream::Stderr, sender));
    }
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), command.input.clone()) {
        // A child that ends without having read it is no failure.
        pumps.spawn(async move {
            let _ = stdin.write_all(input.as_bytes()).await;
        });
    }
    let deadline = async {
        match timeout {
            Some(timeout) => tokio::time::sleep(timeout).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(deadline);
    let mut forced = None;
    let mut kill_at = None;
    let status = loop {
        tokio::select! {
            Some((stream, line)) = lines.recv() => on_line(stream, &line),
            status = child.wait() => break status.map_err(failed)?,
            () = cancel.cancelled(), if forced.is_none() => {
                forced = Some(Ended::Cancelled);
                kill_at = Some(tokio::time::Instant::now() + GRACE);
                signal(group, rustix::process::Signal::INT);
            }
            () = &mut deadline, if forced.is_none() => {
                forced = Some(Ended::TimedOut);
                kill_at = Some(tokio::time::Instant::now() + GRACE);
                signal(group, rustix::process::Signal::TERM);
            }
            () = at(kill_at) => {
                kill_at = None;
                signal(group, rustix::process::Signal::KILL);
            }
        }
    };
    guard.0 = None;
    if forced.is_some() {
        signal(group, rustix::process::Signal::KILL);
    }
    // A grandchild that left the group may keep the pipes open for ever: what comes shortly after the end still counts.
    let rest = async {
        while let Some((stream, line)) = lines.recv().await {
            on_line(stream, &line);
        }
    };
    let patience = if forced.is_some() { REST / 6 } else { REST };
    let _ = tokio::time::timeout(patience, rest).await;
    Ok(forced.unwrap_or_else(|| ended(status)))
}

/// Runs a command to its end and captures what it prints.
///
/// # Errors
/// The program could not be started.
pub async fn output(
    command: &Command,
    timeout: Option<Duration>,
    cancel: &CancellationToken,
) -> Result<Output, SpawnError> {
    let (mut stdout, mut stderr) = (String::new(), String::new());
    let ended = run(command, timeout, cancel, |stream, line| {
        let text = match stream {
            Stream::Stdout => &mut stdout,
            Stream::Stderr => &mut stderr,
        };
        capture(text, line);
    })
    .await?;
    Ok(Output {
        ended,
        stdout,
        stderr,
    })
}

fn capture(text: &mut String, line: &str) {
    if text.len() < CAPTURED {
        text.push_str(line);
        text.push('\n');
    }
}

#[expect(clippy::disallowed_methods, reason = "the one module that spawns")]
fn spawn(command: &Command, stdin: Stdio) -> std::io::Result<tokio::process::Child> {
    let mut child = tokio::process::Command::new(&command.program);
    child
        .args(&command.args)
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    for (name, value) in &command.env {
        match value {
            Some(value) => child.env(name, value),
            None => child.env_remove(name),
        };
    }
    // Last: whatever a command was given, no child gets this.
    child.env_remove(crate::environment::PASSWORD);
    if let Some(dir) = &command.dir {
        child.current_dir(dir);
    }
    child.process_group(0).kill_on_drop(true).spawn()
}

/// Ends the whole group when the future is dropped before its child has ended: tokio would end the child alone, and `docker` is a child that
/// has its plugin as another.
struct KillOnDrop(Option<u32>);

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        signal(self.0, rustix::process::Signal::KILL);
    }
}

/// Something that is removed when this process has ended, however it ended.
///
/// It is a child that waits for the end of its standard input, which the kernel closes with this process, and then removes the path.
/// A kill of everything at once (of a container, of a machine) ends it too.
#[derive(Debug)]
pub struct Leftover(Option<std::process::Child>);

/// Sees to it that this path is removed when this process has ended. Without a shell on the machine nothing does.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one module that spawns")]
pub fn remove_at_end(path: &std::path::Path, environment: &Environment) -> Leftover {
    use std::os::unix::process::CommandExt as _;
    let mut child = std::process::Command::new("/bin/sh");
    for name in environment.for_child(Child::Local).withheld() {
        child.env_remove(name);
    }
    let child = child
        .args(["-c", "cat >/dev/null; rm -rf -- \"$1\"", "sh"])
        .arg(path)
        .env_remove(crate::environment::PASSWORD)
        .current_dir("/")
        .stdin(Stdio::piped())
        // Whoever reads this program's output waits for its end, not for this child's.
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    Leftover(child.ok())
}

impl Drop for Leftover {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

async fn at(moment: Option<tokio::time::Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

fn signal(group: Option<u32>, signal: rustix::process::Signal) {
    let group = group
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        // It may have ended already: then there is nothing to signal.
        let _ = rustix::process::kill_process_group(group, signal);
    }
}

fn ended(status: std::process::ExitStatus) -> Ended {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exited(code),
        (None, signal) => Ended::Signalled(signal.unwrap_or_default()),
    }
}

async fn pump(
    reader: impl AsyncRead + Unpin + Send,
    stream: Stream,
    sender: tokio::sync::mpsc::Sender<(Stream, String)>,
) {
    let mut reader = BufReader::new(reader);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut reader).take(LINE_LIMIT).read_until(b'\n', &mut line).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        if sender.send((stream, text)).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
