//! A registry's gate that gives tokens and repeats, where it refuses, everything that it was told.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Whether a request (method, path) is refused, and with which status.
type Refuses = Box<dyn Fn(&str, &str) -> Option<u16> + Send + Sync>;

struct State {
    upstream: String,
    address: String,
    token: String,
    signature: String,
    refuses: Mutex<Refuses>,
    refused: Mutex<Vec<String>>,
}

/// A gate before a registry without passwords. It runs until the process of the test ends.
pub struct Gate(Arc<State>);

impl Gate {
    /// Starts one before `upstream` (`localhost:PORT`), which gives `token`, and signs where uploads go with `signature`.
    pub fn start(upstream: &str, token: &str, signature: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let state = Arc::new(State {
            upstream: upstream.replace("localhost", "127.0.0.1"),
            address: format!("localhost:{}", listener.local_addr().unwrap().port()),
            token: token.to_owned(),
            signature: signature.to_owned(),
            refuses: Mutex::new(Box::new(|_, _| None)),
            refused: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                thread::spawn(move || {
                    // A client that went away has nothing to be told.
                    let _ = serve(client, &state);
                });
            }
        });
        Self(state)
    }

    /// `localhost:PORT`.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// Refuses what this says from now on.
    pub fn refuse(&self, what: impl Fn(&str, &str) -> Option<u16> + Send + Sync + 'static) {
        *self.0.refuses.lock().unwrap() = Box::new(what);
    }

    /// What was refused so far.
    pub fn refused(&self) -> Vec<String> {
        self.0.refused.lock().unwrap().clone()
    }
}

fn serve(mut client: TcpStream, state: &State) -> std::io::Result<()> {
    let Some((head, body)) = head_of(&mut client)? else {
        // Docker tries TLS first, even here.
        return client.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nno TLS\n");
    };
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default();
    let given = value(&head, "authorization").unwrap_or_default().to_owned();
    if path == "/token" {
        let length = value(&head, "content-length").and_then(|text| text.parse().ok());
        let mut rest = vec![0; length.unwrap_or(0_usize).saturating_sub(body.len())];
        client.read_exact(&mut rest)?;
        if method == "GET" && given.is_empty() {
            return answer(&mut client, 401, "", "");
        }
        let token = &state.token;
        let body = format!(r#"{{"token":"{token}","access_token":"{token}","expires_in":300}}"#);
        return answer(&mut client, 200, "Content-Type: application/json\r\n", &body);
    }
    if given != format!("Bearer {}", state.token) {
        let challenge = format!(
            "WWW-Authenticate: Bearer realm=\"http://{}/token\",service=\"gate\"\r\n",
            state.address
        );
        return answer(&mut client, 401, &challenge, "");
    }
    let refusal = (*state.refuses.lock().unwrap())(method, path);
    if let Some(status) = refusal {
        state.refused.lock().unwrap().push(format!("{method} {path}"));
        let told = super::repeated(&given);
        let body = format!("<html><head><title>{told}</title></head><body>{told} {head}</body></html>");
        return answer(&mut client, status, "Content-Type: text/html\r\n", &body);
    }
    pass(client, state, &head, &body)
}

/// The head of a request, and what of the body came with it; `None` for what is no HTTP.
fn head_of(from: &mut TcpStream) -> std::io::Result<Option<(String, Vec<u8>)>> {
    let mut bytes = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let count = from.read(&mut piece)?;
        bytes.extend_from_slice(&piece[..count]);
        if bytes.first() == Some(&0x16) {
            return Ok(None);
        }
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(at + 4);
            return Ok(Some((String::from_utf8_lossy(&bytes).into_owned(), body)));
        }
        if count == 0 || bytes.len() > 256 * 1024 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn value<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
        .next()
}

fn answer(client: &mut TcpStream, status: u16, headers: &str, body: &str) -> std::io::Result<()> {
    let size = body.len();
    let head =
        format!("HTTP/1.1 {status} Gate\r\n{headers}Content-Length: {size}\r\nConnection: close\r\n\r\n");
    client.write_all(head.as_bytes())?;
    client.write_all(body.as_bytes())?;
    client.shutdown(Shutdown::Write)?;
    // A body that is on its way must be taken, or the reset overtakes the answer.
    client.set_read_timeout(Some(Duration::from_secs(5)))?;
    std::io::copy(client, &mut std::io::sink()).map(drop)
}

fn pass(mut client: TcpStream, state: &State, head: &str, body: &[u8]) -> std::io::Result<()> {
    let mut server = TcpStream::connect(&state.upstream)?;
    let goes = |line: &&str| {
        let lower = line.to_lowercase();
        !lower.starts_with("connection:") && !lower.starts_with("authorization:")
    };
    let kept: Vec<&str> = head.trim_end().lines().filter(goes).collect();
    server.write_all(format!("{}\r\nConnection: close\r\n\r\n", kept.join("\r\n")).as_bytes())?;
    server.write_all(body)?;
    let (mut from, mut to) = (client.try_clone()?, server.try_clone()?);
    thread::spawn(move || std::io::copy(&mut from, &mut to));
    if let Some((head, body)) = head_of(&mut server)? {
        let signed = |line: &str| match line.split_once(": ") {
            Some((name, url)) if name.eq_ignore_ascii_case("location") && url.contains('?') => {
                format!("{line}&X-Amz-Signature={}", state.signature)
            }
            _ => line.to_owned(),
        };
        let lines: Vec<String> = head.trim_end().lines().map(signed).collect();
        client.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes())?;
        client.write_all(&body)?;
    }
    let copied = std::io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
    copied.map(drop)
}
