//! A platform image as the archive that `docker load` reads: an OCI layout of one image (what the containerd image store takes) with the
//! `manifest.json` of `docker save` in it (what the classic store takes).

#![expect(
    clippy::disallowed_methods,
    reason = "a layout is files, and this module owns them"
)]

use super::fault::Fault;
use super::store::{Parts, Store, parts};
use crate::domain::Digest;
use crate::target::RawManifest;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::path::PathBuf;

/// A tar archive is made of blocks of this size, in bytes.
const BLOCK: usize = 512;
/// The greatest size that eleven octal digits hold.
const OCTAL_LIMIT: u64 = 0o777_7777_7777;

/// A platform image that can be loaded into an engine.
#[derive(Debug, Clone)]
pub struct Archive {
    manifest: RawManifest,
    config: Digest,
    layers: Vec<Digest>,
    blobs: Vec<(Digest, u64, PathBuf)>,
}

impl Store {
    /// The platform image of this digest.
    pub(super) fn archive(&self, digest: Digest) -> Result<Archive, Fault> {
        let damaged = |reason: String| Fault::damaged(self.root(), reason);
        let raw = self.find(&digest.into())?;
        let raw = raw.ok_or_else(|| damaged(format!("{digest} is not there")))?;
        let Parts::Manifest(blobs) = parts(&raw).map_err(damaged)? else {
            return Err(damaged(format!("{digest} is not the image of one platform")));
        };
        let Some((config, layers)) = blobs.split_first() else {
            return Err(damaged(format!("{digest} has no config")));
        };
        let mut seen = BTreeSet::new();
        Ok(Archive {
            manifest: raw,
            config: config.digest,
            layers: layers.iter().map(|layer| layer.digest).collect(),
            blobs: blobs
                .iter()
                .filter(|blob| seen.insert(blob.digest))
                .map(|blob| (blob.digest, blob.size, self.blob_path(blob.digest)))
                .collect(),
        })
    }
}

impl Archive {
    /// Digest of the image's config: what the classic image store calls it by.
    #[must_use]
    pub const fn config(&self) -> Digest {
        self.config
    }

    /// Writes the archive, in which the image is called `name` (`REPOSITORY:TAG`). Blocks. Each blob is proven to have its digest.
    ///
    /// # Errors
    /// A blob is damaged or cannot be read, or `to` takes no more.
    pub fn write(&self, name: &str, to: &mut dyn Write) -> io::Result<()> {
        let blob = |digest: &Digest| format!("blobs/sha256/{}", digest.hex());
        let tag = name.rsplit_once(':').map_or("latest", |(_, tag)| tag);
        let index = json!({
            "schemaVersion": 2,
            "mediaType": crate::target::oci::INDEX,
            "manifests": [{
                "mediaType": self.manifest.media_type,
                "digest": self.manifest.digest,
                "size": self.manifest.bytes.len(),
                "annotations": {"io.containerd.image.name": name, "org.opencontainers.image.ref.name": tag},
            }],
        });
        let saved = json!([{
            "Config": blob(&self.config),
            "RepoTags": [name],
            "Layers": self.layers.iter().map(blob).collect::<Vec<_>>(),
        }]);
        small(to, "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        small(to, "index.json", index.to_string().as_bytes())?;
        small(to, "manifest.json", saved.to_string().as_bytes())?;
        small(to, &blob(&self.manifest.digest), &self.manifest.bytes)?;
        for (digest, size, path) in &self.blobs {
            let file = File::open(path)?;
            entry(to, &blob(digest), *size, file, Some(*digest))?;
        }
        to.write_all(&[0; 2 * BLOCK])?;
        to.flush()
    }
}

fn small(to: &mut dyn Write, name: &str, bytes: &[u8]) -> io::Result<()> {
    entry(to, name, bytes.len() as u64, bytes, None)
}

/// One file of a tar archive (POSIX.1-1988, "ustar").
fn entry(
    to: &mut dyn Write,
    name: &str,
    size: u64,
    from: impl Read,
    digest: Option<Digest>,
) -> io::Result<()> {
    to.write_all(&header(name, size))?;
    let mut hash = Sha256::new();
    let mut from = BufReader::with_capacity(256 * 1024, from.take(size));
    let mut left = size;
    loop {
        let piece = from.fill_buf()?;
        if piece.is_empty() {
            break;
        }
        if digest.is_some() {
            hash.update(piece);
        }
        to.write_all(piece)?;
        let got = piece.len();
        from.consume(got);
        left -= got as u64;
    }
    if left > 0 {
        let message = format!("`{name}` is {left} bytes too short");
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
    }
    if let Some(digest) = digest {
        let found = Digest::from_bytes(hash.finalize().into());
        if found != digest {
            let message = format!("the blob {digest} is damaged: its bytes have the digest {found}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
    }
    let rest = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    if rest > 0 {
        to.write_all(&vec![0; BLOCK - rest])?;
    }
    Ok(())
}

fn header(name: &str, size: u64) -> [u8; BLOCK] {
    fn put(header: &mut [u8; BLOCK], at: usize, bytes: &[u8]) {
        for (to, from) in header.iter_mut().skip(at).zip(bytes) {
            *to = *from;
        }
    }
    let mut header = [0; BLOCK];
    // The longest name here is that of a blob: 77 bytes of the 100 that there are.
    put(&mut header, 0, name.as_bytes());
    put(&mut header, 100, b"0000644\0");
    put(&mut header, 108, b"0000000\0");
    put(&mut header, 116, b"0000000\0");
    if size <= OCTAL_LIMIT {
        put(&mut header, 124, format!("{size:011o}\0").as_bytes());
    } else {
        // GNU's form for 8 GiB and more, which Go's and every other reader knows.
        put(&mut header, 124, &[0x80, 0, 0, 0]);
        put(&mut header, 128, &size.to_be_bytes());
    }
    put(&mut header, 136, b"00000000000\0");
    put(&mut header, 156, b"0");
    put(&mut header, 257, b"ustar\x0000");
    // The sum is of the header with blanks in its own place.
    put(&mut header, 148, b"        ");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(&mut header, 148, format!("{sum:06o}\0 ").as_bytes());
    header
}
