//! The page: files that the program gives, each at `/NAME`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::refusal::Refusal;

/// What the page may do: nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'self'; connect-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; \
                      frame-ancestors 'self'; base-uri 'none'; form-action 'none'";
const INDEX: &str = "index.html";

/// The files of a page, by their names. `index.html` is also what `/` gives. Cheap to clone; the default has none.
#[derive(Clone, Debug, Default)]
pub struct Page(Arc<BTreeMap<Cow<'static, str>, Bytes>>);

impl Page {
    /// With these files. Their names' endings say what they are: `html`, `css`, `js`, `svg`, `png`, `json`.
    pub fn new<N: Into<Cow<'static, str>>, B: Into<Bytes>>(files: impl IntoIterator<Item = (N, B)>) -> Self {
        Self(Arc::new(files.into_iter().map(|(name, bytes)| (name.into(), bytes.into())).collect()))
    }

    pub(crate) fn index(&self) -> Response {
        self.file(INDEX)
    }

    pub(crate) fn file(&self, name: &str) -> Response {
        let Some(bytes) = self.0.get(name) else { return self.missing() };
        let kind = match name.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            Some("json") => "application/json",
            _ => "application/octet-stream",
        };
        let headers = [
            (header::CONTENT_TYPE, kind),
            // Another version of the program brings another page.
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
        ];
        (headers, bytes.clone()).into_response()
    }

    pub(crate) fn missing(&self) -> Response {
        let sentence = match self.0.contains_key(INDEX) {
            true => "there is nothing at this address; the page is at /",
            false => "there is nothing at this address",
        };
        Refusal::new(StatusCode::NOT_FOUND, sentence).into_response()
    }
}
