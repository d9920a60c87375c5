#![expect(clippy::disallowed_methods, reason = "the tests write their own trees")]

use super::table::MOST;
use super::*;
use crate::inputs::{Collected, Request, collect, collect_with, fingerprint};
use camino::{Utf8Path, Utf8PathBuf};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

/// Files, and a cache folder beside them.
struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        fs::create_dir(scene.path("tree")).unwrap();
        for name in ["Dockerfile", "a", "b"] {
            fs::write(scene.path("tree").join(name), name).unwrap();
        }
        scene
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn place(&self) -> Place {
        let variables = [("XDG_CACHE_HOME", self.path("cache").to_str().unwrap().to_owned())];
        Place::of(&Environment::of(variables)).unwrap()
    }

    /// The cache of a run that begins so many seconds from now.
    fn cache(&self, seconds: i64) -> DigestCache {
        let now = Timestamp::now() + SignedDuration::from_secs(seconds);
        let store = Some(Store::new(self.place(), now));
        DigestCache {
            store,
            ..DigestCache::default()
        }
    }

    fn with<R>(&self, run: impl Fn(&Request<'_>) -> R) -> R {
        run(&Request {
            root: Utf8Path::from_path(&self.path("tree")).unwrap(),
            context: Utf8Path::new("."),
            dockerfile: Utf8Path::new("Dockerfile"),
            inputs: None,
            contexts: Vec::new(),
            given: Vec::new(),
        })
    }

    /// One run: the digest of each file.
    fn run(&self, seconds: i64) -> Vec<Digest> {
        let cache = self.cache(seconds);
        let collected = self.with(|request| collect_with(request, &cache)).unwrap();
        cache.save();
        digests(&collected)
    }

    /// What the files really hold.
    fn truth(&self) -> Vec<Digest> {
        digests(&self.with(collect).unwrap())
    }

    /// What is remembered of a file.
    fn remembered(&self, name: &str) -> Option<Digest> {
        let metadata = fs::symlink_metadata(self.path("tree").join(name)).unwrap();
        self.cache(0).open().find(&metadata)
    }

    /// Remembers a wrong digest of a file.
    fn poison(&self, name: &str) -> Digest {
        let (cache, wrong) = (self.cache(10), Digest::of(b"wrong"));
        let file = fs::File::open(self.path("tree").join(name)).unwrap();
        cache.open().keep(&file, &file.metadata().unwrap(), wrong);
        cache.save();
        wrong
    }
}

fn digests(collected: &Collected) -> Vec<Digest> {
    collected.entries.iter().map(|entry| entry.digest).collect()
}

fn times(path: &Path) -> (i64, i64, i64, i64) {
    let metadata = fs::metadata(path).unwrap();
    (
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    )
}

#[test]
fn what_was_hashed_is_not_read_again() {
    let scene = Scene::new();
    assert_eq!(scene.run(10), scene.truth());
    assert_eq!(scene.remembered("a"), Some(Digest::of(b"a")));
    let wrong = scene.poison("a");
    assert!(scene.run(20).contains(&wrong), "the cache was not asked");
}

#[test]
fn the_check_around_builds_reads_everything() {
    let scene = Scene::new();
    scene.poison("a");
    let cache = scene.cache(20);
    let planned = scene.with(|request| collect_with(request, &cache)).unwrap();
    let differences = scene
        .with(|request| fingerprint(request, &planned.entries))
        .unwrap();
    assert_eq!(differences.changed, ["a"]);
    cache.forget();
    assert_eq!(scene.run(20), scene.truth());
}

/// A store into a page that is mapped and dirty changes no time: what a second write in the same tick of a file system's clock does, at any time.
const WRITER: &str = "
import mmap, sys
with open(sys.argv[1], 'r+b') as file:
    page = mmap.mmap(file.fileno(), 0)
    page[0:1] = b'1'
    print(flush=True)
    sys.stdin.readline()
    page[0:1] = b'2'
    print(flush=True)
";

