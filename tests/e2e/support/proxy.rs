//! A proxy before a real registry, which fails where a test wants it to.
//!
//! One request per connection, so that nothing of HTTP but the head of a request has to be understood. `BuildKit` tries TLS first even on
//! localhost: its greeting is answered in plain text, as a registry without TLS does.

use super::wire::{self, Wire};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Longest head of a request.
const HEAD: usize = 64 * 1024;

/// What the proxy does with a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Hands it on.
    Pass,
    /// Answers with this status and a registry's error.
    Status(u16),
    /// Answers with this status, these header lines (each with its CRLF) and this body.
    Answer(u16, &'static str, &'static str),
    /// Breaks the connection (RST).
    Reset,
    /// Never answers.
    Stall,
    /// Hands it on after this time.
    Delay(Duration),
    /// Hands it on, and kills this process when the registry has answered and the process has not heard it.
    Unanswered(i32),
    /// Hands it on, and says in its answer that it is so many seconds later.
    Later(i64),
    /// Hands it on, and does this to its bytes or to those of its answer.
    Wire(Wire),
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `PUT`, …
    pub method: String,
    /// Without the query.
    pub path: String,
    /// What is behind the `?`; empty where there is none.
    pub query: String,
    /// `User-Agent`.
    pub agent: String,
    /// `Content-Length`; 0 where there is none.
    pub size: usize,
    /// How many were answered before it came.
    pub number: usize,
}

impl Request {
    /// Whether it puts a manifest under a tag with `part` in its name.
    pub fn puts(&self, part: &str) -> bool {
        let tag = self.path.rsplit_once("/manifests/").map(|(_, tag)| tag);
        self.method == "PUT" && tag.is_some_and(|tag| tag.contains(part))
    }

    /// Whether it reads a manifest under a name with `part` in it.
    pub fn reads(&self, part: &str) -> bool {
        let name = self.path.rsplit_once("/manifests/").map(|(_, name)| name);
        matches!(self.method.as_str(), "GET" | "HEAD") && name.is_some_and(|name| name.contains(part))
    }

    /// Whether `splitbase` made it, and not a build or an engine.
    pub fn is_ours(&self) -> bool {
        self.agent.starts_with("splitbase")
    }
}

/// A proxy before a registry; it runs until the process of the test ends.
pub struct Proxy {
    address: String,
    requests: Arc<Mutex<Vec<(Request, Fault)>>>,
}

impl Proxy {
    /// Starts one before `upstream` (`localhost:PORT`); `fault` is asked about each request.
    pub fn start(upstream: &str, fault: impl Fn(&Request) -> Fault + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("localhost:{}", listener.local_addr().unwrap().port());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = requests.clone();
        let upstream: Arc<str> = upstream.replace("localhost", "127.0.0.1").into();
        let fault = Arc::new(fault);
        thread::spawn(move || {
            for client in listener.incoming() {
                let Ok(client) = client else { break };
                let (upstream, fault, log) = (upstream.clone(), fault.clone(), log.clone());
                thread::spawn(move || serve(client, &upstream, &*fault, &log));
            }
        });
        Self { address, requests }
    }

