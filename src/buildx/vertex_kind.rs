//! What the vertices of a build are.

/// What a vertex is, told from its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum VertexKind {
    /// `[stage 2/3] RUN …`
    Run,
    /// `[stage 2/3] COPY …` or `ADD …`
    Copy,
    /// `[stage 1/3] FROM …`
    From,
    /// Another step of the Dockerfile.
    OtherStep,
    /// `[internal] load metadata for …`, `[context NAME] …@sha256:…`, `resolve image config for …`
    Metadata,
    /// `exporting to image`, and `pushing … with docker` on the classic image store.
    ImageExport,
    /// `exporting cache to …`
    CacheExport,
    /// `importing cache manifest from …`
    CacheImport,
    /// Anything else.
    Internal,
}

impl VertexKind {
    /// Told from the name.
    pub(super) fn of(name: &str) -> Self {
        let Some((bracket, rest)) = name.strip_prefix('[').and_then(|name| name.split_once("] ")) else {
            return if name.starts_with("exporting cache to") {
                Self::CacheExport
            } else if name.starts_with("importing cache manifest") {
                Self::CacheImport
            } else if name.starts_with("exporting to") || name.starts_with("pushing ") {
                Self::ImageExport
            } else if name.starts_with("resolve image config for") {
                Self::Metadata
            } else {
                Self::Internal
            };
        };
        let count = bracket.rsplit(' ').next().unwrap_or_default();
        let is_count = count.split_once('/').is_some_and(|(n, m)| {
            let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            number(n) && number(m)
        });
        if !is_count {
            // `[context debian:13] docker.io/library/debian:13@sha256:…` is how a pinned base is read.
            return if rest.starts_with("load metadata for")
                || (bracket.starts_with("context ") && rest.contains('@'))
            {
                Self::Metadata
            } else {
                Self::Internal
            };
        }
        match rest.split(' ').next() {
            Some("RUN") => Self::Run,
            Some("COPY" | "ADD") => Self::Copy,
            Some("FROM") => Self::From,
            _ => Self::OtherStep,
        }
    }

    /// Whether it is a step of the Dockerfile.
    pub(super) fn is_step(self) -> bool {
        matches!(self, Self::Run | Self::Copy | Self::From | Self::OtherStep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (name, kind) in [
            ("[stage-0 2/3] RUN x", VertexKind::Run),
            ("[linux/arm64 one 1/2] COPY a b", VertexKind::Copy),
            ("[1/3] FROM localhost/x@sha256:00", VertexKind::From),
            ("[2/3] WORKDIR /x", VertexKind::OtherStep),
            ("[internal] load build context", VertexKind::Internal),
            ("[internal] load metadata for docker.io/x", VertexKind::Metadata),
            ("[context x] load metadata for docker.io/x", VertexKind::Metadata),
            ("[auth] acme/x:pull token for r", VertexKind::Internal),
            ("exporting to image", VertexKind::ImageExport),
            ("pushing localhost:5000/x:s with docker", VertexKind::ImageExport),
            ("exporting cache to registry", VertexKind::CacheExport),
            ("importing cache manifest from x", VertexKind::CacheImport),
            ("[", VertexKind::Internal),
            ("[x /] RUN", VertexKind::Internal),
        ] {
            assert_eq!(VertexKind::of(name), kind, "{name}");
        }
    }
}
