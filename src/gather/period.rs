//! Which refresh period counts.

use super::Pins;
use crate::config::{Family, Image, Refresh};
use crate::domain::{ImageId, Period};
use crate::record::Record;

/// The period that the base is built for: that of the plan or record that pinned one, as long as the family asks for its kind, or else the one
/// that today is in. `None` where nothing is refreshed.
pub(super) fn period(family: &Family, pins: &Pins, record: Option<&Record>) -> Option<Period> {
    let refresh = family.base()?.refresh;
    let from_record = || record.filter(|_| !pins.re_resolve)?.period;
    let pinned = pins.period.or_else(from_record);
    pinned
        .filter(|period| refresh.is_of(*period))
        .or_else(|| refresh.period(pins.today))
}

/// The period as an input of this image's own; what stands on the base has it in the base's identity.
pub(super) fn period_of(image: &Image, period: Option<Period>) -> Option<Period> {
    period.filter(|_| image.id == ImageId::Base)
}

/// Whether one of the images is to be built anew when a period ends or a salt changes: what was built before is then worth knowing.
pub(super) fn is_refreshed(family: &Family) -> bool {
    let images = &family.images;
    images
        .iter()
        .any(|image| image.refresh != Refresh::Never || !image.salt.is_empty())
}
