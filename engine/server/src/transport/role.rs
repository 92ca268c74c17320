//! What a peer comes for, and why its offer gets no answer.

/// What a peer comes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Picture and voice to the browser (WHEP).
    Watch,
    /// A microphone, a camera or both to us (WHIP).
    Publish,
    /// Both over one connection.
    Call,
}

/// What comes to us of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brings {
    /// A microphone's sound.
    pub microphone: bool,
    /// A camera's pictures.
    pub camera: bool,
}

/// Why an offer gets no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignalError {
    /// It is no offer (HTTP 400).
    #[error("{0}")]
    Malformed(String),
    /// It has no codec that we have (406).
    #[error("{0}")]
    NoCodec(String),
    /// It does not fit the role (422).
    #[error("{0}")]
    Unsupported(String),
    /// Our own failure (500).
    #[error("{0}")]
    Internal(String),
}
