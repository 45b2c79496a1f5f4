//! A real Postfix with TLS, and logins by Dovecot, in a folder of its own on loopback.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::certificates::Authority;

/// The uid of `nobody` and the gid of `nogroup` on Debian: whom the mail belongs to.
const NOBODY: u32 = 65534;

/// Everything below its own folder, one virtual mailbox, and mail from those alone who log in under TLS.
const MAIN: &str = "compatibility_level = 3.6
queue_directory = @folder@/spool
data_directory = @folder@/data
maillog_file = @folder@/postfix.log
maillog_file_prefixes = @folder@
myhostname = @name@
mydestination =
mynetworks =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
local_recipient_maps =
virtual_mailbox_domains = @domain@
virtual_mailbox_base = @folder@/mail
virtual_mailbox_maps = inline:{ @mailbox@=box/ }
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_tls_cert_file = @certificate@
smtpd_tls_key_file = @key@
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = @folder@/spool/sasl
smtpd_recipient_restrictions = reject_unlisted_recipient, permit_sasl_authenticated, reject
smtpd_peername_lookup = no
";

/// Nothing in a chroot, and no service that sends mail on.
const MASTER: &str = "127.0.0.1:@starttls@ inet n - n - - smtpd -o smtpd_tls_security_level=encrypt
127.0.0.1:@tls@ inet n - n - - smtpd -o smtpd_tls_wrappermode=yes
cleanup unix n - n - 0 cleanup
qmgr unix n - n - 1 qmgr
tlsmgr unix - - n - 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n - 0 flush
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
virtual unix - n n - - virtual
postlog unix-dgram n - n - 1 postlogd
";

const DOVECOT: &str = "base_dir = @folder@/dovecot
state_dir = @folder@/dovecot
log_path = @folder@/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain login cram-md5
default_internal_user = nobody
default_login_user = nobody
default_internal_group = nogroup
passdb {
  driver = passwd-file
  args = scheme=PLAIN @folder@/users
}
service auth {
  unix_listener @folder@/spool/sasl {
    mode = 0666
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
";

/// A running server that takes mail for one mailbox from those who log in, and keeps it.
#[derive(Debug)]
pub struct Postfix {
    /// The port that begins in clear and demands STARTTLS.
    pub starttls: u16,
    /// The port with TLS from the start.
    pub tls: u16,
    folder: TempDir,
}

impl Postfix {
    /// Starts the server `name` for `mailbox`. None, with a message, where Postfix, Dovecot or root are
    /// missing; with `SENDBOX_REQUIRE_MAIL_SERVERS` in the environment that is a failure.
    #[must_use]
    pub fn start(
        authority: &Authority,
        name: &str,
        mailbox: &str,
        user: &str,
        password: &str,
    ) -> Option<Self> {
        let is_there = |file: &str| Path::new("/usr/sbin").join(file).is_file();
        let can_own = fs::metadata("/proc/self").is_ok_and(|own| {
            use std::os::unix::fs::MetadataExt;
            own.uid() == 0
        });
        if !(is_there("postfix") && is_there("dovecot") && can_own) {
            assert!(
                std::env::var_os("SENDBOX_REQUIRE_MAIL_SERVERS").is_none(),
                "postfix, dovecot and root are required"
            );
            eprintln!("skipped: postfix, dovecot or root is missing");
            return None;
        }
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("set");
        for part in ["etc", "spool", "data", "mail", "dovecot"] {
            fs::create_dir(folder.path().join(part)).expect("created");
        }
        let server = Self {
            starttls: free_port(),
            tls: free_port(),
            folder,
        };
        server.configure(authority, name, mailbox, user, password);
        server.run("dovecot", &["-c", "dovecot.conf"]);
        server.run("postfix", &["-c", "etc", "start"]);
        Some(server)
    }

    fn configure(
        &self,
        authority: &Authority,
        name: &str,
        mailbox: &str,
        user: &str,
        password: &str,
    ) {
        let folder = self.folder.path().display().to_string();
        let (certificate, key) = authority.files(name);
        let domain = mailbox.rsplit('@').next().unwrap_or_default();
        let values = [
            ("folder", folder.as_str()),
            ("name", name),
            ("domain", domain),
            ("mailbox", mailbox),
            ("certificate", &certificate.display().to_string()),
            ("key", &key.display().to_string()),
            ("starttls", &self.starttls.to_string()),
            ("tls", &self.tls.to_string()),
        ];
        let files = [
            ("etc/main.cf", MAIN),
            ("etc/master.cf", MASTER),
            ("dovecot.conf", DOVECOT),
        ];
        for (file, template) in files {
            let fill = |text: String, (name, value): &(&str, &str)| {
                text.replace(&format!("@{name}@"), value)
            };
            self.write(file, &values.iter().fold(template.to_owned(), fill));
        }
        self.write("users", &format!("{user}:{{PLAIN}}{password}\n"));
        chown(self.path("mail"), Some(NOBODY), Some(NOBODY)).expect("owned");
        let owner = Command::new("chown")
            .arg("postfix")
            .arg(self.path("data"))
            .status();
        assert!(owner.expect("chown runs").success());
    }

    fn path(&self, part: &str) -> PathBuf {
        self.folder.path().join(part)
    }

    fn write(&self, part: &str, text: &str) {
        fs::write(self.path(part), text).expect("written");
    }

    fn run(&self, program: &str, arguments: &[&str]) {
        let arguments = arguments.iter().map(|argument| match *argument {
            "etc" | "dovecot.conf" => self.path(argument).into_os_string(),
            argument => argument.into(),
        });
        // Its daemons would keep a pipe open.
        let log = fs::File::create(self.path(&format!("{program}.out"))).expect("a file");
        let status = Command::new(Path::new("/usr/sbin").join(program))
            .args(arguments)
            .stdout(log.try_clone().expect("a copy"))
            .stderr(log)
            .status();
        assert!(status.expect("it runs").success(), "{program} failed");
    }

    /// What Postfix and Dovecot wrote down, for a test that failed.
    #[must_use]
    pub fn log(&self) -> String {
        let files = ["postfix.log", "dovecot.log", "postfix.out", "dovecot.out"];
        let texts = files.map(|file| fs::read_to_string(self.path(file)).unwrap_or_default());
        texts.join("\n")
    }

    /// What was delivered, each with CRLF at its lines' ends.
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

impl Drop for Postfix {
    fn drop(&mut self) {
        self.run("postfix", &["-c", "etc", "stop"]);
        let pid = fs::read_to_string(self.path("dovecot/master.pid")).unwrap_or_default();
        let _ = Command::new("kill").arg(pid.trim()).status();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
