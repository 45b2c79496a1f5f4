//! A real mail server, Python's aiosmtpd, that deviates as it is told.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use crate::certificates::Authority;
use crate::mail_folder::can_start;

/// Debian's own: its packages are not seen by another.
const PYTHON: &str = "/usr/bin/python3";
const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/deviant.py");

/// A running server. It takes mail from the user `apikey`.
#[derive(Debug)]
pub struct Deviant {
    /// Its port, which begins in clear.
    pub port: u16,
    server: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Deviant {
    /// Whether [`Self::start`] can work; a message says why not.
    #[must_use]
    pub fn is_there() -> bool {
        let found = Command::new(PYTHON)
            .args(["-c", "import aiosmtpd"])
            .stderr(Stdio::null())
            .status();
        can_start(
            "python3-aiosmtpd",
            found.is_ok_and(|status| status.success()),
        )
    }

    /// Starts a server of this name with deviations as `deviant.py` names them.
    #[must_use]
    pub fn start(authority: &Authority, name: &str, deviations: &[&str]) -> Self {
        let (certificate, key) = authority.files(name);
        let mut server = Command::new(PYTHON)
            .arg(PROGRAM)
            .args([certificate, key])
            .args(deviations)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python runs");
        let mut output = BufReader::new(server.stdout.take().expect("a pipe"));
        let mut port = String::new();
        output.read_line(&mut port).expect("a line");
        Self {
            port: port.trim().parse().expect("a port"),
            input: server.stdin.take(),
            server,
            output,
        }
    }

    /// Ends the server. Returns the messages that it took.
    #[must_use]
    pub fn taken(mut self) -> Vec<Value> {
        self.input = None;
        let mut lines = String::new();
        self.output.read_to_string(&mut lines).expect("text");
        let parse = |line| serde_json::from_str(line).expect("one JSON object a line");
        lines.lines().map(parse).collect()
    }
}

impl Drop for Deviant {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
