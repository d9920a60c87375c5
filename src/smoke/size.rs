//! The size limit of an image.

use crate::domain::{ByteSize, Digest};

/// Layers that the message names.
const SHOWN: usize = 5;

/// An image whose layers are larger than its test allows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the image is too large: {size} of uncompressed layers, `max-size` is {limit}")]
pub struct TooLarge {
    /// The sum of its uncompressed layers.
    pub size: ByteSize,
    /// What is allowed.
    pub limit: ByteSize,
    /// The largest layers, with the largest first: one line each.
    pub layers: Vec<String>,
}

/// Adds up the uncompressed layers, in bytes, in the order of the manifest, and compares the sum with the limit. A sum that equals it is fine.
///
/// # Errors
/// The sum is greater.
pub fn check_size(layers: &[(Digest, u64)], limit: Option<ByteSize>) -> Result<ByteSize, TooLarge> {
    let size = layers.iter().map(|(_, size)| *size).sum::<ByteSize>();
    let Some(limit) = limit.filter(|limit| size > *limit) else {
        return Ok(size);
    };
    let mut largest: Vec<(usize, &(Digest, u64))> = layers.iter().enumerate().collect();
    largest.sort_by_key(|(at, (_, size))| (std::cmp::Reverse(*size), *at));
    let layers = largest
        .iter()
        .take(SHOWN)
        .map(|(at, (digest, size))| {
            format!(
                "layer {} of {}: {} ({digest})",
                at + 1,
                layers.len(),
                ByteSize(*size)
            )
        })
        .collect();
    Err(TooLarge { size, limit, layers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_counts_and_the_largest_are_named() {
        let layers = [
            (Digest::of(b"a"), 100),
            (Digest::of(b"b"), 2_000_000),
            (Digest::of(b"c"), 3),
        ];
        assert_eq!(check_size(&layers, None).unwrap(), ByteSize(2_000_103));
        assert!(check_size(&layers, Some(ByteSize(2_000_103))).is_ok());
        let error = check_size(&layers, Some(ByteSize(2_000_102))).unwrap_err();
        assert!(
            error.layers[0].starts_with("layer 2 of 3: 2MB (sha256:"),
            "{error:?}"
        );
        assert_eq!(
            error.to_string(),
            "the image is too large: 2MB of uncompressed layers, `max-size` is 2MB"
        );
        assert!(check_size(&[(Digest::of(b""), u64::MAX); 2], Some(ByteSize(1))).is_err());
    }
}