#[test]
fn a_write_that_changes_no_time_is_seen() {
    for _ in 0..20 {
        let scene = Scene::new();
        let file = scene.path("tree/a");
        let mut writer = Command::new("python3")
            .args(["-c", WRITER])
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut go, said) = (writer.stdin.take().unwrap(), writer.stdout.take().unwrap());
        let mut said = BufReader::new(said).lines();
        said.next().unwrap().unwrap();
        let (first, before) = (scene.run(0), times(&file));
        assert_eq!(first[1], Digest::of(b"1"));
        go.write_all(b"\n").unwrap();
        said.next().unwrap().unwrap();
        let after = times(&file);
        assert_eq!(scene.run(0)[1], Digest::of(b"2"));
        // A minute later, it is the same.
        assert_eq!(scene.run(60)[1], Digest::of(b"2"));
        writer.wait().unwrap();
        if before == after {
            return;
        }
        // The page was written to the disk in between, and the store changed the times.
    }
    panic!("no write without another time came about");
}

#[test]
fn only_what_is_clearly_older_than_the_run_is_remembered() {
    let scene = Scene::new();
    let file = fs::File::open(scene.path("tree/a")).unwrap();
    let written = Timestamp::try_from(file.metadata().unwrap().modified().unwrap()).unwrap();
    let metadata = file.metadata().unwrap();
    let changed = Timestamp::new(metadata.ctime(), i32::try_from(metadata.ctime_nsec()).unwrap()).unwrap();
    let latest = written.max(changed);
    let old_enough = |now: Timestamp| Trust::at(now).old_enough(&file.metadata().unwrap());
    let two = SignedDuration::from_secs(2);
    assert!(old_enough(latest + two));
    assert!(!old_enough(latest + two - SignedDuration::from_nanos(1)));
    assert!(!old_enough(latest));
    // The clock was set back.
    assert!(!old_enough(latest - SignedDuration::from_hours(1)));
    // A time in the future, which `touch` can set.
    file.set_modified(SystemTime::now() + Duration::from_secs(3600))
        .unwrap();
    assert!(!old_enough(latest + two));
    // An old mtime does not make a new file old: its ctime counts as well.
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert!(!old_enough(Timestamp::now()));
    scene.run(1);
    assert_eq!(scene.remembered("b"), None);
    scene.run(10);
    assert_eq!(scene.remembered("b"), Some(Digest::of(b"b")));
}

#[test]
fn another_content_of_the_same_size_and_mtime_is_seen() {
    let scene = Scene::new();
    scene.run(10);
    let path = scene.path("tree/a");
    let before = fs::metadata(&path).unwrap();
    fs::write(&path, "x").unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(
        (before.ino(), before.size(), before.mtime(), before.mtime_nsec()),
        (after.ino(), after.size(), after.mtime(), after.mtime_nsec()),
        "all but the ctime is as before"
    );
    assert_eq!(scene.run(10), scene.truth());
}

#[test]
fn any_other_metadata_is_another_file() {
    let scene = Scene::new();
    scene.run(10);
    // Moved into its place: another inode.
    fs::write(scene.path("tree/new"), "y").unwrap();
    fs::rename(scene.path("tree/new"), scene.path("tree/b")).unwrap();
    assert_eq!(scene.run(10), scene.truth());
    // Swapped names keep their inodes, and digests follow them.
    fs::rename(scene.path("tree/a"), scene.path("tree/c")).unwrap();
    fs::rename(scene.path("tree/b"), scene.path("tree/a")).unwrap();
    fs::rename(scene.path("tree/c"), scene.path("tree/b")).unwrap();
    assert_eq!(scene.run(10), scene.truth());
    // Longer, with the mtime of before.
    let path = scene.path("tree/a");
    let before = fs::metadata(&path).unwrap().modified().unwrap();
    fs::write(&path, "longer").unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(before)
        .unwrap();
    assert_eq!(scene.run(10), scene.truth());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let cache = scene.cache(10);
    let found = scene.with(|request| collect_with(request, &cache)).unwrap();
    assert!(found.entries.iter().any(|entry| entry.executable));
}

#[test]
fn each_part_of_a_record_counts() {
    let scene = Scene::new();
    let metadata = fs::metadata(scene.path("tree/a")).unwrap();
    let record = Record::new(&metadata, Digest::of(b"a"), 1);
    assert!(record.is_of(&metadata));
    assert_eq!(
        (record.digest(), record.day(), record.on(2).day()),
        (Some(Digest::of(b"a")), 1, 2)
    );
    for at in 0..record.0.len() - 36 {
        let mut other = record;
        other.0[at] ^= 1;
        assert!(!other.is_of(&metadata), "byte {at}");
    }
}

