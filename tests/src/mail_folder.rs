//! What the real mail servers of the tests have in common: a folder of their own, files made from
//! templates, and a mailbox in which mail arrives.

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::certificates::Authority;
use crate::network::is_offered;

/// The uid of `nobody` and the gid of `nogroup` on Debian: whom the mail belongs to.
const NOBODY: u32 = 65534;

/// What a server is told: as whom it speaks, whose mail it takes, and who may submit it.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Who signs its certificate.
    pub authority: &'a Authority,
    /// Its name.
    pub name: &'a str,
    /// The one mailbox.
    pub mailbox: &'a str,
    /// The one user.
    pub user: &'a str,
    /// The user's password.
    pub password: &'a str,
}

/// Whether the servers that a test needs may start. Where not, a message says so; with
/// `SENDBOX_REQUIRE_MAIL_SERVERS` in the environment that is a failure.
#[must_use]
pub fn can_start(needs: &str, are_there: bool) -> bool {
    is_offered(needs, are_there, "SENDBOX_REQUIRE_MAIL_SERVERS")
}

/// A port of loopback that nobody uses.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}

/// A server's own folder.
#[derive(Debug)]
pub struct MailFolder {
    folder: TempDir,
}

impl MailFolder {
    /// A folder with these folders in it; `mail` is for what arrives.
    #[must_use]
    pub fn new(parts: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("set");
        for part in parts.iter().chain([&"mail"]) {
            fs::create_dir(folder.path().join(part)).expect("created");
        }
        let made = Self { folder };
        chown(made.path("mail"), Some(NOBODY), Some(NOBODY)).expect("owned");
        made
    }

    /// The path of a part.
    #[must_use]
    pub fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    /// Writes a file.
    pub fn write(&self, part: &str, text: &str) {
        fs::write(self.path(part), text).expect("written");
    }

    /// Writes a file from a template, in which `@name@` stands for a value.
    pub fn fill(&self, part: &str, template: &str, values: &[(&str, &str)]) {
        let folder = self.folder.path().display().to_string();
        let text = template.replace("@folder@", &folder);
        let fill =
            |text: String, (name, value): &(&str, &str)| text.replace(&format!("@{name}@"), value);
        self.write(part, &values.iter().fold(text, fill));
    }

    /// Makes `owner` the owner of parts.
    pub fn give(&self, owner: &str, parts: &[&str]) {
        let paths = parts.iter().map(|part| self.path(part));
        let status = Command::new("chown").arg(owner).args(paths).status();
        assert!(status.expect("chown runs").success(), "chown {owner}");
    }

    /// Runs a program to its end, its words in `NAME.out`: its daemons would keep a pipe open.
    pub fn run<S: AsRef<OsStr>>(&self, program: &Path, arguments: impl IntoIterator<Item = S>) {
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let log = fs::File::create(self.path(&format!("{name}.out"))).expect("a file");
        let status = Command::new(program)
            .args(arguments)
            .stdout(log.try_clone().expect("a copy"))
            .stderr(log)
            .status();
        assert!(status.expect("it runs").success(), "{name} failed");
    }

    /// The words of log files, for a test that failed.
    #[must_use]
    pub fn log(&self, parts: &[&str]) -> String {
        let read = |part: &&str| fs::read_to_string(self.path(part)).unwrap_or_default();
        parts.iter().map(read).collect::<Vec<_>>().join("\n")
    }

    /// What was delivered to the folder `mail/box`, each with CRLF at its lines' ends.
    #[must_use]
    pub fn delivered(&self) -> Vec<String> {
        let Ok(files) = fs::read_dir(self.path("mail/box/new")) else {
            return Vec::new();
        };
        let mut paths: Vec<_> = files.flatten().map(|file| file.path()).collect();
        paths.sort();
        let texts = paths
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok());
        texts.map(|text| text.replace('\n', "\r\n")).collect()
    }
}
