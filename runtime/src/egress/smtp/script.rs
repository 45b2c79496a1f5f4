//! A recorded mail server: it takes everything, but where its script says otherwise.

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

/// In place of a reply: the server closes the session.
const CLOSE: &str = "CLOSE";

/// What a server says where it deviates: a whole reply, or `CLOSE`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct MailScript {
    greeting: Option<String>,
    ehlo: Option<String>,
    /// Keywords in the answer to `EHLO`.
    caps: Option<Vec<String>>,
    auth: Option<String>,
    mail: Option<String>,
    rcpt: Option<String>,
    data: Option<String>,
    /// After the final dot.
    dot: Option<String>,
}

/// One session as the server saw it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CapturedMail {
    /// After `EHLO`, of the last one.
    pub name: String,
    /// After `MAIL FROM:`, parameters included.
    pub mail_from: Option<String>,
    /// After each `RCPT TO:`.
    pub rcpt_to: Vec<String>,
    /// The text without stuffed dots, where it came to its end.
    pub data: Option<Vec<u8>>,
}

impl std::fmt::Debug for CapturedMail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Names recipients and holds codes.
        f.debug_struct("CapturedMail")
            .field("recipients", &self.rcpt_to.len())
            .finish_non_exhaustive()
    }
}

/// What a server does after a line.
enum Act {
    Say(String),
    Close,
    /// Says it, and reads a message.
    Read(String),
}

impl Act {
    /// The script's word, else the usual one.
    fn of(script: Option<&String>, usual: &str) -> Self {
        match script.map(String::as_str) {
            Some(CLOSE) => Self::Close,
            Some(said) => Self::Say(said.to_owned()),
            None => Self::Say(usual.to_owned()),
        }
    }
}

impl MailScript {
    /// Holds one session to its end.
    pub(in crate::egress) async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
    ) -> CapturedMail {
        let mut seen = CapturedMail::default();
        let mut stream = BufReader::new(stream);
        // Where the client goes, the session ends: there is nobody left to tell.
        let _ = self.talk(&mut stream, &mut seen).await;
        seen
    }

    async fn talk(
        &self,
        stream: &mut BufReader<impl AsyncRead + AsyncWrite + Unpin>,
        seen: &mut CapturedMail,
    ) -> std::io::Result<()> {
        let mut act = Act::of(self.greeting.as_ref(), "220 mx.example ESMTP");
        let mut logging_in = false;
        loop {
            let reads = matches!(act, Act::Read(_));
            let (Act::Say(said) | Act::Read(said)) = act else {
                return Ok(());
            };
            stream.write_all(format!("{said}\r\n").as_bytes()).await?;
            if reads {
                seen.data = read_message(stream).await?;
                act = Act::of(self.dot.as_ref(), "250 2.0.0 OK queued as 1");
                continue;
            }
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(());
            }
            let line = line.trim_end_matches(['\r', '\n']);
            act = if logging_in && said.starts_with("334") {
                self.after_secret(&said)
            } else {
                self.answer(line, seen)
            };
            logging_in |= line.to_ascii_uppercase().starts_with("AUTH");
        }
    }

    /// `AUTH LOGIN` asks for the user, then for the password.
    fn after_secret(&self, said: &str) -> Act {
        match said {
            "334 VXNlcm5hbWU6" => Act::Say("334 UGFzc3dvcmQ6".to_owned()),
            _ => Act::of(self.auth.as_ref(), "235 2.7.0 Accepted"),
        }
    }

    fn answer(&self, line: &str, seen: &mut CapturedMail) -> Act {
        let verb = line.split(' ').next().unwrap_or_default();
        let rest = line.get(verb.len()..).unwrap_or_default().trim();
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                rest.clone_into(&mut seen.name);
                Act::of(self.ehlo.as_ref(), &self.offers())
            }
            "HELO" => Act::Say("250 mx.example".to_owned()),
            "AUTH" => match rest.to_ascii_uppercase().as_str() {
                "LOGIN" => Act::Say("334 VXNlcm5hbWU6".to_owned()),
                "CRAM-MD5" => Act::Say("334 PDFAbXguZXhhbXBsZT4=".to_owned()),
                _ => Act::of(self.auth.as_ref(), "235 2.7.0 Accepted"),
            },
            "MAIL" => {
                seen.mail_from = path(rest);
                Act::of(self.mail.as_ref(), "250 2.1.0 OK")
            }
            "RCPT" => {
                seen.rcpt_to.extend(path(rest));
                Act::of(self.rcpt.as_ref(), "250 2.1.5 OK")
            }
            "DATA" if self.rcpt.is_some() => Act::Say("503 5.5.1 no recipient".to_owned()),
            "DATA" => match Act::of(self.data.as_ref(), "354 go ahead") {
                Act::Say(said) if said.starts_with("354") => Act::Read(said),
                act => act,
            },
            "QUIT" => Act::Close,
            _ => Act::Say("250 2.0.0 OK".to_owned()),
        }
    }

    fn offers(&self) -> String {
        let usual = ["PIPELINING", "SIZE 35882577", "8BITMIME", "SMTPUTF8"];
        let usual = || {
            usual
                .into_iter()
                .chain(["AUTH LOGIN PLAIN"])
                .map(str::to_owned)
        };
        let caps = self.caps.clone().unwrap_or_else(|| usual().collect());
        let mut lines = vec!["mx.example greets you".to_owned()];
        lines.extend(caps);
        let last = lines.len() - 1;
        let lines = lines.iter().enumerate();
        let lines =
            lines.map(|(at, line)| format!("250{}{line}", if at == last { ' ' } else { '-' }));
        lines.collect::<Vec<_>>().join("\r\n")
    }
}

/// What follows the colon of `FROM:` or `TO:`.
fn path(rest: &str) -> Option<String> {
    rest.split_once(':').map(|(_, path)| path.to_owned())
}

async fn read_message(
    stream: &mut BufReader<impl AsyncRead + Unpin>,
) -> std::io::Result<Option<Vec<u8>>> {
    let mut data = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        match line.strip_prefix(b".") {
            Some(b"\r\n") => return Ok(Some(data)),
            Some(unstuffed) => data.extend_from_slice(unstuffed),
            None => data.extend_from_slice(&line),
        }
    }
}
