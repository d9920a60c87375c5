//! A server that fails on the wire: between a real program and a real registry, or alone.
//!
//! One request per connection, so that nothing but the head of a request has to be understood.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

/// What is done with a request.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Hands it on to the registry behind; answers 404 where there is none.
    Pass,
    /// Answers with this status, these header lines (each with its CRLF) and this body.
    Answer(u16, &'static str, &'static str),
    /// Breaks the connection (RST).
    Reset,
    /// Never answers.
    Stall,
}

type Fault = dyn Fn(&str, &str) -> Does + Send + Sync;

/// The server; it runs until the process of the test ends.
pub(crate) struct Faults {
    port: u16,
}

impl Faults {
    /// Starts one on all addresses of the loopback network; `fault` is asked with method and path of each request.
    pub(crate) fn start(
        upstream: Option<&str>,
        fault: impl Fn(&str, &str) -> Does + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let upstream: Option<Arc<str>> =
            upstream.map(|address| address.replace("localhost", "127.0.0.1").into());
        let fault: Arc<Fault> = Arc::new(fault);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { break };
                let (upstream, fault) = (upstream.clone(), Arc::clone(&fault));
                std::thread::spawn(move || serve(client, upstream.as_deref(), &*fault));
            }
        });
        Self { port }
    }

    /// `localhost:PORT`.
    pub(crate) fn address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }
}

fn serve(mut client: TcpStream, upstream: Option<&str>, fault: &Fault) {
    let mut head = vec![0; 64 * 1024];
    let length = loop {
        // Looked at, not taken: closing a connection with unread bytes in it resets it.
        let Ok(got @ 1..) = client.peek(&mut head) else {
            return;
        };
        if head[0] == 0x16 {
            // The engine tries TLS first; this is how it learns that there is none.
            let _ = client.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent a TLS handshake.\n");
            return;
        }
        if let Some(at) = head[..got].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let text = String::from_utf8_lossy(&head[..length]).into_owned();
    let mut words = text.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let (status, headers, body) = match (fault(method, path), upstream) {
        (Does::Reset, _) => return,
        (Does::Stall, _) => {
            let _ = client.read_exact(&mut head[..length]);
            let _ = std::io::copy(&mut client, &mut std::io::sink());
            return;
        }
        (Does::Answer(status, headers, body), _) => (status, headers, body),
        (Does::Pass, Some(upstream)) => return pass(client, upstream, &text, length),
        (Does::Pass, None) => (404, "", "not here\n"),
    };
    let size = body.len();
    let shown = if method == "HEAD" { "" } else { body };
    let reason = axum::http::StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or("Fault");
    let answer = format!(
        "HTTP/1.1 {status} {reason}\r\n{headers}Content-Length: {size}\r\nConnection: close\r\n\r\n{shown}"
    );
    let _ = client.write_all(answer.as_bytes());
    let _ = client.shutdown(Shutdown::Write);
    // A body that is on its way must be taken, or the reset overtakes the answer.
    let _ = client.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = std::io::copy(&mut client, &mut std::io::sink());
}

fn pass(mut client: TcpStream, upstream: &str, head: &str, length: usize) {
    let mut taken = vec![0; length];
    let Ok(mut server) = TcpStream::connect(upstream) else {
        return;
    };
    if client.read_exact(&mut taken).is_err() {
        return;
    }
    let kept: Vec<&str> = head
        .trim_end()
        .lines()
        .filter(|line| !line.to_lowercase().starts_with("connection:"))
        .collect();
    let head = format!("{}\r\nConnection: close\r\n\r\n", kept.join("\r\n"));
    let (Ok(mut body), Ok(mut sent)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    if server.write_all(head.as_bytes()).is_err() {
        return;
    }
    std::thread::spawn(move || std::io::copy(&mut body, &mut sent));
    let _ = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
