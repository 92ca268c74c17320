//! Vultus live in a browser: sessions over WebRTC and HTTP, speech over a WebSocket, and who may ask.
//!
//! A program serves an avatar like this:
//!
//! ```no_run
//! use vultus_native::Notices;
//! use vultus_server::{Page, ServeOptions, Server, StudioOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
//! runtime.block_on(async {
//!     let options = ServeOptions {
//!         // Beyond this machine a token is needed as well.
//!         listen: "127.0.0.1:8080".parse()?,
//!         // The geometric generator keeps up on any machine; the networks draw better.
//!         studio: StudioOptions { avatar: "amara".into(), generator: "warp".into(), ..StudioOptions::default() },
//!         // A page of your own. It watches by an offer to /v1/whep, and brings a microphone as well by one to /v1/call.
//!         page: Page::new([("index.html", &b"<!doctype html><script src=\"page.js\"></script>"[..])]),
//!         ..ServeOptions::default()
//!     };
//!     // The library prints nothing: what its owner should know goes here.
//!     let notices = Notices::new(|sentence| eprintln!("note: {sentence}"));
//!     let server = Server::start(options, notices).await?;
//!     println!("http://{} computes on {}", server.address, server.backend);
//!     // A text-to-speech sends its sound to ws://…/v1/speak. Who is connected, and how long everything takes:
//!     println!("{}", server.stats());
//!     tokio::signal::ctrl_c().await?;
//!     server.stop().await;
//!     Ok(())
//! })
//! # }
//! ```
//!
//! The parts serve without the whole, too. All need a tokio runtime, and none knows those above it:
//!
//! | part | is |
//! |---|---|
//! | [`transport`] | WebRTC on one UDP port: offers in, answers out, encoded units to a browser, its microphone's packets back |
//! | [`speak`] | what an agent says, sans I/O: messages, and the sound that waits until the session has room for it |
//! | [`Studio`] | what all sessions share: backend, networks, avatars |
//! | [`rooms`] | sessions and who is in them: [`rooms::Rooms::open`] opens one, [`rooms::Room::answer`] lets a browser in |
//! | [`Guard`], [`Token`], [`Refusal`] | who may ask, and how no is said |
//! | [`Server`] | all of that behind HTTP, with a [`Page`] and addresses of the program's own ([`ServeOptions::routes`]) |
#![forbid(unsafe_code)]

mod app;
mod body;
mod drive;
mod enrol;
#[doc(hidden)]
pub mod fuzz;
mod guard;
mod http;
mod kept;
mod lines;
mod mirror;
mod own;
mod page;
mod refusal;
pub mod rooms;
mod secret;
mod server;
mod signal;
mod source;
pub mod speak;
mod stats;
mod studio;
mod token;
pub mod transport;
mod websocket;

/// In whose words addresses of the program's own are written.
pub use axum;

pub use crate::body::Body;
pub use crate::guard::Guard;
pub use crate::page::Page;
pub use crate::refusal::Refusal;
pub use crate::server::{ServeError, ServeOptions, Server};
pub use crate::source::SourceOptions;
pub use crate::studio::{Studio, StudioOptions};
pub use crate::token::Token;
