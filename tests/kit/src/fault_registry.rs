//! A scripted HTTP/1.1 server on loopback: a registry with every fault that a test wants.
//!
//! A test gives one function from request to [`Reply`]; everything else is recorded. It speaks only as much HTTP as a
//! client's tests need, on threads, and ends when it is dropped.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// No header line and no body that a client sends is longer.
const MAX_REQUEST_BYTES: u64 = 64 * 1024;
/// An endless body ends here, so that a client without a limit fails its test and not the machine.
const ENDLESS_BYTES: u64 = 64 * 1024 * 1024;
/// A connection on which nothing happens is given up.
const IDLE: Duration = Duration::from_secs(20);

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `HEAD`, `POST`.
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, of a length that was stated.
    pub body: String,
    /// How many requests with this method and target came before it.
    pub earlier: usize,
}

impl Request {
    /// A header's first value; the name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first byte that a `Range: bytes=N-` asks for.
    #[must_use]
    pub fn range_start(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// How a reply's body says where it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// With its length, or with another one.
    Length(u64),
    /// In chunks.
    Chunked,
    /// With the end of the connection.
    Close,
}

/// What the body is.
#[derive(Debug, Clone)]
enum Body {
    Bytes(Vec<u8>),
    /// Zeros, until the client leaves.
    Endless,
}

/// A reply, with its faults.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Body,
    framing: Option<Framing>,
    break_after: Option<usize>,
    drip: Option<Duration>,
    raw: Option<Vec<u8>>,
}

impl Reply {
    /// A reply without a body.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: Body::Bytes(Vec::new()),
            framing: None,
            break_after: None,
            drip: None,
            raw: None,
        }
    }

    /// 200 and a body.
    #[must_use]
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).body(body)
    }

    /// The part of a blob that a request's `Range` asks for, or the whole.
    #[must_use]
    pub fn ranged(blob: &[u8], request: &Request) -> Self {
        match request.range_start() {
            None => Self::ok(blob),
            Some(start) => match blob.get(start..) {
                Some(rest) if !rest.is_empty() => Self::status(206)
                    .header("Content-Range", format!("bytes {start}-{}/{}", blob.len() - 1, blob.len()))
                    .body(rest),
                _ => Self::status(416).header("Content-Range", format!("bytes */{}", blob.len())),
            },
        }
    }

    /// A redirect.
    #[must_use]
    pub fn redirect(status: u16, location: impl Into<String>) -> Self {
        Self::status(status).header("Location", location)
    }

    /// An error as the OCI distribution spec has it.
    #[must_use]
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let body = serde_json::json!({ "errors": [{ "code": code, "message": message }] });
        Self::status(status).header("Content-Type", "application/json").body(body.to_string())
    }

    /// Bytes instead of HTTP; the connection ends after them.
    #[must_use]
    pub fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { raw: Some(bytes.into()), ..Self::status(0) }
    }

    /// One more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The body.
    #[must_use]
    pub fn body(self, body: impl Into<Vec<u8>>) -> Self {
        Self { body: Body::Bytes(body.into()), ..self }
    }

    /// A body without end, in chunks.
    #[must_use]
    pub fn endless(self) -> Self {
        Self { body: Body::Endless, framing: Some(Framing::Chunked), ..self }
    }

    /// States another length than the body has; where it is longer, the connection breaks at the body's end.
    #[must_use]
    pub fn claim_length(self, length: u64) -> Self {
        Self { framing: Some(Framing::Length(length)), ..self }
    }

    /// States no length: the body ends with the connection.
    #[must_use]
    pub fn until_close(self) -> Self {
        Self { framing: Some(Framing::Close), ..self }
    }

    /// Breaks the connection after so many bytes of the body.
    #[must_use]
    pub fn break_after(self, bytes: usize) -> Self {
        Self { break_after: Some(bytes), ..self }
    }

    /// Sends one byte of the body at a time, with a pause before each.
    #[must_use]
    pub fn drip(self, pause: Duration) -> Self {
        Self { drip: Some(pause), ..self }
    }
}

/// What the server's threads share.
struct Shared {
    script: Box<dyn Fn(&Request) -> Reply + Send + Sync>,
    requests: Mutex<Vec<Request>>,
    sent: AtomicU64,
    /// How many connections are open.
    open: Mutex<usize>,
    closed: Condvar,
    stop: AtomicBool,
}

/// The server.
pub struct FaultRegistry {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

impl FaultRegistry {
    /// Starts one on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// When no port can be had.
    pub fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            script: Box::new(script),
            requests: Mutex::new(Vec::new()),
            sent: AtomicU64::new(0),
            open: Mutex::new(0),
            closed: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let served = Arc::clone(&shared);
        let accepting = thread::spawn(move || accept(&listener, &served));
        Ok(Self { address, shared, accepting: Some(accepting) })
    }