#[test]
fn a_file_that_changes_while_it_is_read_is_not_remembered() {
    let scene = Scene::new();
    let (cache, path) = (scene.cache(10), scene.path("tree/a"));
    let file = fs::File::open(&path).unwrap();
    let before = file.metadata().unwrap();
    fs::write(&path, "z").unwrap();
    cache.open().keep(&file, &before, Digest::of(b"a"));
    cache.save();
    assert!(disk::read(&scene.place()).is_none());
}

proptest! {
    /// Whatever bytes of the file are wrong, missing or too many: the digests are those of the files.
    #[test]
    fn a_damaged_file_is_harmless(
        flips in prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 0..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        more in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let scene = Scene::new();
        let truth = scene.run(10);
        let path = scene.place().file();
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        for (at, mask) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        bytes.extend(more);
        // Into the same inode.
        fs::write(&path, &bytes).unwrap();
        prop_assert_eq!(disk::read(&scene.place()).is_some(), bytes == whole);
        prop_assert_eq!(&scene.run(10), &truth);
        prop_assert!(disk::read(&scene.place()).is_some(), "it is written anew");
    }
}

#[test]
fn every_single_bit_is_checked() {
    let scene = Scene::new();
    scene.run(10);
    let path = scene.place().file();
    let whole = fs::read(&path).unwrap();
    for at in 0..whole.len() {
        for bit in 0..8 {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << bit;
            fs::write(&path, &bytes).unwrap();
            assert!(disk::read(&scene.place()).is_none(), "byte {at}, bit {bit}");
        }
    }
    fs::write(&path, &whole).unwrap();
    assert!(disk::read(&scene.place()).is_some());
}

#[test]
fn what_may_be_of_somebody_else_is_not_read() {
    let scene = Scene::new();
    scene.run(10);
    let (place, path) = (scene.place(), scene.place().file());
    assert!(disk::read(&place).is_some());
    let stranger = Place {
        user: place.user + 1,
        ..place.clone()
    };
    assert!(disk::read(&stranger).is_none());
    for mode in [0o620, 0o602, 0o666] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert!(disk::read(&place).is_none(), "{mode:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    // A copy, as caches of CI systems are restored.
    fs::copy(&path, scene.path("copy")).unwrap();
    fs::rename(scene.path("copy"), &path).unwrap();
    assert!(disk::read(&place).is_none());
    assert_eq!(scene.run(10), scene.truth());
    // A link to one that is good.
    fs::rename(&path, scene.path("elsewhere")).unwrap();
    std::os::unix::fs::symlink(scene.path("elsewhere"), &path).unwrap();
    assert!(disk::read(&place).is_none());
}

#[test]
fn nothing_is_left_in_the_folder_of_somebody_else() {
    let scene = Scene::new();
    let place = scene.place();
    let stranger = Place {
        user: place.user + 1,
        ..place.clone()
    };
    fs::create_dir_all(&place.folder).unwrap();
    assert!(disk::write(&stranger, &Table::default()).is_err());
    assert_eq!(fs::read_dir(&place.folder).unwrap().count(), 0);
    assert!(disk::write(&place, &Table::default()).is_ok());
    // Nobody else may look into it.
    assert_eq!(fs::metadata(place.file()).unwrap().mode() & 0o777, 0o600);
}

#[test]
fn without_a_place_for_it_everything_works() {
    let scene = Scene::new();
    let truth = scene.truth();
    let blocked = scene.path("tree/a");
    let blocked = blocked.to_str().unwrap();
    for variables in [
        vec![],
        vec![("HOME", "relative")],
        vec![("HOME", blocked)],
        // Not even root can write here.
        vec![("XDG_CACHE_HOME", "/proc/none")],
        vec![("XDG_CACHE_HOME", "relative"), ("HOME", "/proc/none")],
    ] {
        let environment = Environment::of(variables.clone());
        for _ in 0..2 {
            let cache = DigestCache::of(&environment);
            let found = scene.with(|request| collect_with(request, &cache)).unwrap();
            cache.save();
            cache.forget();
            assert_eq!(digests(&found), truth, "{variables:?}");
        }
    }
    assert!(!Path::new("relative").exists());
}

#[test]
fn a_folder_that_may_not_be_written_is_only_read() {
    let scene = Scene::new();
    scene.run(10);
    fs::write(scene.path("tree/c"), "c").unwrap();
    let folder = scene.place().folder;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o500)).unwrap();
    assert_eq!(scene.run(10), scene.truth());
    assert_eq!(scene.remembered("a"), Some(Digest::of(b"a")));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn several_at_once() {
    let scene = Scene::new();
    let inputs: Vec<Utf8PathBuf> = (0..40).map(|at| format!("f{at}").into()).collect();
    for name in &inputs {
        fs::write(scene.path("tree").join(name), name.as_str()).unwrap();
    }
    let truth = scene.truth();
    scene.run(10);
    std::thread::scope(|scope| {
        for worker in 0..6_u64 {
            let (scene, truth) = (&scene, &truth);
            scope.spawn(move || {
                for turn in 0..20 {
                    // Days later, so that each of them writes.
                    let days = i64::try_from(worker * 20 + turn).unwrap() * 8;
                    assert_eq!(&scene.run(days * 86_400 + 10), truth);
                    assert!(
                        disk::read(&scene.place()).is_some(),
                        "a file that is not whole was seen"
                    );
                }
            });
        }
    });
    let names = fs::read_dir(scene.place().folder).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["file-digests"], "nothing is left over");
    assert_eq!(scene.remembered("f39"), Some(Digest::of(b"f39")));
}

