//! OpenH264 without its prints.
//!
//! Its encoder writes warnings to stderr while it is initialised, about settings that are meant. The crate `openh264` sets the level of these
//! prints after that, so the level has to be set through the raw interface before the first picture: one call, the only unsafe one in here.

use openh264::encoder::Encoder;
use openh264_sys2::{ENCODER_OPTION_TRACE_LEVEL, WELS_LOG_QUIET};

/// Makes an encoder that has not encoded yet print nothing. Says whether it understood.
pub fn hush(encoder: &mut Encoder) -> bool {
    let mut level = WELS_LOG_QUIET;
    // SAFETY: the option takes a pointer to an int, which lives until the call is over and is only read; of all options this is one of the three that the
    // encoder takes before it is initialised, and nothing in the crate `openh264` depends on it.
    #[expect(unsafe_code, reason = "the crate has no safe way to set the level before the encoder is initialised")]
    let result = unsafe { encoder.raw_api().set_option(ENCODER_OPTION_TRACE_LEVEL, (&raw mut level).cast()) };
    result == 0
}
