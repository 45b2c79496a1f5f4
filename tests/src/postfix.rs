//! A real Postfix with TLS, and logins by Dovecot, in a folder of its own on loopback.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::mail_folder::{MailFolder, Wanted, can_start, free_port};

const POSTFIX: &str = "/usr/sbin/postfix";
const DOVECOT_PROGRAM: &str = "/usr/sbin/dovecot";

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
    folder: MailFolder,
}

impl Postfix {
    /// Starts a server. None, with a message, where [`can_start`] says so.
    #[must_use]
    pub fn start(wanted: Wanted<'_>) -> Option<Self> {
        let are_there = [POSTFIX, DOVECOT_PROGRAM].map(|file| Path::new(file).is_file());
        if !can_start("postfix, dovecot", are_there == [true, true]) {
            return None;
        }
        let server = Self {
            starttls: free_port(),
            tls: free_port(),
            folder: MailFolder::new(&["etc", "spool", "data", "dovecot"]),
        };
        server.configure(wanted);
        let dovecot = server.folder.path("dovecot.conf");
        server
            .folder
            .run(Path::new(DOVECOT_PROGRAM), ["-c".into(), dovecot]);
        server.postfix("start");
        Some(server)
    }

    fn configure(&self, wanted: Wanted<'_>) {
        let (certificate, key) = wanted.authority.files(wanted.name);
        let domain = wanted.mailbox.rsplit('@').next().unwrap_or_default();
        let values = [
            ("name", wanted.name),
            ("domain", domain),
            ("mailbox", wanted.mailbox),
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
            self.folder.fill(file, template, &values);
        }
        let Wanted { user, password, .. } = wanted;
        let users = format!("{user}:{{PLAIN}}{password}\n");
        self.folder.write("users", &users);
        self.folder.give("postfix", &["data"]);
    }

    fn postfix(&self, command: &str) {
        let etc = self.folder.path("etc");
        let arguments = ["-c".into(), etc.into_os_string(), command.into()];
        self.folder.run(Path::new(POSTFIX), arguments);
    }

    /// What Postfix and Dovecot wrote down, for a test that failed.
    #[must_use]
    pub fn log(&self) -> String {
        let files = ["postfix.log", "dovecot.log", "postfix.out", "dovecot.out"];
        self.folder.log(&files)
    }

    /// What was delivered, each with CRLF at its lines' ends.
    #[must_use]
    pub fn delivered(&self) -> Vec<String> {
        self.folder.delivered()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        self.postfix("stop");
        let pid = self.folder.path("dovecot/master.pid");
        let pid = fs::read_to_string(pid).unwrap_or_default();
        let _ = Command::new("kill").arg(pid.trim()).status();
        // No process of the test is left behind.
        while !pid.is_empty() && Path::new("/proc").join(pid.trim()).exists() {
            std::thread::yield_now();
        }
    }
}
