//! A database that goes away under a server, or that a start does not find: nothing is accepted into the void.

use std::fs::{self, File};
use std::path::Path;

use crate::harness::{House, Provider};
use crate::process::Process;

/// Data with a tenant, and its key.
async fn data(provider: &Provider) -> (tempfile::TempDir, String) {
    let house = House::start().await;
    let endpoint = format!("http://{}/", provider.address);
    let acme = house.tenant("acme", &endpoint, None).await;
    (house.stop().await, acme)
}

/// What somebody does to the files of a server that runs.
type Harm = (&'static str, &'static str, fn(&Path));

fn log_of(database: &Path) -> std::path::PathBuf {
    database.with_file_name("sendbox.db-wal")
}

fn cut(path: &Path, bytes: u64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(bytes).unwrap();
}

const HARMS: [Harm; 6] = [
    ("removed", "was removed", |database| {
        fs::remove_file(database).unwrap()
    }),
    ("replaced by a copy", "was replaced", |database| {
        let copy = database.with_file_name("copy");
        fs::copy(database, &copy).unwrap();
        fs::rename(copy, database).unwrap();
    }),
    ("cut", "was cut", |database| cut(database, 0)),
    ("its log removed", "lost its log", |database| {
        fs::remove_file(log_of(database)).unwrap();
    }),
    ("its log replaced", "was given another log", |database| {
        let log = log_of(database);
        let copy = database.with_file_name("copy");
        fs::copy(&log, &copy).unwrap();
        fs::rename(copy, log).unwrap();
    }),
    ("its log cut", "was cut", |database| {
        cut(&log_of(database), 0)
    }),
];

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_to_no_database_is_not_accepted() {
    let provider = Provider::accepting().await;
    for (harm, words, act) in HARMS {
        let (folder, acme) = data(&provider).await;
        let data = folder.path().join("data");
        let mut server = Process::start(&data).await;
        let sent = server.send(&acme, 30).await.expect(202);
        assert_eq!(sent.text_at("/state"), "sent", "{harm}");
        act(&data.join("sendbox.db"));
        let refused = server.send(&acme, 0).await;
        assert_eq!(refused.status, 503, "{harm}: {}", refused.text);
        assert_eq!(refused.text_at("/code"), "unavailable", "{harm}");
        let ready = server.call("", "GET", "/readyz", ().into()).await;
        assert_eq!(ready.status, 503, "{harm}: {}", ready.text);
        server.says(words).await;
        // For good: what would be written now is found by nobody.
        assert_eq!(server.send(&acme, 0).await.status, 503, "{harm}");
        server.signal("KILL");
        server.ended();
    }
}

/// A backup, a browser of tables: they read, and take the log into the database when they leave.
#[tokio::test(flavor = "multi_thread")]
async fn another_program_may_read_the_database_and_take_in_its_log() {
    let provider = Provider::accepting().await;
    let (folder, acme) = data(&provider).await;
    let data = folder.path().join("data");
    let server = Process::start(&data).await;
    for statement in [
        "SELECT count(*) FROM message",
        "PRAGMA wal_checkpoint(TRUNCATE)",
    ] {
        server.send(&acme, 30).await.expect(202);
        let read = format!(
            "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('{statement}').fetchall())"
        );
        let output = std::process::Command::new("python3")
            .args(["-c", &read])
            .arg(data.join("sendbox.db"))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    assert_eq!(
        fs::metadata(log_of(&data.join("sendbox.db")))
            .unwrap()
            .len(),
        0
    );
    let sent = server.send(&acme, 30).await.expect(202);
    assert_eq!(sent.text_at("/state"), "sent");
    assert_eq!(
        server.call("", "GET", "/readyz", ().into()).await.status,
        200
    );
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_begins_no_database_where_there_was_one_unless_it_is_told_to() {
    let provider = Provider::accepting().await;
    let (folder, acme) = data(&provider).await;
    let data = folder.path().join("data");
    let away = folder.path().join("away");
    fs::rename(data.join("sendbox.db"), &away).unwrap();
    for trace in ["operator.key", "sealing.key", "sealing.key.ended"] {
        let output = Process::command(&data).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains(trace) && said.contains("--new-database"),
            "{said}"
        );
        assert!(!data.join("sendbox.db").exists());
        fs::rename(data.join(trace), folder.path().join(trace)).unwrap();
    }
    for trace in ["operator.key", "sealing.key", "sealing.key.ended"] {
        fs::rename(folder.path().join(trace), data.join(trace)).unwrap();
    }
    // Put back, it is what it was.
    fs::rename(&away, data.join("sendbox.db")).unwrap();
    let server = Process::start(&data).await;
    server.send(&acme, 30).await.expect(202);
    server.stop();
    // Told to, it begins anew, with a key that works.
    fs::remove_file(data.join("sendbox.db")).unwrap();
    let mut command = Process::command(&data);
    command.arg("--new-database");
    let server = Process::spawn(command).await;
    assert_eq!(server.send(&acme, 0).await.status, 401);
    let operator = fs::read_to_string(data.join("operator.key")).unwrap();
    let tenants = server.call(operator.trim(), "GET", "/v1/tenants", ().into());
    assert_eq!(
        tenants.await.expect(200).json()["data"],
        serde_json::json!([])
    );
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_its_sealing_keys_gets_no_others() {
    let provider = Provider::accepting().await;
    let (folder, acme) = data(&provider).await;
    let data = folder.path().join("data");
    let away = folder.path().join("sealing.key");
    fs::rename(data.join("sealing.key"), &away).unwrap();
    for arguments in [&[][..], &["--new-database"]] {
        let output = Process::command(&data).args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("sealing.key") && said.contains("put the file back"),
            "{said}"
        );
        assert!(
            !data.join("sealing.key").exists(),
            "a wrong key stands in its place"
        );
    }
    fs::rename(away, data.join("sealing.key")).unwrap();
    let server = Process::start(&data).await;
    server.send(&acme, 30).await.expect(202);
    server.stop();
}