#[test]
fn a_run_that_learns_nothing_writes_nothing() {
    let scene = Scene::new();
    scene.run(10);
    let file = scene.place().file();
    let inode = || fs::metadata(&file).unwrap().ino();
    let before = (inode(), times(&file));
    scene.run(60);
    assert_eq!((inode(), times(&file)), before);
    // But for saying that what it holds is of use still.
    scene.run(8 * 86_400);
    assert_ne!((inode(), times(&file)), before);
}

#[test]
fn it_stays_below_its_bound_and_keeps_what_is_of_use() {
    let scene = Scene::new();
    let metadata = fs::metadata(scene.path("tree/a")).unwrap();
    let record = |inode: u64, day: u32| {
        let mut record = Record::new(&metadata, Digest::of(b"a"), day);
        record.0[8..16].copy_from_slice(&inode.to_be_bytes());
        record
    };
    let (old, new) = (MOST as u64, 1000);
    let table = Table::default().merged((0..old).map(|inode| record(inode * 2, 1)).collect());
    assert_eq!(table.bytes().len(), MOST * record::RECORD);
    let table = table.merged((0..new).map(|inode| record(inode * 2 + 1, 2)).collect());
    assert_eq!(table.bytes().len(), MOST * record::RECORD);
    let kept = table.bytes().chunks_exact(record::RECORD);
    let kept: Vec<_> = kept.filter_map(Record::from_slice).collect();
    assert!(kept.is_sorted_by(|a, b| a.key() < b.key()));
    let of_today = kept.iter().filter(|record| record.day() == 2).count();
    assert_eq!(of_today as u64, new);
    // Of one file, the last record.
    let table = Table::default().merged(vec![record(7, 1), record(7, 3), record(7, 2)]);
    assert_eq!(table.bytes(), record(7, 2).0);
}

#[test]
fn what_killed_processes_left_goes() {
    let scene = Scene::new();
    scene.run(10);
    let left = |name: &str, age: u64| {
        let path = scene.place().folder.join(name);
        let file = fs::File::create(&path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(age))
            .unwrap();
        path
    };
    let (old, new) = (left(".unfinished-old", 3600), left(".unfinished-new", 1));
    fs::write(scene.path("tree/c"), "c").unwrap();
    scene.run(10);
    assert!(!old.exists() && new.exists());
}

#[test]
#[cfg(target_os = "linux")]
fn a_file_system_that_is_not_known_is_not_trusted() {
    let keeps_time = |path: &Path| {
        let file = fs::File::open(path).unwrap();
        let metadata = file.metadata().unwrap();
        Trust::at(Timestamp::now()).keeps_time(&file, &metadata)
    };
    let scene = Scene::new();
    assert!(keeps_time(&scene.path("tree/a")));
    assert!(!keeps_time(Path::new("/proc/version")));
}
