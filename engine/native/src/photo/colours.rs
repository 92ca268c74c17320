//! Colours of other screens than sRGB's: phones take their pictures in Display P3.

use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use rayon::prelude::*;

/// Longest profile that is looked at, bytes: larger ones are printers'.
const PROFILE_BYTES: usize = 1 << 20;
/// Pixels that are converted at a time.
const AT_ONCE: usize = 1 << 14;

/// Brings RGB of a colour profile to sRGB, in place. Nothing happens where the profile is sRGB already, or is of no use.
pub(super) fn to_srgb(rgb: &mut [u8], profile: &[u8]) {
    // Who says sRGB means it: what those profiles differ by is not seen.
    let says_srgb =
        profile.windows(4).any(|word| word == b"sRGB") || profile.windows(8).any(|word| word == b"s\0R\0G\0B\0");
    if profile.len() > PROFILE_BYTES || says_srgb {
        return;
    }
    let Ok(from) = ColorProfile::new_from_slice(profile) else { return };
    if from.color_space != DataColorSpace::Rgb {
        return;
    }
    let srgb = ColorProfile::new_srgb();
    let Ok(convert) = from.create_transform_8bit(Layout::Rgb, &srgb, Layout::Rgb, TransformOptions::default()) else {
        return;
    };
    rgb.par_chunks_mut(3 * AT_ONCE).for_each_init(Vec::new, |converted, pixels| {
        converted.resize(pixels.len(), 0);
        if convert.transform(pixels, converted).is_ok() {
            pixels.copy_from_slice(converted);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_p3_becomes_srgb_and_srgb_stays() {
        let p3 = ColorProfile::new_display_p3().encode().unwrap();
        let mut rgb = vec![200, 120, 90, 128, 128, 128];
        to_srgb(&mut rgb, &p3);
        // More red than sRGB's 200 is needed for what a wider screen shows by 200; grey is grey.
        assert!(rgb[0] > 205 && rgb[1] < 120, "{rgb:?}");
        assert!(rgb[3..].iter().all(|v| v.abs_diff(128) <= 1), "{rgb:?}");

        let srgb = ColorProfile::new_srgb().encode().unwrap();
        for profile in [&srgb[..], b"", b"nonsense"] {
            let mut rgb = vec![200, 120, 90];
            to_srgb(&mut rgb, profile);
            assert!(rgb.iter().zip([200u8, 120, 90]).all(|(a, b)| a.abs_diff(b) <= 1), "{rgb:?}");
        }
    }
}
