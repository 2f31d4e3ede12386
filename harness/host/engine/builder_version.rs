//! Which builder an engine tells its clients to use: the header `Builder-Version` of its answer to a ping.
//!
//! The library that speaks to engines does not give headers, so this one question is asked by hand. It is the only
//! place where an engine tells of `{"features": {"buildkit": ..}}` in its daemon.json.

use crate::image::source::engine::Endpoint;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long each part of the question may take, and then all of it.
const TIMEOUT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);
/// The most bytes of the answer's head.
const MAX_HEAD: u64 = 16 * 1024;

/// The header's value, empty where an engine answers without; `None` where the question cannot be asked so (TLS), or
/// is not answered.
pub(super) fn read(endpoint: &Endpoint) -> Option<String> {
    match endpoint {
        Endpoint::Unix(path) => {
            let stream = UnixStream::connect(path).ok()?;
            stream.set_read_timeout(Some(TIMEOUT)).ok()?;
            stream.set_write_timeout(Some(TIMEOUT)).ok()?;
            ping(stream)
        }
        Endpoint::Tcp { address, tls: None } => {
            let stream =
                address.to_socket_addrs().ok()?.find_map(|to| TcpStream::connect_timeout(&to, TIMEOUT).ok())?;
            stream.set_read_timeout(Some(TIMEOUT)).ok()?;
            stream.set_write_timeout(Some(TIMEOUT)).ok()?;
            ping(stream)
        }
        Endpoint::Tcp { tls: Some(_), .. } => None,
    }
}

fn ping(mut stream: impl Read + Write) -> Option<String> {
    // In HTTP/1.0 the end of the answer is the end of the connection.
    stream.write_all(b"HEAD /_ping HTTP/1.0\r\nHost: docker\r\nConnection: close\r\n\r\n").ok()?;
    let mut head = Vec::new();
    let mut limited = stream.take(MAX_HEAD);
    let mut piece = [0; 1024];
    let until = Instant::now() + WHOLE;
    // What keeps a connection open after its answer is as good.
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        if Instant::now() > until {
            return None;
        }
        match limited.read(&mut piece).ok()? {
            0 => break,
            read => head.extend_from_slice(piece.get(..read)?),
        }
    }
    builder_version(&String::from_utf8_lossy(&head))
}

fn builder_version(head: &str) -> Option<String> {
    let mut lines = head.lines();
    let status = lines.next()?.strip_prefix("HTTP/1.")?.split_whitespace().nth(1)?;
    if status != "200" {
        return None;
    }
    let headers = lines.take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(':'));
    let found = headers.filter(|(name, _)| name.eq_ignore_ascii_case("builder-version")).map(|(_, value)| value.trim());
    Some(found.last().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::unix::net::UnixListener;

    #[rstest]
    // Docker 26.1, and 20.10.
    #[case("HTTP/1.1 200 OK\r\nApi-Version: 1.45\r\nBuilder-Version: 2\r\nOstype: linux\r\n\r\n", Some("2"))]
    #[case("HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nOstype: linux\r\n\r\nBuilder-Version: 2", Some(""))]
    #[case("HTTP/1.0 200 OK\r\nbuilder-version: 1\r\n\r\n", Some("1"))]
    #[case("HTTP/1.1 403 Forbidden\r\nBuilder-Version: 2\r\n\r\n", None)]
    #[case("SSH-2.0-OpenSSH_9.2", None)]
    #[case("", None)]
    fn the_header_is_read(#[case] head: &str, #[case] wanted: Option<&str>) {
        assert_eq!(builder_version(head).as_deref(), wanted);
    }

    #[test]
    fn an_endless_head_has_an_end() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while stream.write_all(b"HTTP/1.1 200 OK\r\nA: ").is_ok() {}
        });
        assert_eq!(read(&Endpoint::Unix(path)), Some(String::new()));
        server.join().unwrap();
    }
}
