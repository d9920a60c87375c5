//! Ends the children of this process when it could not do so itself: when it was killed, or had no time left.
//!
//! That is one more child, a shell that is told of each group of processes that begins and ends. It waits for the end of its standard input, which the
//! kernel closes with this process however that ends, and then kills what is left. (What the kernel has for this, `PR_SET_PDEATHSIG`, reaches one process
//! and not those that it started, and is bound to the thread that started it.)

use std::io::Write as _;
use std::process::{ChildStdin, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Reads `+ NUMBER GROUP` and `- NUMBER`, and kills at the end the groups that were not taken back. Numbers, because groups come again.
const SCRIPT: &str = r#"groups= ended=
while read -r sign number group; do
    case $sign in
    +) groups="$groups $number:$group" ;;
    *) ended="$ended $number " ;;
    esac
done
for each in $groups; do
    case $ended in *" ${each%%:*} "*) ;; *) kill -s KILL -- "-${each#*:}" 2>/dev/null ;; esac
done"#;

static UNDERTAKER: LazyLock<Mutex<Undertaker>> = LazyLock::new(|| Mutex::new(Undertaker::start()));

struct Undertaker {
    /// What it is told. Nothing where there is no shell.
    told: Option<ChildStdin>,
    /// How many groups there were.
    count: u64,
}

impl Undertaker {
    #[expect(clippy::disallowed_methods, reason = "the one module that spawns")]
    fn start() -> Self {
        use std::os::unix::process::CommandExt as _;
        let child = std::process::Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            // Whoever reads this program's output waits for its end, not for this child's.
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn();
        Self {
            told: child.ok().and_then(|mut child| child.stdin.take()),
            count: 0,
        }
    }

    fn tell(&mut self, line: &str) {
        let told = self.told.as_mut().map(|told| told.write_all(line.as_bytes()));
        if told.is_some_and(|told| told.is_err()) {
            self.told = None;
        }
    }
}

/// A group that the undertaker knows; dropped when the group has ended.
#[derive(Debug)]
pub(super) struct Known(u64);

/// Tells of a group of processes.
pub(super) fn told_of(group: Option<u32>) -> Option<Known> {
    let group = group?;
    let mut undertaker = UNDERTAKER.lock().unwrap_or_else(PoisonError::into_inner);
    undertaker.count += 1;
    let number = undertaker.count;
    undertaker.tell(&format!("+ {number} {group}\n"));
    Some(Known(number))
}

impl Drop for Known {
    fn drop(&mut self) {
        let mut undertaker = UNDERTAKER.lock().unwrap_or_else(PoisonError::into_inner);
        undertaker.tell(&format!("- {}\n", self.0));
    }
}
