//! An answer that says no: a status, and one sentence as JSON.

use std::panic::AssertUnwindSafe;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use serde_json::json;
use vultus_native::Notices;

use crate::transport::SignalError;

/// Longest body of an answer of somebody else's that is made JSON, bytes.
const WORDS: usize = 4 << 10;

/// Makes every answer that says no JSON, whoever gives it (the router's own are text), and an answer of one that breaks down.
pub(crate) async fn as_json(State(notices): State<Notices>, request: Request, next: Next) -> Response {
    let Ok(response) = AssertUnwindSafe(next.run(request)).catch_unwind().await else {
        // The panic has said on stderr where it was.
        return Refusal::internal(&notices, "answering this request", "it panicked").into_response();
    };
    let status = response.status();
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if json || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body) = response.into_parts();
    let words = axum::body::to_bytes(body, WORDS).await.unwrap_or_default();
    let words = String::from_utf8_lossy(&words);
    let sentence = if words.trim().is_empty() { status.canonical_reason().unwrap_or("refused") } else { words.trim() };
    let mut refusal = Refusal::new(status, sentence).into_response();
    let own = parts.headers.into_iter().filter_map(|(name, value)| Some((name?, value)));
    for (name, value) in own.filter(|(name, _)| *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH) {
        refusal.headers_mut().append(name, value);
    }
    refusal
}

/// See the module's text.
#[derive(Debug)]
pub struct Refusal {
    /// The answer's.
    pub status: StatusCode,
    /// What is wrong, and what to do.
    pub sentence: String,
    retry_after: Option<u32>,
}

impl Refusal {
    /// This status, and this sentence.
    pub fn new(status: StatusCode, sentence: impl Into<String>) -> Self {
        Self { status, sentence: sentence.into(), retry_after: None }
    }

    /// The same request may succeed in this many seconds.
    pub fn later(status: StatusCode, sentence: impl Into<String>, seconds: u32) -> Self {
        Self { retry_after: Some(seconds), ..Self::new(status, sentence) }
    }

    /// The request is wrong (400).
    pub fn bad_request(sentence: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, sentence)
    }

    /// Something failed that is none of the client's affair: `notices` hear what, which may name files of this machine; the client is told what
    /// the server was doing.
    pub fn internal(notices: &Notices, doing: &str, error: impl std::fmt::Display) -> Self {
        notices.tell(&format!("{doing} failed: {error:#}"));
        let sentence = format!("{doing} failed; the server's log says why");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, sentence)
    }

    /// An offer gets no answer.
    pub(crate) fn offer(notices: &Notices, error: &SignalError) -> Self {
        let status = match error {
            SignalError::Internal(cause) => return Self::internal(notices, "setting the connection up", cause),
            SignalError::Malformed(_) => StatusCode::BAD_REQUEST,
            SignalError::NoCodec(_) => StatusCode::NOT_ACCEPTABLE,
            SignalError::Unsupported(_) => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(json!({ "error": self.sentence }))).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        response
    }
}
