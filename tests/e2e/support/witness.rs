//! Witnesses: other programs that read what splitbase wrote.

use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::process::Command;

/// Runs a program to its end; its standard output, or both streams where it failed.
pub fn try_program(name: &str, args: &[&str]) -> Result<Vec<u8>, String> {
    let output = Command::new(name)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("run `{name}`: {error}; `scripts/engine install` installs it"));
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(format!(
        "`{name} {}` failed: {}{}",
        args.join(" "),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    ))
}

/// Runs a program that must not fail; its standard output.
pub fn program(name: &str, args: &[&str]) -> Vec<u8> {
    try_program(name, args).unwrap_or_else(|error| panic!("{error}"))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap().trim().to_owned()
}

/// What `crane` prints.
pub fn crane(args: &[&str]) -> String {
    text(program("crane", args))
}

/// What `docker` prints.
pub fn docker(args: &[&str]) -> String {
    text(program("docker", args))
}

/// The bytes that `skopeo` reads under a reference.
pub fn skopeo(reference: &str) -> Vec<u8> {
    let reference = format!("docker://{reference}");
    program("skopeo", &["inspect", "--tls-verify=false", "--raw", &reference])
}

/// The bytes that `docker buildx imagetools` reads under a reference.
pub fn imagetools(reference: &str) -> Vec<u8> {
    program("docker", &["buildx", "imagetools", "inspect", "--raw", reference])
}

/// `sha256:…` of these bytes.
pub fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes).into_iter();
    digest.fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// An OCI image index, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// `linux/amd64` and its platform digest.
    pub platforms: BTreeMap<String, String>,
    /// The platform digest that an attestation is about, and the attestation's digest.
    pub attestations: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// Takes an index apart.
    pub fn of(document: &Value) -> Self {
        let mut index = Self {
            platforms: BTreeMap::new(),
            attestations: BTreeMap::new(),
            annotations: serde_json::from_value(document["annotations"].clone()).unwrap_or_default(),
        };
        let children = document["manifests"].as_array();
        for child in children.unwrap_or_else(|| panic!("no index: {document:#}")) {
            let digest = child["digest"].as_str().unwrap().to_owned();
            if let Some(about) = child["annotations"]["vnd.docker.reference.digest"].as_str() {
                index.attestations.insert(about.to_owned(), digest);
                continue;
            }
            let platform = &child["platform"];
            let mut name = format!(
                "{}/{}",
                platform["os"].as_str().unwrap(),
                platform["architecture"].as_str().unwrap()
            );
            if let Some(variant) = platform["variant"].as_str() {
                name = format!("{name}/{variant}");
            }
            index.platforms.insert(name, digest);
        }
        index
    }
}
