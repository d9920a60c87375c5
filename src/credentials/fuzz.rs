//! Docker's `config.json` and what credential helpers print, whatever it holds, for fuzz targets.

use super::Credential;
use super::docker_config::{DockerConfig, Found};

/// What a credential helper prints.
pub(crate) fn helper(text: &str) {
    let _ = super::helper::read(text);
}

/// A `config.json`.
pub(crate) fn docker_config(text: &str) {
    let Ok(config) = DockerConfig::parse(text) else {
        return;
    };
    for host in ["docker.io", "registry.example:5000"] {
        let _ = config.find(host);
        let given = Credential::new("user", "word");
        let with = config.clone().with_credential(host, &given);
        assert_eq!(with.find(host), Ok(Found::Credential(given)));
        assert!(DockerConfig::parse(&with.text()).is_ok());
        let _ = with.without_host(host);
    }
}
