//! Files that earlier versions made.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::records::{integration, source, tenant};
use super::{Accepted, Message, NOW, lease, message, open};
use crate::message::Channel;
use crate::store::migrations::MIGRATIONS;
use crate::store::{Room, StoreError};
use crate::tenant::Role;

/// A file as the version with this schema leaves it at its first start.
async fn file_of(path: &Path, schema: i64) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true);
    let mut db = options.connect().await.unwrap();
    let known = MIGRATIONS.iter().filter(|known| known.version <= schema);
    let migrator = Migrator::with_migrations(known.cloned().collect());
    migrator.run(&mut db).await.unwrap();
    db
}

#[tokio::test]
async fn a_key_from_before_there_were_roles_may_do_what_it_could() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sendbox.db");
    let mut db = file_of(&path, 6).await;
    for statement in [
        "INSERT INTO tenant (id, record) VALUES ('acme', '{\"id\":\"acme\",\"created_at\":\"2026-01-01T00:00:00Z\"}')",
        "INSERT INTO api_key VALUES ('0000000000000001', NULL, 'first start', zeroblob(32), 1, NULL)",
        "INSERT INTO api_key VALUES ('0000000000000002', 'acme', 'ci', randomblob(32), 2, NULL)",
        "INSERT INTO api_key VALUES ('0000000000000003', NULL, 'old', randomblob(32), 3, 4)",
    ] {
        sqlx::query(statement).execute(&mut db).await.unwrap();
    }
    db.close().await.unwrap();
    let store = open(&path).await.unwrap();
    assert!(store.has_operator_key().await.unwrap());
    let roles = [
        ("0000000000000001", Role::Operator, false),
        ("0000000000000002", Role::TenantAdmin, false),
        ("0000000000000003", Role::Operator, true),
    ];
    for (id, role, revoked) in roles {
        let key = store.api_key(id).await.unwrap().unwrap();
        assert_eq!(
            (key.role, key.revoked_at.is_some()),
            (role, revoked),
            "{id}"
        );
        assert_eq!(key.tenant.is_some(), role.is_tenants());
    }
    let revoked = store
        .revoke_api_key(None, "0000000000000001", super::NOW)
        .await;
    assert!(
        matches!(revoked, Err(StoreError::InUse { .. })),
        "{revoked:?}"
    );
}

/// The records of a file as the program made it while a data key had one generation, from which its MAC key
/// followed: what `put_all` puts, a message with the idempotency key `login-4711`, and what its recipient spent.
const ONE_GENERATION: &str = include_str!("one_generation.sql");

/// The owners of the keys in a file, what each is for, and whether it counts as old.
async fn data_keys(store: &super::Store) -> Vec<(String, String, Option<i64>)> {
    let query = "SELECT owner, purpose, made_at FROM data_key ORDER BY owner, purpose, generation";
    sqlx::query_as(query)
        .fetch_all(store.readers())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_data_key_with_one_generation_opens_and_authenticates_what_it_did() {
    // The second is one whose start was interrupted after the migrations.
    for schema in [11, 12] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sendbox.db");
        let mut db = file_of(&path, 11).await;
        sqlx::raw_sql(ONE_GENERATION)
            .execute(&mut db)
            .await
            .unwrap();
        db.close().await.unwrap();
        file_of(&path, schema).await.close().await.unwrap();
        for _start in 0..2 {
            let store = open(&path).await.unwrap();
            let expected = [
                ("host", "mac", None),
                ("host", "seal", Some(0)),
                ("tenant/acme", "mac", None),
                ("tenant/acme", "seal", Some(0)),
            ];
            let found = data_keys(&store).await;
            let found: Vec<_> = found
                .iter()
                .map(|(owner, purpose, age)| (owner.as_str(), purpose.as_str(), *age))
                .collect();
            assert_eq!(found, expected);
            let (mail, out) = (integration(), source());
            let kept = store.integration(&tenant().id, &mail.id).await.unwrap();
            let kept = kept.unwrap();
            assert_eq!(kept.secrets, mail.secrets);
            let earlier = &kept.earlier_secrets["/a/token"].secret;
            assert_eq!(earlier.expose(), "Bearer earlier-hunter");
            assert_eq!(store.source(&out.name).await.unwrap(), Some(out));
            let again = Message {
                client_ip: None,
                idempotency_key: Some("login-4711".into()),
                ..message("acme")
            };
            let replayed = store.accept(&again, None).await.unwrap();
            assert!(matches!(replayed, Accepted::Replayed(_)), "{replayed:?}");
            let to = again.recipient.expose();
            let spent = store
                .recipient_spent(&again.tenant, Channel::Email, to)
                .await;
            assert_eq!(spent.unwrap().1, [7, 8, 9]);
            store.close().await;
        }
        let store = open(&path).await.unwrap();
        let claims = store
            .claim(NOW, lease(NOW), 8, &Room::default())
            .await
            .unwrap()
            .claims;
        assert_eq!(
            claims[0].message.recipient.expose(),
            "leonhard@euler.example"
        );
    }
}
