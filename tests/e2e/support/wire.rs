//! What a proxy does to the bytes of a request on their way to the registry, or to those of its answer on their way back.
//!
//! To reset a connection it is closed while something that came is not taken yet: the last byte of a request is only looked at.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::thread::sleep;
use std::time::Duration;

/// In how many pieces something slow goes over, and how long it rests after each.
const PIECES: usize = 12;
const REST: Duration = Duration::from_millis(40);
/// So that what was sent arrives before the connection is reset.
const ARRIVE: Duration = Duration::from_millis(30);

/// What happens to the bytes. "Half" of an answer without a body is half of its head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// Half of the request's body arrives, then both sides are reset.
    ResetInRequest,
    /// The registry answers, and the client is reset before it hears of it.
    ResetUnanswered,
    /// The client is reset after half of the answer.
    ResetInAnswer,
    /// The client is reset after the whole of the answer.
    ResetAfterAnswer,
    /// Half of the answer, then silence.
    StallInAnswer,
    /// Half of the answer, then the end of the connection.
    CutAnswer,
    /// Half of the answer's body, whose length is said to be just that.
    ShortAnswer,
    /// One bit in the middle of the answer's body is another one.
    CorruptAnswer,
    /// One hex digit of `Docker-Content-Digest` is another one.
    CorruptDigest,
    /// One bit in the middle of the request's body is another one.
    CorruptRequest,
    /// Both ways are slow.
    Slow,
}

/// A header of this head.
pub fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}

/// This head, with the wish to close the connection after the answer.
pub fn closing(head: &str) -> String {
    let kept: Vec<&str> = head
        .trim_end()
        .lines()
        .filter(|line| !line.to_lowercase().starts_with("connection:"))
        .collect();
    format!("{}\r\nConnection: close\r\n\r\n", kept.join("\r\n"))
}

/// An answer whose `Date` is so many seconds later.
pub fn later(answer: Vec<u8>, seconds: i64) -> Vec<u8> {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return answer;
    };
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let Some(date) = header(&head, "date") else {
        return answer;
    };
    let told = jiff::fmt::rfc2822::parse(date).unwrap().timestamp();
    let told = told + jiff::SignedDuration::from_secs(seconds);
    let told = told.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    [head.replace(date, &told).as_bytes(), &answer[end..]].concat()
}

/// Hands on a request whose head was looked at, and does this to it. Its body must have a length.
pub fn tamper(mut client: TcpStream, upstream: &str, head: &str, wire: Wire) -> io::Result<()> {
    let size = header(head, "content-length").map_or(0, |size| size.parse().unwrap_or(0));
    let mut server = TcpStream::connect(upstream)?;
    // An answer to HTTP/1.0 ends with its connection, and comes in no chunks.
    let sent = closing(&head.replacen(" HTTP/1.1", " HTTP/1.0", 1)).into_bytes();
    if wire == Wire::ResetInRequest {
        let mut taken = vec![0; head.len() + size / 2];
        client.read_exact(&mut taken)?;
        client.peek(&mut [0])?;
        server.write_all(&sent)?;
        return server.write_all(&taken[head.len()..]);
    }
    let mut request = vec![0; head.len() + size];
    let last = request.len() - 1;
    client.read_exact(&mut request[..last])?;
    client.peek(&mut request[last..])?;
    let body = &mut request[head.len()..];
    if wire == Wire::CorruptRequest && size > 0 {
        body[size / 2] ^= 1;
    }
    server.write_all(&sent)?;
    in_pieces(&mut server, body, wire)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let end = end.ok_or(io::ErrorKind::InvalidData)? + 4;
    let mut body = answer.split_off(end);
    // Nobody is to send a second request over it.
    let mut head = closing(&String::from_utf8_lossy(&answer).replacen("HTTP/1.0 ", "HTTP/1.1 ", 1));
    match wire {
        Wire::ShortAnswer if !body.is_empty() => {
            body.truncate(body.len() / 2);
            let without: Vec<_> = head
                .trim_end()
                .lines()
                .filter(|line| !line.to_lowercase().starts_with("content-length:"))
                .collect();
            head = format!(
                "{}\r\nContent-Length: {}\r\n\r\n",
                without.join("\r\n"),
                body.len()
            );
        }
        Wire::CorruptAnswer if !body.is_empty() => {
            let middle = body.len() / 2;
            body[middle] ^= 1;
        }
        Wire::CorruptDigest => {
            if let Some(digest) = header(&head, "docker-content-digest") {
                let other = if digest.ends_with('0') { '1' } else { '0' };
                let wrong = format!("{}{other}", &digest[..digest.len() - 1]);
                head = head.replace(digest, &wrong);
            }
        }
        _ => {}
    }
    let mut answer = head.into_bytes();
    let end = answer.len();
    answer.append(&mut body);
    let half = if answer.len() > end {
        usize::midpoint(end, answer.len())
    } else {
        end / 2
    };
    match wire {
        Wire::ResetUnanswered => return Ok(()),
        Wire::ResetInAnswer | Wire::StallInAnswer | Wire::CutAnswer => client.write_all(&answer[..half])?,
        _ => in_pieces(&mut client, &answer, wire)?,
    }
    if matches!(wire, Wire::ResetInAnswer | Wire::ResetAfterAnswer) {
        sleep(ARRIVE);
        return Ok(());
    }
    if wire != Wire::StallInAnswer {
        client.shutdown(Shutdown::Write)?;
    }
    // The last byte, and then nothing until the client closes.
    io::copy(&mut client, &mut io::sink()).map(drop)
}

fn in_pieces(to: &mut TcpStream, bytes: &[u8], wire: Wire) -> io::Result<()> {
    if wire != Wire::Slow {
        return to.write_all(bytes);
    }
    for piece in bytes.chunks((bytes.len() / PIECES).max(1)) {
        to.write_all(piece)?;
        sleep(REST);
    }
    Ok(())
}
