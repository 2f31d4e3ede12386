//! Puts a forged image into a registry, with no more than the distribution API needs: plain HTTP/1.1.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::digest::base64;
use crate::store::Forged;

/// A registry to push to.
#[derive(Clone, Debug)]
pub struct Registry {
    address: String,
    authorization: Option<String>,
}

impl Registry {
    /// The registry at `HOST:PORT`.
    #[must_use]
    pub fn at(address: &str) -> Registry {
        Registry { address: address.to_owned(), authorization: None }
    }

    /// Sends this user and password with each request.
    #[must_use]
    pub fn basic_auth(mut self, user: &str, password: &str) -> Registry {
        self.authorization = Some(format!("Basic {}", base64(format!("{user}:{password}").as_bytes())));
        self
    }

    /// Uploads all blobs, then the manifests, those that others name first.
    ///
    /// # Errors
    /// Where the registry cannot be reached or refuses something; the text has its answer.
    pub fn push(&self, forged: &Forged, name: &str, tag: &str) -> io::Result<()> {
        let mut manifests = Vec::new();
        order(forged, &forged.root.descriptor(), &mut manifests);
        for (digest, bytes) in &forged.blobs {
            if !manifests.iter().any(|(manifest, _)| manifest == digest) {
                self.put_blob(name, digest, bytes)?;
            }
        }
        for (digest, media_type) in &manifests {
            let Some(bytes) = forged.blobs.get(digest) else { continue };
            let reference = if *digest == forged.root.digest { tag } else { digest };
            self.put_manifest(name, reference, media_type, bytes)?;
        }
        Ok(())
    }

    /// Uploads one blob in one piece.
    ///
    /// # Errors
    /// As [`Registry::push`].
    pub fn put_blob(&self, name: &str, digest: &str, bytes: &[u8]) -> io::Result<()> {
        let start = self.request("POST", &format!("/v2/{name}/blobs/uploads/"), "", b"")?.expect_status(&[202])?;
        let location = start.header("location").ok_or_else(|| other("no Location for the upload".to_owned()))?;
        let path = match location.split_once("://") {
            Some((_, rest)) => &rest[rest.find('/').unwrap_or(rest.len())..],
            None => location,
        };
        let separator = if path.contains('?') { '&' } else { '?' };
        let target = format!("{path}{separator}digest={}", digest.replace(':', "%3A"));
        self.request("PUT", &target, "application/octet-stream", bytes)?.expect_status(&[201])?;
        Ok(())
    }

    /// Puts one manifest under a tag or digest.
    ///
    /// # Errors
    /// As [`Registry::push`].
    pub fn put_manifest(&self, name: &str, reference: &str, media_type: &str, bytes: &[u8]) -> io::Result<()> {
        let path = format!("/v2/{name}/manifests/{reference}");
        self.request("PUT", &path, media_type, bytes)?.expect_status(&[200, 201])?;
        Ok(())
    }

    fn request(&self, method: &str, path: &str, media_type: &str, body: &[u8]) -> io::Result<Answer> {
        let mut stream = TcpStream::connect(&self.address)?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        if !media_type.is_empty() {
            head.push_str(&format!("Content-Type: {media_type}\r\n"));
        }
        if let Some(authorization) = &self.authorization {
            head.push_str(&format!("Authorization: {authorization}\r\n"));
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(Answer { request: format!("{method} {path}"), text: String::from_utf8_lossy(&answer).into_owned() })
    }
}

impl Forged {
    /// Puts everything into the registry at `HOST:PORT`, without authorization.
    ///
    /// # Errors
    /// As [`Registry::push`].
    pub fn put_into_registry(&self, address: &str, name: &str, tag: &str) -> io::Result<()> {
        Registry::at(address).push(self, name, tag)
    }
}

/// Manifests below a descriptor with their media types, children before parents, each once.
fn order(forged: &Forged, descriptor: &Value, found: &mut Vec<(String, String)>) {
    let (Some(digest), Some(kind)) = (descriptor["digest"].as_str(), descriptor["mediaType"].as_str()) else { return };
    let Some(bytes) = forged.blobs.get(digest) else { return };
    if found.iter().any(|(known, _)| known == digest) {
        return;
    }
    if let Ok(Value::Object(index)) = serde_json::from_slice(bytes)
        && let Some(Value::Array(entries)) = index.get("manifests")
    {
        entries.iter().for_each(|entry| order(forged, entry, found));
    }
    found.push((digest.to_owned(), kind.to_owned()));
}

struct Answer {
    request: String,
    text: String,
}

impl Answer {
    fn expect_status(self, expected: &[u16]) -> io::Result<Answer> {
        let status = self.text.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok()).unwrap_or_default();
        if expected.contains(&status) {
            return Ok(self);
        }
        Err(other(format!("{} was answered with {}", self.request, self.text.trim_end())))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.lines().skip(1).take_while(|line| !line.is_empty());
        lines
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

fn other(text: String) -> io::Error {
    io::Error::other(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incidents;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::sync::{Arc, Mutex};

    /// Answers as a registry does and keeps what was put: path, content type, authorization and body.
    fn registry() -> (String, Arc<Mutex<Vec<[String; 3]>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address").to_string();
        let log = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&log);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.expect("a connection"));
                let mut lines = Vec::new();
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).expect("a line");
                    if line.trim().is_empty() {
                        break;
                    }
                    lines.push(line.trim().to_owned());
                }
                let field = |name: &str| {
                    let found = lines.iter().find_map(|line| line.strip_prefix(name));
                    found.unwrap_or_default().to_owned()
                };
                let size = field("Content-Length: ").parse().expect("a length");
                let mut body = vec![0u8; size];
                stream.read_exact(&mut body).expect("the body");
                let answer = if lines[0].starts_with("POST") {
                    "HTTP/1.1 202 Accepted\r\nlocation: http://elsewhere/v2/up/1?state=x\r\n\r\n"
                } else if body.is_empty() {
                    "HTTP/1.1 400 Bad Request\r\n\r\nDIGEST_INVALID"
                } else {
                    "HTTP/1.1 201 Created\r\n\r\n"
                };
                seen.lock().expect("the log").push([
                    lines[0].clone(),
                    field("Content-Type: "),
                    field("Authorization: "),
                ]);
                stream.get_mut().write_all(answer.as_bytes()).expect("answered");
            }
        });
        (address, log)
    }

    #[test]
    fn children_go_before_their_index() {
        let (address, log) = registry();
        let forged = incidents::attestations().forged;
        Registry::at(&address).basic_auth("user", "pass").push(&forged, "team/app", "1").expect("pushed");
        let log = log.lock().expect("the log");
        let put: Vec<&[String; 3]> = log.iter().filter(|entry| entry[0].starts_with("PUT")).collect();
        assert_eq!(put.len(), forged.blobs.len());
        assert!(log.iter().all(|entry| entry[2] == "Basic dXNlcjpwYXNz"));
        let manifests: Vec<&&[String; 3]> = put.iter().filter(|entry| entry[0].contains("/manifests/")).collect();
        assert_eq!(manifests.len(), 5);
        assert_eq!(manifests[4][0], "PUT /v2/team/app/manifests/1 HTTP/1.1");
        assert_eq!(manifests[4][1], forged.root.media_type);
        assert!(put[0][0].starts_with("PUT /v2/up/1?state=x&digest=sha256%3A"));
    }

    #[test]
    fn a_refusal_says_the_answer() {
        let (address, _) = registry();
        let error = Registry::at(&address).put_blob("app", "sha256:00", b"").expect_err("refused");
        assert!(error.to_string().contains("400 Bad Request"), "{error}");
    }
}
