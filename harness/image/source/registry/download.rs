//! A blob as a reader: a task fetches it piece by piece, and goes on where a connection broke.

use super::super::SourceError;
use super::connection::{Connection, Wanted};
use super::executor::Executor;
use super::retry::{Attempts, Cause, Failure, Trouble};
use super::transport::{Answer, Pace};
use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_RANGE, TRANSFER_ENCODING};
use std::io::{self, Read};
use std::sync::Arc;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::AbortHandle;

/// The largest piece that is handed over.
const PIECE_BYTES: usize = 64 * 1024;
/// How many pieces wait for the reader: with hyper's read buffer of up to 400 KiB, less than 1 MiB for each blob.
const PIECES: usize = 8;

/// What the task hands over: bytes, and in the end the end itself, so that a task that died is told from it.
enum Piece {
    Bytes(Bytes),
    End,
    Failed(SourceError),
}

/// Reads a blob while it is fetched. Dropping it stops the download.
pub(super) struct BlobReader {
    pieces: Receiver<Piece>,
    current: Bytes,
    end: Option<Result<(), SourceError>>,
    task: AbortHandle,
    /// The task runs as long as this does, also where the source is gone.
    _executor: Arc<Executor>,
}

impl BlobReader {
    /// Starts the download of a blob whose first answer is there.
    pub(super) fn start(executor: &Arc<Executor>, connection: Arc<Connection>, wanted: Wanted, first: Answer) -> Self {
        let (sender, pieces) = channel(PIECES);
        let download = Download { connection, wanted, delivered: 0, sender };
        let task = executor.spawn(async move { download.run(first).await });
        Self { pieces, current: Bytes::new(), end: None, task, _executor: Arc::clone(executor) }
    }

    fn next_piece(&mut self) {
        match self.pieces.blocking_recv() {
            Some(Piece::Bytes(bytes)) => self.current = bytes,
            Some(Piece::End) => self.end = Some(Ok(())),
            Some(Piece::Failed(error)) => self.end = Some(Err(error)),
            None => {
                self.end = Some(Err(SourceError::Unreachable {
                    what: "the registry".to_owned(),
                    why: "the download ended without a result".to_owned(),
                    hint: "this is a fault of mpcheck: please report it".to_owned(),
                }));
            }
        }
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        while self.current.is_empty() {
            match &self.end {
                None => self.next_piece(),
                Some(Ok(())) => return Ok(0),
                Some(Err(error)) => return Err(io::Error::other(error.clone())),
            }
        }
        let piece = self.current.split_to(self.current.len().min(buffer.len()));
        if let Some(target) = buffer.get_mut(..piece.len()) {
            target.copy_from_slice(&piece);
        }
        Ok(piece.len())
    }
}

impl Drop for BlobReader {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The reader is gone: nobody wants the rest.
struct Unwanted;

/// How one answer's body ended.
enum Ended {
    /// All of it is here, or all that is looked at.
    Whole,
    /// It broke off.
    Broken(Trouble),
    /// The reader is gone.
    Unwanted,
}

struct Download {
    connection: Arc<Connection>,
    wanted: Wanted,
    /// How many bytes the reader has got, or will get.
    delivered: u64,
    sender: Sender<Piece>,
}

impl Download {
    async fn run(mut self, first: Answer) {
        let last = match self.fetch(first).await {
            Ok(Some(())) => Piece::End,
            Ok(None) => return,
            Err(error) => Piece::Failed(error),
        };
        // Fails where the reader is gone.
        let _ = self.sender.send(last).await;
    }

    /// `None` where the reader is gone.
    async fn fetch(&mut self, first: Answer) -> Result<Option<()>, SourceError> {
        let connection = Arc::clone(&self.connection);
        let mut attempts = connection.attempts();
        let mut answer = first;
        let mut skip = 0;
        loop {
            let before = self.delivered;
            let trouble = match self.pass_on(&mut answer, skip).await {
                Ended::Whole => return Ok(Some(())),
                Ended::Unwanted => return Ok(None),
                Ended::Broken(trouble) => trouble,
            };
            if self.delivered > before {
                attempts.progressed();
            }
            drop(answer);
            match self.resume(&mut attempts, trouble.into()).await? {
                Some((next, bytes)) => (answer, skip) = (next, bytes),
                None => return Ok(Some(())),
            }
        }
    }

