//! One kept-alive HTTP connection to a node, with nothing between it and the socket: for load, where each request counts.

use std::error::Error;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Whatever broke a connection; those who make load only show or count it.
type Failure = Box<dyn Error + Send + Sync>;

/// A connection to one server.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
    authorization: Option<String>,
}

impl Connection {
    /// Connects to `host:port`; the user is `name:password`, empty for none.
    pub async fn open(host: &str, user: &str) -> Result<Connection, Failure> {
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the sender, or with an error that the sender is told too.
        tokio::spawn(connection);
        let authorization = (!user.is_empty()).then(|| format!("Basic {}", STANDARD.encode(user)));
        Ok(Connection { sender, host: host.to_owned(), authorization })
    }

    /// `POST` of a body; the status.
    pub async fn post(&mut self, path: &str, content_type: &str, body: Bytes) -> Result<u16, Failure> {
        let request = Request::post(path).header(CONTENT_TYPE, content_type);
        let response = self.send(request, body).await?;
        let status = response.status().as_u16();
        skip_body(response).await?;
        Ok(status)
    }

    /// `GET` with one more header; the body is still to be read.
    pub async fn get(
        &mut self,
        path: &str,
        header: Option<(&str, &str)>,
    ) -> Result<Response<Incoming>, Failure> {
        let mut request = Request::get(path);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        self.send(request, Bytes::new()).await
    }

    async fn send(
        &mut self,
        request: hyper::http::request::Builder,
        body: Bytes,
    ) -> Result<Response<Incoming>, Failure> {
        let mut request = request.header(HOST, &self.host);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body))?;
        self.sender.ready().await?;
        Ok(self.sender.send_request(request).await?)
    }
}

/// Reads a body to its end and forgets it; its length.
pub async fn skip_body(response: Response<Incoming>) -> Result<usize, Failure> {
    let (mut body, mut bytes) = (response.into_body(), 0);
    while let Some(frame) = body.frame().await {
        bytes += frame?.data_ref().map_or(0, Bytes::len);
    }
    Ok(bytes)
}