    /// `localhost:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The requests so far, each with what was done with it.
    pub fn requests(&self) -> Vec<(Request, Fault)> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    mut client: TcpStream,
    upstream: &str,
    fault: &(dyn Fn(&Request) -> Fault + Send + Sync),
    requests: &Mutex<Vec<(Request, Fault)>>,
) {
    let mut head = vec![0; HEAD];
    let length = loop {
        // Looked at, not taken: closing a connection with unread bytes in it resets it.
        let Ok(got @ 1..) = client.peek(&mut head) else {
            return;
        };
        if head[0] == 0x16 {
            let _ = client.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent a TLS handshake.\n");
            return;
        }
        if let Some(at) = head[..got].windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break at + 4;
        }
        if got == HEAD {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    };
    let text = String::from_utf8_lossy(&head[..length]).into_owned();
    let mut words = text.lines().next().unwrap_or_default().split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let header = |wanted: &str| wire::header(&text, wanted).unwrap_or_default().to_owned();
    let number = requests.lock().unwrap().len();
    let request = Request {
        number,
        method: method.to_owned(),
        path: target.split('?').next().unwrap_or_default().to_owned(),
        query: target
            .split_once('?')
            .map(|(_, query)| query.to_owned())
            .unwrap_or_default(),
        agent: header("user-agent"),
        size: header("content-length").parse().unwrap_or(0),
    };
    // May wait for another request.
    let fault = fault(&request);
    requests.lock().unwrap().push((request, fault.clone()));
    let (status, headers, body) = match fault {
        Fault::Reset => return,
        Fault::Stall => {
            // Until the client gives up.
            let _ = client.read_exact(&mut head[..length]);
            let _ = std::io::copy(&mut client, &mut std::io::sink());
            return;
        }
        Fault::Status(status) => (status, "Content-Type: application/json\r\n", error(status)),
        Fault::Answer(status, headers, body) => (status, headers, body),
        Fault::Delay(time) => {
            thread::sleep(time);
            return pass(client, upstream, &text, length, &Answers::Untouched);
        }
        Fault::Unanswered(process) => {
            let answers = Pid::from_raw(process).map_or(Answers::Untouched, Answers::Unheard);
            return pass(client, upstream, &text, length, &answers);
        }
        Fault::Later(seconds) => return pass(client, upstream, &text, length, &Answers::Later(seconds)),
        Fault::Wire(wire) => {
            let _ = wire::tamper(client, upstream, &text, wire);
            return;
        }
        Fault::Pass => return pass(client, upstream, &text, length, &Answers::Untouched),
    };
    let size = body.len();
    let shown = if method == "HEAD" { "" } else { body };
    let answer = format!(
        "HTTP/1.1 {status} Fault\r\n{headers}Content-Length: {size}\r\nConnection: close\r\n\r\n{shown}"
    );
    let _ = client.write_all(answer.as_bytes());
    let _ = client.shutdown(Shutdown::Write);
    // A body that is on its way must be taken, or the reset overtakes the answer.
    let _ = client.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = std::io::copy(&mut client, &mut std::io::sink());
}

/// What registries say of their own failures. The text that `BuildKit` makes of it does not hold the status.
fn error(status: u16) -> &'static str {
    match status {
        429 => r#"{"errors":[{"code":"TOOMANYREQUESTS","message":"a fault of the test: slow down"}]}"#,
        401 => r#"{"errors":[{"code":"UNAUTHORIZED","message":"a fault of the test: log in"}]}"#,
        403 => r#"{"errors":[{"code":"DENIED","message":"a fault of the test: not you"}]}"#,
        _ => r#"{"errors":[{"code":"UNKNOWN","message":"a fault of the test"}]}"#,
    }
}

/// What becomes of the answers that a registry gives.
enum Answers {
    Untouched,
    /// Nobody hears them: this process is killed first.
    Unheard(Pid),
    /// They say that it is so many seconds later.
    Later(i64),
}

fn pass(mut client: TcpStream, upstream: &str, head: &str, length: usize, answers: &Answers) {
    let mut taken = vec![0; length];
    if client.read_exact(&mut taken).is_err() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(upstream) else {
        return;
    };
    let head = wire::closing(head);
    if server.write_all(head.as_bytes()).is_err() {
        return;
    }
    let (Ok(mut body), Ok(mut sent)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    // The body goes on in both directions until the answer is complete.
    thread::spawn(move || std::io::copy(&mut body, &mut sent));
    match answers {
        Answers::Untouched => drop(std::io::copy(&mut server, &mut client)),
        Answers::Unheard(victim) => {
            let _ = std::io::copy(&mut server, &mut std::io::sink());
            let _ = kill_process(*victim, Signal::KILL);
        }
        Answers::Later(seconds) => {
            let mut answer = Vec::new();
            let _ = server.read_to_end(&mut answer);
            let _ = client.write_all(&wire::later(answer, *seconds));
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}
