//! The seam to the library that demuxes and decodes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use symphonia::core::errors::{Error, Result};

/// Runs a call into a decoder that other people's bytes may bring into states that its authors did not think of: a panic there is a
/// damaged file here, not the end of the program. Whoever calls must not use the decoder again for the same piece.
pub(super) fn guarded<T>(call: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(Err(Error::DecodeError("the decoder broke down")))
}
