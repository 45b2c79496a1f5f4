//! A real Exim with TLS and logins, run from its unpacked Debian package, in a folder of its own on loopback.

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::mail_folder::{MailFolder, Wanted, can_start, free_port};

/// Names the folder into which the package `exim4-daemon-light` was unpacked: Debian does not install it
/// beside Postfix.
const ROOT: &str = "SENDBOX_EXIM";
/// Whom the package runs as.
const USER: &str = "Debian-exim";

/// Everything below its own folder, one mailbox, and mail from those alone who log in under TLS.
const CONFIGURATION: &str = "exim_path = @program@
primary_hostname = @name@
spool_directory = @folder@/spool
log_file_path = @folder@/spool/%s.log
pid_file_path = @folder@/spool/exim.pid
local_interfaces = 127.0.0.1
daemon_smtp_ports = @starttls@ : @tls@
tls_on_connect_ports = @tls@
tls_certificate = @folder@/server.pem
tls_privatekey = @folder@/server.key
tls_advertise_hosts = *
auth_advertise_hosts = ${if eq{$tls_in_cipher}{}{}{*}}
smtputf8_advertise_hosts = *
prdr_enable = false
hosts_treat_as_local =
host_lookup =
rfc1413_hosts =
keep_environment =
deliver_drop_privilege = true
bounce_return_size_limit = 10K
acl_smtp_mail = mail
acl_smtp_rcpt = rcpt

begin acl
mail:
  deny message = log in first
       !authenticated = *
  accept
rcpt:
  accept recipients = @mailbox@
  deny message = unknown user

begin routers
box:
  driver = accept
  transport = box

begin transports
box:
  driver = appendfile
  directory = @folder@/mail/box
  maildir_format
  create_directory
  return_path_add
  envelope_to_add

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${if and{{eq{$auth2}{@user@}}{eq{$auth3}{@password@}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = <| Username: | Password:
  server_condition = ${if and{{eq{$auth1}{@user@}}{eq{$auth2}{@password@}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${if eq{$auth1}{@user@}{@password@}fail}
  server_set_id = $auth1
";

/// A running server that takes mail for one mailbox from those who log in, and keeps it.
#[derive(Debug)]
pub struct Exim {
    /// The port that begins in clear and offers STARTTLS.
    pub starttls: u16,
    /// The port with TLS from the start.
    pub tls: u16,
    folder: MailFolder,
    daemon: Child,
}

impl Exim {
    /// Starts a server. None, with a message, where [`can_start`] says so.
    #[must_use]
    pub fn start(wanted: Wanted<'_>) -> Option<Self> {
        let root = std::env::var_os(ROOT).map(PathBuf::from);
        let program = root.map(|root| root.join("usr/sbin/exim4"));
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let has_user = users
            .lines()
            .any(|line| line.starts_with(&format!("{USER}:")));
        let is_there = program.as_deref().is_some_and(Path::is_file) && has_user;
        if !can_start("Exim in SENDBOX_EXIM, its user Debian-exim", is_there) {
            return None;
        }
        let (starttls, tls) = (free_port(), free_port());
        let program = program?;
        let folder = configured(wanted, &program, starttls, tls);
        let out = fs::File::create(folder.path("exim.out")).expect("a file");
        let daemon = Command::new(program)
            .arg("-C")
            .arg(folder.path("exim.conf"))
            // In the foreground: it ends with its process.
            .args(["-bdf", "-odi"])
            .stdin(Stdio::null())
            .stdout(out.try_clone().expect("a copy"))
            .stderr(out)
            .spawn()
            .expect("it runs");
        let mut server = Self {
            starttls,
            tls,
            folder,
            daemon,
        };
        server.wait();
        Some(server)
    }

    /// Until it listens.
    fn wait(&mut self) {
        while TcpStream::connect(("127.0.0.1", self.tls)).is_err() {
            let ended = self.daemon.try_wait().expect("a child");
            assert!(ended.is_none(), "exim ended: {}", self.log());
            std::thread::yield_now();
        }
    }

    /// What it wrote down, for a test that failed.
    #[must_use]
    pub fn log(&self) -> String {
        let files = [
            "spool/main.log",
            "spool/panic.log",
            "spool/reject.log",
            "exim.out",
        ];
        self.folder.log(&files)
    }

    /// What was delivered, each with CRLF at its lines' ends.
    #[must_use]
    pub fn delivered(&self) -> Vec<String> {
        self.folder.delivered()
    }
}

impl Drop for Exim {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn configured(wanted: Wanted<'_>, program: &Path, starttls: u16, tls: u16) -> MailFolder {
    let folder = MailFolder::new(&["spool"]);
    let (certificate, key) = wanted.authority.files(wanted.name);
    // It reads them as its own user, who may not enter the authority's folder.
    fs::copy(certificate, folder.path("server.pem")).expect("copied");
    fs::copy(key, folder.path("server.key")).expect("copied");
    folder.fill(
        "exim.conf",
        CONFIGURATION,
        &[
            ("program", &program.display().to_string()),
            ("name", wanted.name),
            ("mailbox", wanted.mailbox),
            ("user", wanted.user),
            ("password", wanted.password),
            ("starttls", &starttls.to_string()),
            ("tls", &tls.to_string()),
        ],
    );
    folder.give(USER, &["spool", "mail", "server.pem", "server.key"]);
    folder
}
