//! Layers, whatever they hold, for fuzz targets.

use super::measure::{Compression, count};

/// A layer that says that it is compressed, in each of the ways. A frame that asks for much memory is refused, not given it.
pub(crate) fn layer(data: &[u8]) {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        if let Ok(counted) = count(data, compression) {
            // All of it counts in the digest, also what a decoder leaves unread.
            assert_eq!(counted.digest, crate::domain::Digest::of(data));
        }
    }
}
