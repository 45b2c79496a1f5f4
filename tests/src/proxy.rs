//! A proxy on loopback that speaks SOCKS5 and HTTP `CONNECT`, notes what it is asked for, and may misbehave;
//! and real ones.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::mail_folder::free_port;
use crate::network::can_start;

/// What a proxy does.
#[derive(Clone, Debug)]
pub enum Habit {
    /// Connects.
    Serve,
    /// Connects, and answers in one write with the first bytes of the destination, which must speak first.
    Coalesce,
    /// After the first bytes of a client writes these, piece by piece and each after more of the client's
    /// bytes, and then keeps the connection open.
    Say(Vec<Vec<u8>>),
    /// After the first bytes of a client writes these again and again.
    Endless(Vec<u8>),
    /// Writes these byte by byte, one every 20 ms.
    Drip(Vec<u8>),
    /// Closes after the first bytes.
    Close,
    /// Connects, but to this port: there it writes these bytes and closes.
    Except(u16, Vec<u8>),
}

/// A connection that a proxy was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `socks5` or `http-connect`.
    pub kind: &'static str,
    /// Address and port as they were written, or a name.
    pub to: String,
    /// User and password.
    pub credentials: Option<(String, String)>,
}

/// A running stand-in.
#[derive(Clone, Debug)]
pub struct ProxyPeer {
    /// Where it listens.
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl ProxyPeer {
    /// Starts a proxy.
    pub async fn start(habit: Habit) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a free port");
        let peer = Self {
            address: listener.local_addr().expect("an address"),
            asked: Arc::default(),
        };
        let asked = Arc::clone(&peer.asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (asked, habit) = (Arc::clone(&asked), habit.clone());
                tokio::spawn(async move {
                    // Clients that go away are part of the tests.
                    let _ = serve(stream, &asked, habit).await;
                });
            }
        });
        peer
    }

    /// What was asked for, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no panic").clone()
    }
}

async fn serve(
    mut client: TcpStream,
    asked: &Mutex<Vec<Asked>>,
    habit: Habit,
) -> std::io::Result<()> {
    match habit {
        Habit::Serve | Habit::Coalesce | Habit::Except(..) => {}
        habit => return misbehave(client, habit).await,
    }
    let mut first = [0];
    client.peek(&mut first).await?;
    let (request, yes) = match first {
        [5] => (socks5(&mut client).await?, SOCKS_YES),
        _ => (connect(&mut client).await?, CONNECT_YES),
    };
    let to = request.to.clone();
    asked.lock().expect("no panic").push(request);
    if let Habit::Except(port, bytes) = &habit
        && to.ends_with(&format!(":{port}"))
    {
        return client.write_all(bytes).await;
    }
    let mut server = TcpStream::connect(to).await?;
    let mut answer = yes.to_vec();
    if matches!(habit, Habit::Coalesce) {
        let mut greeting = [0; 512];
        let length = server.read(&mut greeting).await?;
        answer.extend_from_slice(&greeting[..length]);
    }
    client.write_all(&answer).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}

const SOCKS_YES: &[u8] = &[5, 0, 0, 1, 127, 0, 0, 1, 0, 80];
const CONNECT_YES: &[u8] = b"HTTP/1.1 200 Connection established\r\nVia: 1.1 stand-in\r\n\r\n";

async fn misbehave(mut client: TcpStream, habit: Habit) -> std::io::Result<()> {
    let mut buffer = [0; 1 << 10];
    let mut heard = client.read(&mut buffer).await?;
    match habit {
        Habit::Say(pieces) => {
            let last = pieces.len().saturating_sub(1);
            for (index, piece) in pieces.into_iter().enumerate() {
                client.write_all(&piece).await?;
                if index < last && heard > 0 {
                    heard = client.read(&mut buffer).await?;
                }
            }
        }
        Habit::Endless(bytes) => loop {
            client.write_all(&bytes).await?;
        },
        Habit::Drip(bytes) => {
            let mut ticks = tokio::time::interval(Duration::from_millis(20));
            for byte in bytes {
                ticks.tick().await;
                client.write_all(&[byte]).await?;
            }
        }
        _ => return Ok(()),
    }
    // Until the client goes.
    while client.read(&mut buffer).await? > 0 {}
    Ok(())
}

