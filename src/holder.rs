//! Which process holds a release, and whether it is alive.
//!
//! A record names the process that last wrote it. On the same machine, in the same boot and process namespace, `/proc` tells whether that very process is
//! still there: its id may have been given to another, but not with the same start time. Nothing can be said of other machines.

use crate::record::Holder;

/// This process.
#[must_use]
pub fn own() -> Option<Holder> {
    let process = std::process::id();
    Some(Holder {
        boot: boot()?,
        process,
        started: started(process)?,
    })
}

/// The id of the process that `holder` names, if it is alive on this machine and is not this one.
#[must_use]
pub fn alive(holder: &Holder) -> Option<u32> {
    let here = boot()? == holder.boot && holder.process != std::process::id();
    (here && started(holder.process)? == holder.started).then_some(holder.process)
}

/// Whether the process that `holder` names was one of this machine, in this boot, and is gone.
#[must_use]
pub fn has_ended(holder: &Holder) -> bool {
    let here = boot().is_some_and(|boot| boot == holder.boot) && holder.process != std::process::id();
    here && started(holder.process) != Some(holder.started)
}

/// The boot id with the process namespace: ids of processes mean something only within both.
fn boot() -> Option<String> {
    let boot = read("/proc/sys/kernel/random/boot_id")?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), namespace.display()))
}

/// When a process started, in clock ticks since boot: field 22 of `/proc/PID/stat` (proc(5)). A zombie has ended.
fn started(process: u32) -> Option<u64> {
    let stat = read(&format!("/proc/{process}/stat"))?;
    // The second field is the program's name in parentheses, which may hold anything.
    let mut rest = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    if rest.next()? == "Z" {
        return None;
    }
    rest.nth(18)?.parse().ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the kernel's own files, which say what no library call does"
)]
fn read(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_known_by_its_start_too() {
        let own = own().unwrap();
        assert_eq!(alive(&own), None, "this process does not stand in its own way");
        let parent = std::os::unix::process::parent_id();
        let holder = Holder {
            process: parent,
            started: started(parent).unwrap(),
            ..own
        };
        assert_eq!(alive(&holder), Some(parent));
        assert_eq!(
            alive(&Holder {
                started: holder.started + 1,
                ..holder.clone()
            }),
            None
        );
        assert_eq!(
            alive(&Holder {
                boot: "another".to_owned(),
                ..holder
            }),
            None
        );
    }
}
