//! What a client may send in a request, and for how long.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use futures_util::StreamExt as _;

use crate::refusal::Refusal;

/// Longest body of a request: offers of browsers have 2 to 8 KiB.
pub(crate) const BODY: usize = 64 << 10;
/// How long a client may take to send one.
const BODY_TIME: Duration = Duration::from_secs(10);
/// Longest picture, or avatar's file.
pub(crate) const PICTURE: usize = 24 << 20;
/// How long a client may take to send one: 5 MB at half a megabit a second.
pub(crate) const PICTURE_TIME: Duration = Duration::from_secs(90);
/// What is read of a picture that nobody wants, before its sender hears why.
const DISCARDED: usize = 2 * PICTURE;
const DISCARDED_TIME: Duration = Duration::from_secs(20);

/// A body that came whole and in time. Addresses of the program's own take it as those of the server do.
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        read(request, BODY, BODY_TIME).await.map(Self)
    }
}

/// A picture that came whole and in time, where the address takes bodies of that length.
pub(crate) async fn picture(request: Request) -> Result<Bytes, Refusal> {
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: u64| length > PICTURE as u64) {
        discard(request).await;
        return Err(too_long(PICTURE));
    }
    read(request, PICTURE, PICTURE_TIME).await
}

/// The length that is refused is what the address was given as its limit; `longest` is what is said of it.
async fn read(request: Request, longest: usize, time: Duration) -> Result<Bytes, Refusal> {
    match tokio::time::timeout(time, Bytes::from_request(request, &())).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_long(longest)),
        Ok(Err(error)) => Err(Refusal::new(error.status(), error.body_text())),
        Err(_) => {
            let sentence = format!("the body did not come within {} seconds", time.as_secs());
            Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, sentence))
        }
    }
}

fn too_long(longest: usize) -> Refusal {
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is longer than {} KiB", longest >> 10))
}

/// Reads a body to its end, and keeps nothing of it. A browser that is still sending when it is told no would hear of a broken connection.
pub(crate) async fn discard(request: Request) {
    let mut body = request.into_body().into_data_stream();
    let mut left = DISCARDED;
    let all = async {
        while let Some(Ok(piece)) = body.next().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                return;
            }
        }
    };
    let _ = tokio::time::timeout(DISCARDED_TIME, all).await;
}
