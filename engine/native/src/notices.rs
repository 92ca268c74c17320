//! What the user of a program should know although all goes on: a driver that does not work, a microphone that is gone.

use std::fmt;
use std::sync::Arc;

/// Where such sentences go. The program says where, because a library does not print. Cheap to clone.
#[derive(Clone)]
pub struct Notices(Arc<dyn Fn(&str) + Send + Sync>);

impl Notices {
    /// Hands each sentence to `tell`, on whatever thread it comes up, the network's too: `tell` should not wait for long.
    pub fn new(tell: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Tells a sentence. Without a full stop, as error messages are.
    pub fn tell(&self, sentence: &str) {
        (self.0)(sentence);
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices(…)")
    }
}
