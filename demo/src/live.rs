//! The live server, as every command of the program starts it.

use anyhow::{Context as _, Error, Result};
use vultus_server::{ServeError, ServeOptions, Server};

use crate::console;

/// Where the server's tasks run. Two threads are enough for sockets; kernels have threads of their own.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the server's threads")
}

/// Starts it. What is wrong is said with the options that mend it.
pub(crate) async fn start(options: ServeOptions) -> Result<Server> {
    Server::start(options, console::notices()).await.map_err(|error| match error {
        ServeError::NoToken(address) => Error::msg(format!(
            "{address} can be reached from other machines: protect it by --token-file FILE ($VULTUS_TOKEN, --token SECRET), or listen on 127.0.0.1"
        )),
        ServeError::NoTokenForName => Error::msg(
            "a server with a public name can be reached from other machines: protect it by --token-file FILE ($VULTUS_TOKEN, --token SECRET)",
        ),
        ServeError::Listen { address, cause } => {
            Error::new(cause).context(format!("cannot listen on {address}; choose another port by --port"))
        }
        ServeError::Media { address, cause } => Error::new(cause).context(format!(
            "cannot open UDP {address} for media; choose another by --media-port or --media-bind"
        )),
        ServeError::NoRecordFolder(folder) => {
            Error::msg(format!("the folder {} of --record does not exist; make it, or name another", folder.display()))
        }
        ServeError::RecordFolder { folder, cause } => {
            Error::new(cause).context(format!("cannot write to the folder {} of --record", folder.display()))
        }
        ServeError::Other(error) => error,
    })
}
