//! What buildx prints and writes, whatever it holds, for fuzz targets.

use super::progress::Progress;
use super::{Redactor, build, builder};

/// A secret of the build that the output is of.
const SECRET: &str = "s3cret/of&a=build";

/// Lines of `--progress=rawjson`, what `buildx inspect` says, a metadata file.
pub(crate) fn output(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut progress = Progress::new(Redactor::new([SECRET.to_owned()]));
    let mut told = Vec::new();
    for line in text.lines() {
        progress.feed(line, &mut |update| told.push(format!("{update:?}")));
        let _ = (progress.phase(), progress.activity(), progress.stage());
    }
    let _ = (progress.counts(), progress.steps(), progress.pushed());
    let _ = (progress.wrapper(), progress.manifest(), progress.failed().count());
    told.extend(progress.text().map(str::to_owned));
    told.extend(progress.warnings().iter().cloned());
    assert!(told.iter().all(|line| !line.contains(SECRET)));
    let _ = builder::facts(&text);
    let _ = build::digest_in(data);
}
