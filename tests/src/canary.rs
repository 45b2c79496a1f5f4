//! A network namespace whose every address leads to a listener: what a process should never connect to
//! can be seen to be left alone.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

use nix::sched::{CloneFlags, unshare};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::network::can_start;

const IP: &str = "/usr/sbin/ip";

/// Ranges that become addresses of the namespace: those that must not be dialled, and those of the controls.
/// Loopback is there already; nothing can be local in `0.0.0.0/8`, multicast and broadcast.
const LOCAL: [&str; 30] = [
    "10.0.0.0/8",
    "100.64.0.0/10",
    "168.63.129.16/32",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "240.0.0.0/4",
    "::7f00:0/104",
    "64:ff9b::/96",
    "64:ff9b:1::/48",
    "100::/64",
    "2001::/23",
    "2001:db8::/32",
    "2002::/16",
    "3fff::/20",
    "5f00::/16",
    "fc00::/7",
    "fec0::/10",
    "9.0.0.0/8",
    "1.1.1.0/24",
    "8.8.0.0/16",
    "2606:4700::/32",
    "93.184.0.0/16",
    "2a00::/12",
];

/// Runs a test in a network namespace of its own, on threads that see no other network; what is mounted there is seen
/// nowhere else. Skipped, with a message, where [`can_start`] says so.
pub fn in_namespace<F: Future>(test: impl FnOnce() -> F + Send + 'static) {
    let thread = std::thread::spawn(move || {
        // Only this thread moves, and those that it starts.
        let own = CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS;
        let moved = Path::new(IP).is_file() && unshare(own).is_ok();
        if !can_start("iproute2, network namespaces", moved) {
            return;
        }
        mount(&["--make-rprivate", "/"]);
        ip(&["link", "set", "lo", "up"]);
        for range in LOCAL {
            let family = if range.contains(':') { "-6" } else { "-4" };
            ip(&[family, "route", "add", "local", range, "dev", "lo"]);
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(test());
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

/// Mounts in the namespace of this thread.
pub fn mount(words: &[&str]) {
    let status = Command::new("mount").args(words).status();
    assert!(status.expect("mount runs").success(), "mount {words:?}");
}

fn ip(words: &[&str]) {
    let status = Command::new(IP).args(words).status();
    assert!(status.expect("ip runs").success(), "ip {words:?}");
}

/// Connections that were begun in the namespace of this thread since it was made: each SYN of a client,
/// to whatever address and port (`ActiveOpens` of RFC 4022).
#[must_use]
pub fn active_opens() -> u64 {
    let table = fs::read_to_string("/proc/thread-self/net/snmp").expect("readable");
    let rows: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("Tcp:"))
        .map(|line| line.split(' ').collect())
        .collect();
    let column = rows[0].iter().position(|name| *name == "ActiveOpens");
    rows[1][column.expect("a column")]
        .parse()
        .expect("a number")
}

/// Listeners on every address of the namespace.
#[derive(Clone, Debug, Default)]
pub struct Canary {
    seen: Arc<Mutex<Vec<SocketAddr>>>,
}

impl Canary {
    /// Listens at a port of every address. What is connected there is passed on to `behind`, or closed.
    pub async fn listen(&self, port: u16, behind: Option<SocketAddr>) {
        let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await;
        let (listener, seen) = (listener.expect("a free port"), Arc::clone(&self.seen));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let address = stream.local_addr().expect("an address");
                let address = SocketAddr::new(address.ip().to_canonical(), address.port());
                seen.lock().expect("no panic").push(address);
                if let Some(behind) = behind {
                    tokio::spawn(async move {
                        if let Ok(mut server) = TcpStream::connect(behind).await {
                            // Either side may go first.
                            let _ = copy_bidirectional(&mut stream, &mut server).await;
                        }
                    });
                }
            }
        });
    }

    /// The addresses that were connected to since the last look, in order.
    #[must_use]
    pub fn take(&self) -> Vec<SocketAddr> {
        std::mem::take(&mut *self.seen.lock().expect("no panic"))
    }
}
