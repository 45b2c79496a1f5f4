//! The command line as a client of servers that are elsewhere: behind a path, behind TLS of a company's own, with what
//! editors, shells and secret managers add.

use std::ffi::OsStr;
use std::fs;
use std::net::SocketAddr;
use std::process::{Output, Stdio};

use axum::Router;
use sendbox_tests::certificates::Authority;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::harness::House;
use crate::process::sendbox;

/// Runs a command against a server, off the async threads.
async fn run(server: &str, key: &str, ca: Option<&OsStr>, arguments: &[&str]) -> Output {
    let mut command = sendbox(arguments);
    command
        .env("SENDBOX_SERVER", server)
        .env("SENDBOX_KEY", key)
        .env("SENDBOX_CA", ca.unwrap_or_default())
        .stdout(Stdio::piped());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn said(output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    String::from_utf8_lossy(out).into_owned() + &String::from_utf8_lossy(err)
}

/// A proxy that ends TLS before `server`.
async fn behind_tls(server: SocketAddr, acceptor: TlsAcceptor) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut inside = acceptor.accept(stream).await?;
                let mut outside = TcpStream::connect(server).await?;
                tokio::io::copy_bidirectional(&mut inside, &mut outside).await
            });
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_found_behind_a_path_and_behind_a_companys_own_authority() {
    let house = House::start().await;
    let list = ["tenant", "list"];
    let routes = sendbox::api::router(house.server.app().clone());
    let nested = Router::new().nest("/send/box", routes);
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, nested).await });
    // A key from a file ends with its line.
    let key = format!("{}\n", house.operator);
    for server in [
        format!("http://127.0.0.1:{port}/send/box"),
        format!("http://localhost:{port}/send/box/"),
    ] {
        let output = run(&server, &key, None, &list).await;
        assert!(output.status.success(), "{server}: {}", said(&output));
    }
    let authority = Authority::new();
    let ca = authority.file();
    let port = behind_tls(house.server.address, authority.server("localhost")).await;
    let server = format!("https://localhost:{port}");
    let output = run(&server, &key, Some(ca.as_os_str()), &list).await;
    assert!(output.status.success(), "{}", said(&output));
    let output = run(&server, &key, None, &list).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("certificate"), "{}", said(&output));
    let missing = ca.with_file_name("missing.pem");
    let output = run(&server, &key, Some(missing.as_os_str()), &list).await;
    assert!(said(&output).contains("--ca"), "{}", said(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_editors_and_others_put_into_a_text_does_no_harm() {
    let house = House::start().await;
    let server = format!("http://{}", house.server.address);
    let component = connector_bundle::component("http-email").unwrap();
    house.upload(component).await.expect(201);
    let title = "Acme\u{1b}[2J\u{7}\u{202e}";
    house
        .operate("PUT", "/v1/tenants/acme", json!({ "title": title }))
        .await
        .expect(201);
    let folder = tempfile::tempdir().unwrap();
    let settings = folder.path().join("settings.json");
    fs::write(&settings, "\u{feff}{\"endpoint\":\"http://127.0.0.1:9/\"}").unwrap();
    let put = [
        "integration",
        "put",
        "mail",
        "--tenant",
        "acme",
        "--connector",
        "http-email",
        "--settings",
        settings.to_str().unwrap(),
    ];
    let output = run(&server, &house.operator, None, &put).await;
    assert!(output.status.success(), "{}", said(&output));
    let output = run(&server, &house.operator, None, &["tenant", "list"]).await;
    let shown = said(&output);
    assert!(shown.contains("Acme\u{fffd}[2J\u{fffd}\u{fffd}"), "{shown}");
    // For programs it is what it is.
    let json = ["--output", "json", "tenant", "list"];
    let output = run(&server, &house.operator, None, &json).await;
    let list: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(list["data"][0]["title"].as_str(), Some(title), "{list}");
}

#[test]
fn output_that_cannot_be_written_is_a_failure_and_a_reader_that_is_gone_is_none() {
    let mut full = sendbox(&["config", "check"]);
    let output = full
        .stdout(fs::File::options().write(true).open("/dev/full").unwrap())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("standard output"),
        "{}",
        said(&output)
    );
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = sendbox(&["config", "check"]).stdout(writer).output();
    assert_eq!(output.unwrap().status.code(), Some(0));
}
