//! An older database under a newer record of what ended.

use std::path::{Path, PathBuf};

use sendbox::time::Clock;
use serde_json::{Value, json};

use crate::harness::{House, Provider};

fn database(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("data/sendbox.db")
}

fn record(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("data/sealing.key.ended")
}

/// Puts a backup in the database's place, as an operator does.
fn restore(folder: &tempfile::TempDir, backup: &Path) {
    for log in ["sendbox.db-wal", "sendbox.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join("data").join(log));
    }
    std::fs::copy(backup, database(folder)).unwrap();
}

async fn status(house: &House, key: &str) -> u16 {
    let answer = house.call(key, "GET", "/v1/messages", &Value::Null).await;
    answer.status
}

/// A second key of a tenant, with its id.
async fn another_key(house: &House, tenant: &str) -> (String, String) {
    let path = format!("/v1/tenants/{tenant}/keys");
    let made = house.operate("POST", &path, json!({})).await.expect(201);
    (made.text_at("/id"), made.text_at("/key"))
}

async fn delete_tenant(house: &House, tenant: &str) {
    for path in ["/routes/email", "/integrations/mail", ""] {
        let path = format!("/v1/tenants/{tenant}{path}");
        house
            .operate("DELETE", &path, Value::Null)
            .await
            .expect(204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_revoked_and_deleted_stays_so_in_a_database_that_was_restored() {
    let provider = Provider::accepting().await;
    let endpoint = format!("http://{}/", provider.address);
    let house = House::start().await;
    let acme = house.tenant("acme", &endpoint, None).await;
    let (leaked_id, leaked) = another_key(&house, "acme").await;
    let globex = house.tenant("globex", &endpoint, None).await;
    let first = house.stop().await;
    let backup = first.path().join("backup.db");
    std::fs::copy(database(&first), &backup).unwrap();

    let house = House::start_in(first, Clock::System, |_| {}).await;
    assert_eq!(house.server.app().store.restored(), None);
    let path = format!("/v1/tenants/acme/keys/{leaked_id}");
    house
        .operate("DELETE", &path, Value::Null)
        .await
        .expect(204);
    delete_tenant(&house, "globex").await;
    // One that has the name of the one before is another.
    let again = house.tenant("globex", &endpoint, None).await;
    let folder = house.stop().await;
    let later = folder.path().join("later.db");
    std::fs::copy(database(&folder), &later).unwrap();

    restore(&folder, &backup);
    let house = House::start_in(folder, Clock::System, |_| {}).await;
    let restored = house.server.app().store.restored().unwrap().clone();
    assert_eq!(restored.keys, [leaked_id]);
    let tenants: Vec<_> = restored.tenants.iter().map(ToString::to_string).collect();
    assert_eq!(tenants, ["globex"]);
    assert!(restored.entries >= 3, "{restored:?}");
    assert_eq!(
        (status(&house, &acme).await, status(&house, &leaked).await),
        (200, 401)
    );
    assert_eq!(
        (status(&house, &globex).await, status(&house, &again).await),
        (401, 401)
    );
    let gone = house
        .operate("GET", "/v1/tenants/globex", Value::Null)
        .await;
    gone.expect(404);
    // What is there works, and another start finds nothing more.
    let message = json!({ "channel": "email", "to": "a@b.test", "type": "SignIn", "payload": { "code": "577215" } });
    let sent = house
        .call(&acme, "POST", "/v1/messages?wait=30", &message)
        .await;
    assert_eq!(sent.expect(202).text_at("/state"), "sent");
    let folder = house.stop().await;
    let house = House::start_in(folder, Clock::System, |_| {}).await;
    assert_eq!(house.server.app().store.restored(), None);

    // A backup from after the deletion has the tenant that was made since.
    let folder = house.stop().await;
    restore(&folder, &later);
    let house = House::start_in(folder, Clock::System, |_| {}).await;
    let restored = house.server.app().store.restored().unwrap().clone();
    assert!(restored.entries > 0 && restored.keys.is_empty() && restored.tenants.is_empty());
    assert_eq!(
        (status(&house, &again).await, status(&house, &leaked).await),
        (200, 401)
    );
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_lost_or_unreadable_is_told_from_one_that_is_whole() {
    let house = House::start().await;
    house
        .operate("PUT", "/v1/tenants/acme", json!({}))
        .await
        .expect(201);
    let (id, key) = another_key(&house, "acme").await;
    let folder = house.stop().await;
    std::fs::remove_file(record(&folder)).unwrap();
    let house = House::start_in(folder, Clock::System, |_| {}).await;
    let path = format!("/v1/tenants/acme/keys/{id}");
    house
        .operate("DELETE", &path, Value::Null)
        .await
        .expect(204);
    assert_eq!(status(&house, &key).await, 401);
    let folder = house.stop().await;
    let text = std::fs::read_to_string(record(&folder)).unwrap();
    assert!(text.contains(&format!(" key {id} ")), "{text}");
    // Neither key nor secret stands in it.
    assert!(!text.contains(&key), "{text}");

    std::fs::write(record(&folder), format!("{text}nonsense\n")).unwrap();
    let mut config = sendbox::config::Config::default();
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.store.folder = folder.path().join("data");
    config.engine.pool_slots = 64;
    let refused = sendbox::server::Server::start(&config, Clock::System).await;
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("is not understood"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_opens_no_more_once_the_sealing_key_of_its_time_is_gone() {
    let provider = Provider::accepting().await;
    let endpoint = format!("http://{}/", provider.address);
    let house = House::start().await;
    let acme = house.tenant("acme", &endpoint, None).await;
    house.tenant("globex", &endpoint, None).await;
    let folder = house.stop().await;
    let (backup, current) = (
        folder.path().join("backup.db"),
        folder.path().join("now.db"),
    );
    std::fs::copy(database(&folder), &backup).unwrap();

    let house = House::start_in(folder, Clock::System, |_| {}).await;
    delete_tenant(&house, "globex").await;
    let rotate = "/v1/sealing-keys/rotate";
    let keys = house.operate("POST", rotate, Value::Null).await.expect(200);
    let earlier = keys.text_at("/data/0/id");
    let path = format!("/v1/sealing-keys/{earlier}");
    house
        .operate("DELETE", &path, Value::Null)
        .await
        .expect(204);
    let folder = house.stop().await;
    std::fs::copy(database(&folder), &current).unwrap();

    restore(&folder, &backup);
    let mut config = sendbox::config::Config::default();
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.store.folder = folder.path().join("data");
    config.engine.pool_slots = 64;
    let refused = sendbox::server::Server::start(&config, Clock::System).await;
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains(&earlier), "{refused}");

    restore(&folder, &current);
    let house = House::start_in(folder, Clock::System, |_| {}).await;
    assert_eq!(status(&house, &acme).await, 200);
    house.stop().await;
}
