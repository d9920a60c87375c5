//! An image from outside of the family, in a registry or in the engine alone.

use super::{AMD64, Registry, busybox, docker, try_program};
/// What a build needs of an image from outside: busybox, and a word of its own.
pub struct Upstream {
    folder: tempfile::TempDir,
    pub reference: String,
}

impl Upstream {
    /// A name for it; nothing is built yet.
    pub fn new(registry: &Registry) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for architecture in ["amd64", "arm64"] {
            let name = format!("busybox-{architecture}");
            std::fs::copy(busybox().join(&name), folder.path().join(&name)).unwrap();
        }
        let reference = format!("{}/library/up:1", registry.address());
        Self { folder, reference }
    }

    /// The same name with another tag from here on.
    pub fn retag(&mut self, tag: &str) -> &Self {
        let (name, _) = self.reference.rsplit_once(':').unwrap();
        self.reference = format!("{name}:{tag}");
        self
    }

    fn dockerfile(&self, word: &str) {
        let text = format!(
            "FROM scratch\nARG TARGETARCH\nCOPY busybox-${{TARGETARCH}} /bin/busybox\nCOPY word /word\nLABEL word={word}\n"
        );
        std::fs::write(self.folder.path().join("word"), format!("{word}\n")).unwrap();
        std::fs::write(self.folder.path().join("Dockerfile"), text).unwrap();
    }

    fn build(&self, platforms: &str, word: &str, output: &str) {
        self.dockerfile(word);
        let folder = self.folder.path().to_str().unwrap();
        let output = format!("type=image,name={},oci-mediatypes=true{output}", self.reference);
        docker(&[
            "buildx",
            "build",
            "-q",
            "--provenance=false",
            "--platform",
            platforms,
            "--output",
            &output,
            folder,
        ]);
    }

    /// Pushes it; the engine does not keep it.
    pub fn push(&self, platforms: &str, word: &str) {
        self.build(platforms, word, ",push=true");
        docker(&["image", "rm", &self.reference]);
    }

    /// Puts it into the engine alone, under the same name.
    pub fn keep(&self, word: &str) {
        self.build(AMD64, word, ",store=true");
        let label = docker(&[
            "image",
            "inspect",
            "--format",
            "{{.Config.Labels.word}}",
            &self.reference,
        ]);
        assert_eq!(label, word);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        let _ = try_program("docker", &["image", "rm", &self.reference]);
    }
}
