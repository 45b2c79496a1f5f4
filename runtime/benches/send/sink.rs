//! The provider's mail server: an ordinary one, which takes everything and delays its ACKs as the kernel does.

use std::net::SocketAddr;

use anyhow::Result;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Begins to listen. Returns where.
pub(crate) async fn start() -> Result<SocketAddr> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // A client that goes away is no failure of the measurement.
            tokio::spawn(async move { drop(serve(stream).await) });
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut said = String::from("220 sink.test ESMTP\r\n");
    let (mut line, mut in_message) = (String::new(), false);
    loop {
        // Answers to commands that came together leave together.
        if !said.is_empty() && stream.buffer().is_empty() {
            stream.write_all(said.as_bytes()).await?;
            said.clear();
        }
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        if in_message {
            in_message = line != ".\r\n";
            if !in_message {
                said.push_str("250 2.0.0 taken\r\n");
            }
            continue;
        }
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        said.push_str(match word.as_str() {
            "EHLO" => "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 1000000\r\n",
            "DATA" => "354 go ahead\r\n",
            "QUIT" => return Ok(()),
            _ => "250 2.1.0 OK\r\n",
        });
        in_message = word == "DATA";
    }
}