    /// `127.0.0.1:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// All requests so far, in the order of their arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until the clients have left; whether they did so before a client that hangs would be given up.
    #[must_use]
    pub fn wait_until_left(&self) -> bool {
        let open = self.shared.open.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.shared.closed.wait_timeout_while(open, IDLE, |open| *open > 0);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// How many bytes of bodies the operating system took from it so far.
    #[must_use]
    pub fn body_bytes_sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for FaultRegistry {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts; where this fails it is gone already.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let shared = Arc::clone(shared);
        *shared.open.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        thread::spawn(move || {
            // A connection's end, however it comes, is the client's to judge.
            let _ = serve(&stream, &shared);
            *shared.open.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
            shared.closed.notify_all();
        });
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(IDLE))?;
    stream.set_write_timeout(Some(IDLE))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    while !shared.stop.load(Ordering::SeqCst) {
        let mut request = match read_request(&mut reader) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                // As Go's `net/http` answers a TLS handshake.
                let mut stream = stream;
                return stream.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent no HTTP\n");
            }
            Err(error) => return Err(error),
        };
        {
            let mut requests = shared.requests.lock().unwrap_or_else(PoisonError::into_inner);
            let same = |other: &&Request| other.method == request.method && other.target == request.target;
            request.earlier = requests.iter().filter(same).count();
            requests.push(request.clone());
        }
        let reply = (shared.script)(&request);
        if !send(stream, &reply, request.method == "HEAD", shared)? {
            return Ok(());
        }
    }
    Ok(())
}

/// `None` where the client has left; [`io::ErrorKind::InvalidData`] where it does not speak HTTP.
fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    reader.take(MAX_REQUEST_BYTES).read_line(&mut line)?;
    let mut words = line.split_whitespace();
    if line.is_empty() {
        return Ok(None);
    }
    let (Some(method), Some(target)) = (words.next(), words.next()) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    let (method, target) = (method.to_owned(), target.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.take(MAX_REQUEST_BYTES).read_line(&mut line)?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let mut body = String::new();
    reader.take(length.unwrap_or(0).min(MAX_REQUEST_BYTES)).read_to_string(&mut body)?;
    Ok(Some(Request { method, target, headers, body, earlier: 0 }))
}

/// Sends a reply; whether the connection may go on.
fn send(mut stream: &TcpStream, reply: &Reply, head: bool, shared: &Shared) -> io::Result<bool> {
    if let Some(raw) = &reply.raw {
        stream.write_all(raw)?;
        return Ok(false);
    }
    let length = match &reply.body {
        Body::Bytes(bytes) => bytes.len() as u64,
        Body::Endless => 0,
    };
    let framing = reply.framing.unwrap_or(Framing::Length(length));
    let mut text = format!("HTTP/1.1 {} Scripted\r\n", reply.status);
    for (name, value) in &reply.headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&match framing {
        Framing::Length(length) => format!("Content-Length: {length}\r\n\r\n"),
        Framing::Chunked => "Transfer-Encoding: chunked\r\n\r\n".to_owned(),
        Framing::Close => "Connection: close\r\n\r\n".to_owned(),
    });
    stream.write_all(text.as_bytes())?;
    if head {
        return Ok(true);
    }
    let bytes = match &reply.body {
        Body::Endless => {
            send_endless(stream, shared)?;
            return Ok(false);
        }
        Body::Bytes(bytes) => {
            bytes.get(..reply.break_after.unwrap_or(bytes.len()).min(bytes.len())).unwrap_or_default()
        }
    };
    match reply.drip {
        None => send_counted(stream, bytes, shared)?,
        Some(pause) => {
            for byte in bytes {
                thread::sleep(pause);
                send_counted(stream, std::slice::from_ref(byte), shared)?;
            }
        }
    }
    Ok(reply.break_after.is_none() && framing == Framing::Length(length))
}

fn send_endless(mut stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    let piece = [0; 0x4000];
    let mut sent = 0;
    while sent < ENDLESS_BYTES && !shared.stop.load(Ordering::SeqCst) {
        stream.write_all(b"4000\r\n")?;
        send_counted(stream, &piece, shared)?;
        stream.write_all(b"\r\n")?;
        sent += piece.len() as u64;
    }
    Ok(())
}

fn send_counted(mut stream: &TcpStream, mut bytes: &[u8], shared: &Shared) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = stream.write(bytes)?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        shared.sent.fetch_add(n as u64, Ordering::SeqCst);
        bytes = bytes.get(n..).unwrap_or_default();
    }
    Ok(())
}
