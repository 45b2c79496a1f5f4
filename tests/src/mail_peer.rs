//! A mail server on loopback that says what it is told to, and notes every line and how it came.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// One line as it was received; a message is one line too, with its dots still stuffed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    /// Where that came from.
    pub source: SocketAddr,
    /// Under TLS.
    pub encrypted: bool,
    /// Without its end.
    pub text: String,
}

/// What to do after a line.
#[derive(Clone, Debug)]
pub enum Say {
    /// Write this, with CRLF after it. What begins with 354 asks for a message.
    Reply(String),
    /// Write these bytes and begin TLS.
    StartTls(Vec<u8>),
    /// Write this again and again.
    Endless(String),
    /// Write this byte by byte, one every 20 ms.
    Drip(String),
    /// Write nothing and wait.
    Silence,
    /// Close.
    Close,
}

/// A reply.
#[must_use]
pub fn reply(text: &str) -> Say {
    Say::Reply(text.to_owned())
}

/// What a server says to a line where nothing is special: an empty line stands for the beginning of a
/// session, `.` for the end of a message. It offers STARTTLS in clear and logins under TLS.
#[must_use]
pub fn usual(line: &Line) -> Say {
    let word = line.text.split([' ', ':']).next().unwrap_or_default();
    match word {
        "" => reply("220 mx.test ESMTP"),
        "EHLO" if line.encrypted => reply(
            "250-mx.test\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN LOGIN CRAM-MD5 XOAUTH2",
        ),
        "EHLO" => reply("250-mx.test\r\n250 STARTTLS"),
        "STARTTLS" => Say::StartTls(b"220 go\r\n".to_vec()),
        "AUTH" => reply("235 2.7.0 welcome"),
        "DATA" => reply("354 go ahead"),
        "." => reply("250 2.0.0 queued as 1"),
        "QUIT" => Say::Close,
        _ => reply("250 2.1.0 OK"),
    }
}

/// A running server.
#[derive(Clone)]
pub struct MailPeer {
    /// Where it listens.
    pub address: SocketAddr,
    lines: Arc<Mutex<Vec<Line>>>,
}

impl MailPeer {
    /// Starts a server. With `implicit` TLS begins with the first byte.
    pub async fn start(
        tls: Option<TlsAcceptor>,
        implicit: bool,
        say: impl Fn(&Line) -> Say + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("an address");
        let lines = Arc::new(Mutex::new(Vec::new()));
        let (shared, say) = (Arc::clone(&lines), Arc::new(say));
        tokio::spawn(async move {
            let mut connection = 0;
            while let Ok((stream, source)) = listener.accept().await {
                let line = Line {
                    connection,
                    source,
                    encrypted: implicit,
                    text: String::new(),
                };
                let (lines, say, tls) = (Arc::clone(&shared), Arc::clone(&say), tls.clone());
                tokio::spawn(async move {
                    let heard = Heard { lines, line };
                    serve(Box::new(stream), tls, implicit, heard, say.as_ref()).await;
                });
                connection += 1;
            }
        });
        Self { address, lines }
    }

    /// Every line, in the order of arrival.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.lines.lock().expect("no panic").clone()
    }

    /// The lines' texts.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.lines().into_iter().map(|line| line.text).collect()
    }
}

trait Both: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Both for T {}

struct Heard {
    lines: Arc<Mutex<Vec<Line>>>,
    line: Line,
}

impl Heard {
    fn note(&mut self, text: String) -> &Line {
        self.line.text = text;
        let mut lines = self.lines.lock().expect("no panic");
        lines.push(self.line.clone());
        &self.line
    }
}

async fn serve(
    mut stream: Box<dyn Both>,
    tls: Option<TlsAcceptor>,
    implicit: bool,
    mut heard: Heard,
    say: &(impl Fn(&Line) -> Say + Sync),
) {
    let mut begins_tls = implicit;
    let mut next = Some(());
    while next.take().is_some() {
        if begins_tls {
            let Some(tls) = &tls else { return };
            let Ok(secure) = tls.accept(stream).await else {
                return;
            };
            stream = Box::new(secure);
            // A session begins anew, but for the greeting.
        }
        let greets = !heard.line.encrypted || implicit;
        let mut buffered = BufReader::new(stream);
        match talk(&mut buffered, &mut heard, greets, say).await {
            Some(bytes) => {
                if buffered.write_all(&bytes).await.is_err() {
                    return;
                }
                heard.line.encrypted = true;
                begins_tls = true;
                stream = buffered.into_inner();
                next = Some(());
            }
            None => return,
        }
    }
}

/// Talks until the session ends, or TLS begins after the returned bytes.
async fn talk(
    stream: &mut BufReader<Box<dyn Both>>,
    heard: &mut Heard,
    greets: bool,
    say: &(impl Fn(&Line) -> Say + Sync),
) -> Option<Vec<u8>> {
    let mut said = if greets {
        heard.line.text.clear();
        say(&heard.line)
    } else {
        Say::Silence
    };
    loop {
        let mut reads = false;
        match said {
            Say::Reply(text) => {
                reads = text.starts_with("354");
                let bytes = format!("{text}\r\n");
                stream.write_all(bytes.as_bytes()).await.ok()?;
                stream.flush().await.ok()?;
            }
            Say::StartTls(bytes) => return Some(bytes),
            Say::Endless(text) => loop {
                stream.write_all(text.as_bytes()).await.ok()?;
            },
            Say::Drip(text) => {
                let mut ticks = tokio::time::interval(Duration::from_millis(20));
                for byte in text.bytes() {
                    ticks.tick().await;
                    stream.write_all(&[byte]).await.ok()?;
                    stream.flush().await.ok()?;
                }
            }
            Say::Silence => {}
            Say::Close => {
                let _ = stream.shutdown().await;
                return None;
            }
        }
        let text = if reads {
            let message = read_message(stream).await?;
            heard.note(message);
            ".".to_owned()
        } else {
            let mut text = String::new();
            if stream.read_line(&mut text).await.ok()? == 0 {
                return None;
            }
            text.trim_end_matches(['\r', '\n']).to_owned()
        };
        said = say(heard.note(text));
    }
}

async fn read_message(stream: &mut BufReader<Box<dyn Both>>) -> Option<String> {
    let mut message = String::new();
    while !message.ends_with("\r\n.\r\n") && message != ".\r\n" {
        if stream.read_line(&mut message).await.ok()? == 0 {
            return None;
        }
    }
    Some(message)
}
