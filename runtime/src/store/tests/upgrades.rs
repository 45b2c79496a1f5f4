//! Files that earlier versions made.

use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::open;
use crate::store::StoreError;
use crate::store::migrations::MIGRATIONS;
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
