//! Names that nobody guesses.

use rand::Rng as _;

/// 128 random bits: nobody guesses a session's name.
pub(crate) fn secret() -> String {
    format!("{:032x}", rand::rng().next_u64() as u128 | (rand::rng().next_u64() as u128) << 64)
}
