//! An S3 server over a folder, for the demo and for tests.
//!
//! The protocol (signatures, XML, chunked bodies) is the s3s crate's; what is written here is only what the
//! operations do. s3s's own file backend cannot be used: it makes paths of keys, so `a//b`, `dir/` beside
//! `dir` and long keys do not survive.

mod bodies;
mod checksums;
mod operations;
mod shelf;
mod terms;

use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use std::{io, net::Ipv4Addr, path::Path};
use tokio::net::TcpListener;

/// Who may use the server.
#[derive(Clone, Debug)]
pub struct Account {
    /// Access key id.
    pub access_key: String,
    /// Secret access key.
    pub secret_key: String,
}

/// Listens on a port of the loopback interface (0: any) and answers with the port. `bucket` is there from the
/// start; requests must be signed by `account`. Serves until the runtime ends.
pub async fn serve(root: &Path, bucket: &str, account: &Account, port: u16) -> io::Result<u16> {
    let shelf = shelf::Shelf::open(root)?;
    shelf.create_bucket(bucket)?;
    let mut service = S3ServiceBuilder::new(operations::ObjectServer::new(shelf));
    service.set_auth(SimpleAuth::from_single(account.access_key.clone(), account.secret_key.clone()));
    let service = service.build();

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = listener.local_addr()?.port();
    tokio::spawn(async move {
        let http = Builder::new(TokioExecutor::new());
        loop {
            let socket = match listener.accept().await {
                Ok((socket, _)) => socket,
                Err(error) => {
                    tracing::error!(%error, "the embedded S3 server cannot accept a connection");
                    continue;
                }
            };
            if let Err(error) = socket.set_nodelay(true) {
                tracing::debug!(%error, "cannot set TCP_NODELAY");
            }
            let connection = http.serve_connection(TokioIo::new(socket), service.clone()).into_owned();
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection to the embedded S3 server ended");
                }
            });
        }
    });
    Ok(port)
}
