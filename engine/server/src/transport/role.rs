//! What a peer comes for, and why its offer gets no answer.

/// What a peer comes for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Picture and voice to the browser (WHEP).
    Watch,
    /// The browser's microphone to us (WHIP).
    Microphone,
    /// Both over one connection.
    Call,
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
