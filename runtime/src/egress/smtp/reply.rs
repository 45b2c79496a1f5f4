//! Commands out, replies in, both within limits.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, timeout_at};

use crate::egress::{EgressError, SmtpReply};

/// One line of a reply with its end.
const LINE_MAX: usize = 2 << 10;
/// Lines of one reply.
const LINES_MAX: usize = 128;
/// A reply's text as it is kept.
const TEXT_MAX: usize = 4 << 10;

/// A reply as it came.
pub(super) struct Reply {
    pub(super) code: u16,
    /// Without code and line ends.
    pub(super) lines: Vec<Bytes>,
}

impl Reply {
    pub(super) const fn is(&self, code: u16) -> bool {
        self.code == code
    }

    pub(super) const fn is_success(&self) -> bool {
        self.code / 100 == 2
    }

    /// For people: one line without control characters.
    pub(super) fn told(&self) -> SmtpReply {
        let lines = self.lines.iter().map(|line| String::from_utf8_lossy(line));
        let text = lines.collect::<Vec<_>>().join(" ");
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let mut text: String = text.chars().map(clean).collect();
        text.truncate(text.floor_char_boundary(TEXT_MAX));
        let text = text.trim().to_owned();
        SmtpReply {
            code: self.code,
            enhanced: enhanced(self.code, &text),
            text,
        }
    }
}

/// The enhanced status code that a text begins with, of the reply code's own class (RFC 2034).
fn enhanced(code: u16, text: &str) -> Option<String> {
    let word = text.split(' ').next()?;
    let mut parts = word.split('.');
    let digits = |part: &str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    // One digit: no sign, and no zero before it.
    let class = parts
        .next()
        .filter(|class| class.len() == 1)?
        .parse::<u16>()
        .ok()?;
    let rest: Vec<_> = parts.collect();
    (class == code / 100 && rest.len() == 2 && rest.iter().all(|part| digits(part)))
        .then(|| word.to_owned())
}

/// Both directions of a session.
#[derive(Debug)]
pub(super) struct Channel<S> {
    pub(super) stream: S,
    pub(super) received: BytesMut,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Channel<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            received: BytesMut::new(),
        }
    }

    /// Writes whole commands in one piece.
    pub(super) async fn write(&mut self, bytes: &[u8], until: Instant) -> Result<(), EgressError> {
        let write = async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        };
        match timeout_at(until, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(closed()),
            Err(_) => Err(EgressError::Timeout),
        }
    }

    /// Reads one reply as a whole before `until`.
    pub(super) async fn reply(&mut self, until: Instant) -> Result<Reply, EgressError> {
        match timeout_at(until, self.read_reply()).await {
            Ok(reply) => reply,
            Err(_) => Err(EgressError::Timeout),
        }
    }

    /// One command and its reply.
    pub(super) async fn command(
        &mut self,
        line: &str,
        until: Instant,
    ) -> Result<Reply, EgressError> {
        self.write(format!("{line}\r\n").as_bytes(), until).await?;
        self.reply(until).await
    }

    async fn read_reply(&mut self) -> Result<Reply, EgressError> {
        let mut lines = Vec::new();
        let mut first = None;
        while lines.len() < LINES_MAX {
            let line = self.line().await?;
            let (code, more, text) = parse(line).ok_or_else(broken)?;
            if *first.get_or_insert(code) != code {
                return Err(broken());
            }
            lines.push(text);
            if !more {
                return Ok(Reply { code, lines });
            }
        }
        Err(broken())
    }

    /// One line without its end.
    async fn line(&mut self) -> Result<Bytes, EgressError> {
        let mut seen = 0;
        loop {
            let unseen = self.received.get(seen..).unwrap_or_default();
            if let Some(at) = memchr::memchr(b'\n', unseen) {
                let mut line = self.received.split_to(seen + at + 1);
                if line.len() > LINE_MAX {
                    return Err(broken());
                }
                line.truncate(seen + at);
                if line.ends_with(b"\r") {
                    line.truncate(line.len() - 1);
                }
                return Ok(line.freeze());
            }
            seen = self.received.len();
            if seen >= LINE_MAX {
                return Err(broken());
            }
            match self.stream.read_buf(&mut self.received).await {
                Ok(0) | Err(_) => return Err(closed()),
                Ok(_) => {}
            }
        }
    }
}

fn closed() -> EgressError {
    EgressError::Connect("the server closed the session".to_owned())
}

fn broken() -> EgressError {
    EgressError::Connect("the server broke the protocol".to_owned())
}

/// Code, whether another line follows, and the text (RFC 5321, 4.2).
fn parse(mut line: Bytes) -> Option<(u16, bool, Bytes)> {
    let (code, rest) = line.split_at_checked(3)?;
    let code = std::str::from_utf8(code).ok()?.parse().ok()?;
    let more = match rest.first() {
        None | Some(b' ') => false,
        Some(b'-') => true,
        Some(_) => return None,
    };
    let text = line.split_off(line.len().min(4));
    (200..600).contains(&code).then_some((code, more, text))
}

/// Every reply in `bytes`, up to the first that is none, and why that is none.
#[cfg(feature = "fuzzing")]
pub async fn replies(bytes: &[u8]) -> (Vec<SmtpReply>, EgressError) {
    let mut channel = Channel::new(tokio::io::join(bytes, tokio::io::sink()));
    let mut replies = Vec::new();
    loop {
        match channel.read_reply().await {
            Ok(reply) => replies.push(reply.told()),
            Err(error) => return (replies, error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::duplex;

    use super::*;

    async fn read(bytes: &[u8]) -> Result<SmtpReply, EgressError> {
        let (near, mut far) = duplex(1 << 20);
        far.write_all(bytes).await.unwrap();
        drop(far);
        let until = Instant::now() + Duration::from_secs(5);
        let reply = Channel::new(near).reply(until).await;
        reply.map(|reply| reply.told())
    }

    #[tokio::test]
    async fn a_reply_is_read_over_several_lines_and_cleaned() {
        let reply = read(b"550-5.1.1 no\x1b[31m\r\n550 such user\r\n")
            .await
            .unwrap();
        assert_eq!(reply.code, 550);
        assert_eq!(reply.enhanced.as_deref(), Some("5.1.1"));
        assert_eq!(reply.text, "5.1.1 no [31m such user");
        assert_eq!(read(b"250\r\n").await.unwrap().text, "");
        for odd in ["4.0.0", "02.0.0", "+2.0.0", "2.0", "2.0.0.0", "2.0.1000"] {
            let line = format!("250 {odd} odd\r\n");
            assert_eq!(read(line.as_bytes()).await.unwrap().enhanced, None, "{odd}");
        }
        assert_eq!(
            read("550 5.7.1 отклонено\n".as_bytes()).await.unwrap().text,
            "5.7.1 отклонено"
        );
    }

    #[tokio::test]
    async fn a_reply_over_a_limit_or_out_of_form_ends_the_session() {
        let endless = b"250-x\r\n".repeat(LINES_MAX + 1);
        let long = [b"250 ".as_slice(), &vec![b'a'; LINE_MAX], b"\r\n"].concat();
        for bytes in [
            endless.as_slice(),
            &long,
            b"HTTP/1.1 400 Bad Request\r\n",
            b"250-a\r\n251 b\r\n",
            b"25 x\r\n",
            b"+OK\r\n",
            b"",
        ] {
            assert!(matches!(read(bytes).await, Err(EgressError::Connect(_))));
        }
    }
}
