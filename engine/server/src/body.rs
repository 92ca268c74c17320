//! What a client may send in a request, and for how long.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;

use crate::refusal::Refusal;

/// Longest body of a request: offers of browsers have 2 to 8 KiB.
pub(crate) const BODY: usize = 64 << 10;
/// How long a client may take to send one.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A body that came whole and in time. Addresses of the program's own take it as those of the server do.
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        match tokio::time::timeout(BODY_TIME, Bytes::from_request(request, state)).await {
            Ok(Ok(bytes)) => Ok(Self(bytes)),
            Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Refusal::new(error.status(), format!("the body is longer than {} KiB", BODY >> 10)))
            }
            Ok(Err(error)) => Err(Refusal::new(error.status(), error.body_text())),
            Err(_) => {
                let sentence = format!("the body did not come within {} seconds", BODY_TIME.as_secs());
                Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, sentence))
            }
        }
    }
}