async fn text(client: &mut TcpStream) -> std::io::Result<String> {
    let length = client.read_u8().await?;
    let mut bytes = vec![0; length.into()];
    client.read_exact(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn socks5(client: &mut TcpStream) -> std::io::Result<Asked> {
    let _version = client.read_u8().await?;
    let mut methods = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut methods).await?;
    let mut credentials = None;
    if methods.contains(&2) {
        client.write_all(&[5, 2]).await?;
        let _version = client.read_u8().await?;
        credentials = Some((text(client).await?, text(client).await?));
        client.write_all(&[1, 0]).await?;
    } else {
        client.write_all(&[5, 0]).await?;
    }
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => IpAddr::from(Ipv4Addr::from_bits(client.read_u32().await?)).to_string(),
        4 => format!("[{}]", Ipv6Addr::from_bits(client.read_u128().await?)),
        _ => text(client).await?,
    };
    Ok(Asked {
        kind: "socks5",
        to: format!("{host}:{}", client.read_u16().await?),
        credentials,
    })
}

async fn connect(client: &mut TcpStream) -> std::io::Result<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let word = |line: &str| line.split(' ').nth(1).unwrap_or_default().to_owned();
    let login = head
        .lines()
        .find_map(|line| line.strip_prefix("Proxy-Authorization: Basic "));
    Ok(Asked {
        kind: "http-connect",
        to: head.lines().next().map(word).unwrap_or_default(),
        // As it was encoded: a test knows its own.
        credentials: login.map(|login| (login.to_owned(), String::new())),
    })
}

/// A real proxy, in a process of its own.
#[derive(Debug)]
pub struct RealProxy {
    /// Where it listens.
    pub address: SocketAddr,
    process: Child,
    _folder: TempDir,
}

impl RealProxy {
    /// Starts microsocks, which leaves from `leaves_from`. None, with a message, where [`can_start`] says so.
    #[must_use]
    pub fn microsocks(leaves_from: IpAddr, user: &str, password: &str) -> Option<Self> {
        const PROGRAM: &str = "/usr/bin/microsocks";
        if !can_start("microsocks", Path::new(PROGRAM).is_file()) {
            return None;
        }
        let port = free_port();
        let mut command = Command::new(PROGRAM);
        command.args(["-i", "127.0.0.1", "-p", &port.to_string()]);
        command.args(["-b", &leaves_from.to_string(), "-u", user, "-P", password]);
        Some(Self::run(
            &mut command,
            port,
            tempfile::tempdir().expect("a folder"),
        ))
    }

    /// Starts tinyproxy in the same way.
    #[must_use]
    pub fn tinyproxy(leaves_from: IpAddr, user: &str, password: &str) -> Option<Self> {
        const PROGRAM: &str = "/usr/bin/tinyproxy";
        if !can_start("tinyproxy", Path::new(PROGRAM).is_file()) {
            return None;
        }
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a folder"));
        let file = folder.path().join("tinyproxy.conf");
        let text = format!(
            "Port {port}\nListen 127.0.0.1\nBind {leaves_from}\nTimeout 60\nMaxClients 20\n\
             Allow 127.0.0.1\nBasicAuth {user} {password}\nLogLevel Critical\n"
        );
        fs::write(&file, text).expect("written");
        let mut command = Command::new(PROGRAM);
        command.args(["-d", "-c"]).arg(&file);
        Some(Self::run(&mut command, port, folder))
    }

    fn run(command: &mut Command, port: u16, folder: TempDir) -> Self {
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            process: command.spawn().expect("it starts"),
            _folder: folder,
        }
    }

    /// Until it listens.
    pub async fn listens(&self) {
        let mut ticks = tokio::time::interval(Duration::from_millis(20));
        for _ in 0..500 {
            ticks.tick().await;
            if TcpStream::connect(self.address).await.is_ok() {
                return;
            }
        }
        panic!("{} does not listen", self.address);
    }
}

impl Drop for RealProxy {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
