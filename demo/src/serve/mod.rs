//! The live server: sessions over WebRTC and HTTP.

// The server that calls the transport comes next; until then only the transport's tests use it.
#![allow(dead_code)]

pub(crate) mod transport;
