//! The uncompressed size of a layer, counted by a decoder that keeps nothing.

use crate::domain::Digest;
use bytes::{Buf as _, Bytes};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use sha2::{Digest as _, Sha256};
use std::io::{self, BufRead, Read};
use tokio::sync::mpsc;

/// Largest window of a zstd frame, in bytes: what `zstd --long` makes. More would be memory that a foreign file asks for.
const ZSTD_WINDOW: u64 = 128 * 1024 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// By the media type's end: OCI's `…tar`, `…tar+gzip`, `…tar+zstd`, Docker's `…diff.tar.gzip`.
    pub(super) fn of(media_type: &str) -> Option<Self> {
        match media_type.rsplit_once("tar")?.1 {
            "" => Some(Self::None),
            "+gzip" | ".gzip" => Some(Self::Gzip),
            "+zstd" | ".zstd" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// What was counted.
pub(super) struct Counted {
    /// Size of the uncompressed tar, in bytes.
    pub(super) uncompressed: u64,
    /// Digest of the compressed bytes.
    pub(super) digest: Digest,
}

/// Reads the layer to its end. Blocks.
pub(super) fn count(source: impl BufRead, compression: Compression) -> io::Result<Counted> {
    let mut feed = Feed {
        source,
        hash: Sha256::new(),
    };
    let uncompressed = match compression {
        Compression::None => io::copy(&mut feed, &mut io::sink())?,
        Compression::Gzip => io::copy(
            &mut flate2::bufread::MultiGzDecoder::new(&mut feed),
            &mut io::sink(),
        )?,
        Compression::Zstd => count_zstd(&mut feed)?,
    };
    // What a decoder leaves unread counts in the digest.
    io::copy(&mut feed, &mut io::sink())?;
    Ok(Counted {
        uncompressed,
        digest: Digest::from_bytes(feed.hash.finalize().into()),
    })
}

/// A zstd file may have several frames, and some that are to be skipped (zstd:chunked has both).
fn count_zstd(feed: &mut Feed<impl BufRead>) -> io::Result<u64> {
    let mut uncompressed = 0;
    while !feed.fill_buf()?.is_empty() {
        match StreamingDecoder::new_with_max_window_size(&mut *feed, ZSTD_WINDOW) {
            Ok(mut decoder) => uncompressed += io::copy(&mut decoder, &mut io::sink())?,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                length, ..
            })) => {
                let length = u64::from(length);
                if io::copy(&mut (&mut *feed).take(length), &mut io::sink())? < length {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Err(error) => return Err(io::Error::other(error)),
        }
    }
    Ok(uncompressed)
}

/// A layer, hashed on its way.
struct Feed<S> {
    source: S,
    hash: Sha256,
}

impl<S: BufRead> BufRead for Feed<S> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed was filled in before: this reads nothing.
        if let Ok(buffer) = self.source.fill_buf() {
            self.hash.update(buffer.get(..amount).unwrap_or(buffer));
        }
        self.source.consume(amount);
    }
}

impl<S: BufRead> Read for Feed<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

/// A body that comes in pieces.
pub(super) struct Pieces {
    receiver: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Pieces {
    /// Ends when the sender is dropped.
    pub(super) fn new(receiver: mpsc::Receiver<Bytes>) -> Self {
        Self {
            receiver,
            current: Bytes::new(),
        }
    }
}

impl BufRead for Pieces {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.current = piece,
                None => break,
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, amount: usize) {
        self.current.advance(amount);
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn counted(pieces: &[&[u8]], compression: Compression) -> io::Result<Counted> {
        let (sender, receiver) = mpsc::channel(pieces.len().max(1));
        for piece in pieces {
            sender.try_send(Bytes::copy_from_slice(piece)).unwrap();
        }
        drop(sender);
        count(Pieces::new(receiver), compression)
    }

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
    }

    #[test]
    fn registry_layers_are_counted_whatever_their_compression() {
        let data = vec![7_u8; 300_000];
        let skippable = [
            &0x184D_2A50_u32.to_le_bytes()[..],
            &5_u32.to_le_bytes()[..],
            b"index",
        ]
        .concat();
        let members = [gzip(&data), gzip(b"more")].concat();
        let frames = [zstd(&data), skippable, zstd(b"more")].concat();
        for (body, compression, size) in [
            (data.clone(), Compression::None, 300_000),
            (members, Compression::Gzip, 300_004),
            (frames, Compression::Zstd, 300_004),
        ] {
            let (start, end) = body.split_at(body.len() / 2);
            let counted = counted(&[start, b"", end], compression).unwrap();
            assert_eq!(counted.uncompressed, size, "{compression:?}");
            assert_eq!(counted.digest, Digest::of(&body), "{compression:?}");
            if compression != Compression::None {
                assert!(
                    self::counted(&[start], compression).is_err(),
                    "{compression:?}, cut short"
                );
            }
        }
    }

    #[test]
    fn registry_layer_media_types() {
        for (media_type, compression) in [
            ("application/vnd.oci.image.layer.v1.tar", Some(Compression::None)),
            (
                "application/vnd.oci.image.layer.v1.tar+gzip",
                Some(Compression::Gzip),
            ),
            (
                "application/vnd.oci.image.layer.v1.tar+zstd",
                Some(Compression::Zstd),
            ),
            (
                "application/vnd.docker.image.rootfs.diff.tar.gzip",
                Some(Compression::Gzip),
            ),
            (
                "application/vnd.docker.image.rootfs.diff.tar",
                Some(Compression::None),
            ),
            ("application/vnd.oci.image.layer.v1.tar+lz4", None),
            ("application/vnd.in-toto+json", None),
        ] {
            assert_eq!(Compression::of(media_type), compression, "{media_type}");
        }
    }
}
