//! A `docker` that comes first on the path, writes down how it was called, and then is the real one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Where the client looks for its plugins, behind the user's own (<https://github.com/docker/cli/blob/master/cli-plugins/manager/manager_unix.go>).
const PLUGINS: [&str; 4] = [
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
];

/// Who carries out `docker buildx`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Buildx {
    /// The client, as everywhere: it asks the plugin what it is, calls it, and hands signals on.
    ByDocker,
    /// The plugin itself, where it is found, by the same command line: without two processes and 0.1 s of the processor for each call.
    Itself,
}

/// Makes the folder to be put first on the path; calls are appended to `log`, one line each.
pub fn install(folder: &Path, log: &Path, buildx: Buildx) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let real = std::env::split_paths(&path)
        .map(|folder| folder.join("docker"))
        .find(|docker| docker.is_file())
        .expect("`docker` is not on the path: `scripts/engine install` installs it");
    let own = std::env::home_dir().map(|home| home.join(".docker/cli-plugins"));
    let mut folders = own.into_iter().chain(PLUGINS.map(PathBuf::from));
    let plugin = folders.find_map(|folder| {
        let plugin = folder.join("docker-buildx");
        plugin.is_file().then_some(plugin)
    });
    let short = plugin.filter(|_| buildx == Buildx::Itself).map_or_else(String::new, |plugin| {
        let (docker, plugin) = (real.display(), plugin.display());
        // By this variable the plugin knows that it is one.
        format!(
            "if [ \"$1\" = buildx ]; then export DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND='{docker}'; exec '{plugin}' \"$@\"; fi\n"
        )
    });
    let bin = folder.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let script = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$*\" >>'{}'\n{short}exec '{}' \"$@\"\n",
        log.display(),
        real.display()
    );
    std::fs::write(bin.join("docker"), script).unwrap();
    std::fs::set_permissions(bin.join("docker"), std::fs::Permissions::from_mode(0o755)).unwrap();
    bin
}
