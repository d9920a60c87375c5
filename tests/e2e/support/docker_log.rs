//! A `docker` that comes first on the path, writes down how it was called, and then is the real one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Makes the folder to be put first on the path; calls are appended to `log`, one line each.
pub fn install(folder: &Path, log: &Path) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let real = std::env::split_paths(&path)
        .map(|folder| folder.join("docker"))
        .find(|docker| docker.is_file())
        .expect("`docker` is not on the path: `scripts/engine install` installs it");
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >>'{}'\nexec '{}' \"$@\"\n",
        log.display(),
        real.display()
    );
    std::fs::write(bin.join("docker"), script).unwrap();
    std::fs::set_permissions(bin.join("docker"), std::fs::Permissions::from_mode(0o755)).unwrap();
    bin
}