    /// Asks for the rest. Gives the answer and how many of its first bytes are here already; `None` where the other
    /// side says that there is no rest.
    async fn resume(
        &self,
        attempts: &mut Attempts<'_>,
        mut failure: Failure,
    ) -> Result<Option<(Answer, u64)>, SourceError> {
        loop {
            attempts.wait_after(failure).await?;
            let from = (self.delivered > 0).then_some(self.delivered);
            match self.connection.ask(&self.wanted, from).await {
                Ok(answer) => return self.position(&answer).map(|skip| skip.map(|skip| (answer, skip))),
                Err(next) => failure = next,
            }
        }
    }

    /// How many bytes of an answer to skip, `None` where it has none for us.
    fn position(&self, answer: &Answer) -> Result<Option<u64>, SourceError> {
        let range = || {
            let value = answer.response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
            ContentRange::parse(value)
        };
        match answer.response.status() {
            StatusCode::PARTIAL_CONTENT if range().is_some_and(|range| range.start == Some(self.delivered)) => {
                Ok(Some(0))
            }
            StatusCode::PARTIAL_CONTENT => Err(self.wrong_range("it answered with another part of it")),
            StatusCode::RANGE_NOT_SATISFIABLE if range().is_some_and(|range| range.total == Some(self.delivered)) => {
                Ok(None)
            }
            StatusCode::RANGE_NOT_SATISFIABLE => Err(self.wrong_range("it said that there is no such part")),
            // Not every server knows ranges: the whole of it comes again.
            _ => Ok(Some(self.delivered)),
        }
    }

    fn wrong_range(&self, what: &str) -> SourceError {
        SourceError::Invalid {
            what: format!("registry {}", self.connection.address.registry()),
            why: format!("asked for {} from byte {} on, {what}", self.wanted.digest.short(), self.delivered),
            hint: "this is a fault of the registry, or of a proxy before it: try again, and tell who runs it"
                .to_owned(),
        }
    }

    /// Hands an answer's body to the reader.
    async fn pass_on(&mut self, answer: &mut Answer, mut skip: u64) -> Ended {
        let mut pace: Pace = self.connection.pace();
        // One byte more than the descriptor says is enough to see that it is wrong; a blob without end ends here.
        let limit = self.wanted.size.saturating_add(1);
        loop {
            match pace.next(answer).await {
                Err(trouble) => return Ended::Broken(trouble),
                Ok(None) if skip > 0 || self.may_be_cut(answer) => {
                    let why =
                        format!("the connection ended {} bytes into {}", self.delivered, self.wanted.digest.short());
                    return Ended::Broken(Trouble::new(Cause::Connection, why));
                }
                Ok(None) => return Ended::Whole,
                Ok(Some(mut bytes)) => {
                    let skipped = usize::try_from(skip).unwrap_or(usize::MAX).min(bytes.len());
                    let _ = bytes.split_to(skipped);
                    skip -= skipped as u64;
                    let room = usize::try_from(limit - self.delivered).unwrap_or(usize::MAX);
                    bytes.truncate(room);
                    if self.hand_over(bytes).await.is_err() {
                        return Ended::Unwanted;
                    }
                    if self.delivered >= limit {
                        return Ended::Whole;
                    }
                }
            }
        }
    }

    /// Whether a body that ended too early may have lost its rest: one that says neither its length nor where it
    /// ends is over when the connection is (RFC 9112, section 6.3), for whatever reason.
    fn may_be_cut(&self, answer: &Answer) -> bool {
        let response = &answer.response;
        let marked = response.content_length().is_some() || response.headers().contains_key(TRANSFER_ENCODING);
        !marked && self.delivered < self.wanted.size
    }

    async fn hand_over(&mut self, mut bytes: Bytes) -> Result<(), Unwanted> {
        while !bytes.is_empty() {
            let piece = bytes.split_to(bytes.len().min(PIECE_BYTES));
            let length = piece.len() as u64;
            self.sender.send(Piece::Bytes(piece)).await.map_err(|_| Unwanted)?;
            self.delivered += length;
        }
        Ok(())
    }
}

/// `bytes START-END/TOTAL` or `bytes */TOTAL` (RFC 9110, section 14.4).
#[derive(Debug, PartialEq, Eq)]
struct ContentRange {
    start: Option<u64>,
    total: Option<u64>,
}

impl ContentRange {
    fn parse(value: &str) -> Option<Self> {
        let (range, total) = value.trim().strip_prefix("bytes ")?.trim().split_once('/')?;
        let start = range.split_once('-').and_then(|(start, _)| start.parse().ok());
        (start.is_some() || range == "*").then(|| Self { start, total: total.parse().ok() })
    }
}
