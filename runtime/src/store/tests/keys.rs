//! Keys of a file: the layout before data keys, interrupted rotations, and what is left of what was deleted.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::records::{integration, put_all, tenant};
use super::*;
use crate::attempt::Transition;
use crate::id::TenantId;
use crate::store::KEY_LIFE;

/// A file as the program made it before there were data keys, sealed with the key of these tests: an
/// integration, and a message with the idempotency key `login-4711`.
const BEFORE: &str = include_str!("before.sql");
/// Just after that message was accepted.
const THEN: Timestamp = Timestamp::from_millis(1_795_273_430_000);

async fn file_from_before(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("sendbox.db");
    let options = SqliteConnectOptions::new().filename(&path);
    let mut db = options.create_if_missing(true).connect().await.unwrap();
    sqlx::raw_sql(BEFORE).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    path
}

/// The message of that file, asked for again.
fn again(created_at: Timestamp) -> Message {
    Message {
        client_ip: None,
        idempotency_key: Some("login-4711".into()),
        created_at,
        expires_at: created_at.after(Duration::from_secs(600)),
        ..message("acme")
    }
}

/// Every byte of the database and its log.
pub(super) fn bytes(path: &Path) -> Vec<u8> {
    let wal = std::fs::read(path.with_extension("db-wal")).unwrap_or_default();
    [std::fs::read(path).unwrap(), wal].concat()
}

pub(super) fn holds(bytes: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(bytes, part).is_some()
}

#[tokio::test]
async fn a_file_of_the_layout_before_data_keys_is_sealed_anew_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_from_before(&folder).await;
    let (acme, old): (TenantId, Vec<u8>) = ("acme".parse().unwrap(), {
        let mut db = SqliteConnectOptions::new()
            .filename(&path)
            .connect()
            .await
            .unwrap();
        let sealed = sqlx::query_scalar("SELECT sealed FROM message")
            .fetch_one(&mut db)
            .await;
        db.close().await.unwrap();
        sealed.unwrap()
    });
    assert!(holds(&bytes(&path), &old));
    let store = open(&path).await.unwrap();
    let mail = store
        .integration(&acme, &"mail".parse().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        mail.secrets["/authorization"].secret.expose(),
        "Bearer hunter2-hunter2"
    );
    // Its idempotency key counts for as long as it was promised.
    let replayed = store.accept(&again(THEN), None).await.unwrap();
    assert!(matches!(replayed, Accepted::Replayed(_)), "{replayed:?}");
    let other = Message {
        locale: None,
        ..again(THEN)
    };
    let refused = store.accept(&other, None).await.unwrap();
    assert!(matches!(refused, Accepted::Conflict), "{refused:?}");
    let claims = store
        .claim(THEN, lease(THEN), 8, &Room::default())
        .await
        .unwrap()
        .claims;
    assert_eq!(claims[0].message.payload.expose(), "{\"code\":\"271828\"}");
    // Nothing else is known of how it came.
    assert_eq!(claims[0].message.origin, Origin::Api);
    assert_eq!(
        claims[0].message.recipient.expose(),
        "leonhard@euler.example"
    );
    let late = THEN.after(KEY_LIFE);
    store.purge(late, Duration::ZERO).await.unwrap();
    let anew = store.accept(&again(late), None).await.unwrap();
    assert!(matches!(anew, Accepted::New(_)), "{anew:?}");
    store.close().await;
    assert!(
        !holds(&bytes(&path), &old),
        "what the old key sealed is gone"
    );
    open(&path).await.unwrap();
}

#[tokio::test]
async fn a_file_of_that_layout_is_left_as_it_is_where_the_key_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_from_before(&folder).await;
    let before = std::fs::read(&path).unwrap();
    let other = KeyRing::from_hex(&"6f".repeat(32)).unwrap();
    let error = Store::open(&path, other).await.unwrap_err();
    assert!(matches!(error, StoreError::WrongKey), "{error:?}");
    let tables = |bytes: &[u8]| holds(bytes, b"data_key");
    assert!(!tables(&before) && !tables(&bytes(&path)));
    open(&path).await.unwrap();
}

#[tokio::test]
async fn a_rotation_that_was_interrupted_is_finished_at_the_next_start() {
    let home = Home::new().await;
    put_all(&home.store).await;
    let claim = claimed(&home.store, &message("acme")).await;
    home.store.close().await;
    let both = format!("{}\n{}\n", "5e".repeat(32), "6f".repeat(32));
    let store = Store::open(&home.path(), KeyRing::from_hex(&both).unwrap())
        .await
        .unwrap();
    let keys = store.sealing_keys().await.unwrap();
    let wraps: Vec<_> = keys
        .iter()
        .map(|key| (key.current, key.data_keys))
        .collect();
    assert_eq!(wraps, [(false, 0), (true, 2)]);
    store.close().await;
    assert!(matches!(
        open(&home.path()).await,
        Err(StoreError::MissingKey(_))
    ));
    let last = KeyRing::from_hex(&"6f".repeat(32)).unwrap();
    let store = Store::open(&home.path(), last).await.unwrap();
    let found = store
        .integration(&tenant().id, &integration().id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.secrets, integration().secrets);
    let claims = store
        .claim(NOW, lease(NOW), 8, &Room::default())
        .await
        .unwrap()
        .claims;
    assert_eq!(claims[0].message, claim.message);
    // Keys that came from elsewhere are not the host's to change.
    let error = store.rotate_sealing_key().await.unwrap_err();
    assert!(matches!(error, StoreError::KeyFile(_)), "{error:?}");
}

#[tokio::test]
async fn the_sealed_part_of_a_message_leaves_the_file_with_its_end() {
    let home = Home::new().await;
    let (short, long) = (message("acme"), {
        // Longer than a page: it spills over into pages of its own.
        let text = format!(
            "{{\"code\":\"{CODE}\",\"text\":\"{}\"}}",
            "x".repeat(20_000)
        );
        let raw = RawValue::from_string(text).unwrap();
        Message {
            payload: Payload::parse(&raw).unwrap(),
            ..message("acme")
        }
    });
    let mut sealed: Vec<Vec<u8>> = Vec::new();
    for message in [short, long] {
        let claim = claimed(&home.store, &message).await;
        let row = sqlx::query_scalar("SELECT sealed FROM message WHERE id = ?")
            .bind(message.id.as_bytes().to_vec())
            .fetch_one(home.store.readers());
        sealed.push(row.await.unwrap());
        let attempt = accepted(&claim, NOW);
        home.store
            .record(&claim, &attempt, &Transition::Sent)
            .await
            .unwrap();
    }
    let everything = bytes(&home.path());
    assert!(
        holds(&everything, &sealed[0]),
        "in the log, until it is written back"
    );
    for secret in [CODE, "leonhard@euler.example"] {
        assert!(!holds(&everything, secret.as_bytes()), "{secret}");
    }
    home.store.close().await;
    let everything = bytes(&home.path());
    for part in sealed {
        assert!(!holds(&everything, &part[..64]) && !holds(&everything, &part[part.len() - 64..]));
    }
}

#[tokio::test]
async fn finished_messages_are_deleted_in_the_order_of_their_age_and_no_others() {
    let home = Home::new().await;
    let month = Duration::from_hours(720);
    let (mut finished, mut open_ones) = (Vec::new(), Vec::new());
    for tenant in ["acme", "globex"] {
        for _ in 0..210 {
            let claim = claimed(&home.store, &message(tenant)).await;
            let attempt = accepted(&claim, NOW);
            home.store
                .record(&claim, &attempt, &Transition::Sent)
                .await
                .unwrap();
            finished.push(claim.message);
        }
        let waits = message(tenant);
        home.store.accept(&waits, None).await.unwrap();
        open_ones.push(waits);
    }
    let purge = |after: Duration| home.store.purge(NOW.after(after), month);
    assert_eq!(purge(month - Duration::from_millis(1)).await.unwrap(), 0);
    assert_eq!(purge(month).await.unwrap(), 420);
    let attempts: i64 = sqlx::query_scalar("SELECT count(*) FROM attempt")
        .fetch_one(home.store.readers())
        .await
        .unwrap();
    assert_eq!(attempts, 0);
    for left in open_ones {
        assert!(
            home.store
                .message(&left.tenant, left.id)
                .await
                .unwrap()
                .is_some()
        );
    }
    // However little is to be kept: a repeat must find its idempotency key for a day.
    let keyed = Message {
        idempotency_key: Some("once".into()),
        ..message("acme")
    };
    let claim = claimed(&home.store, &keyed).await;
    let attempt = accepted(&claim, NOW);
    home.store
        .record(&claim, &attempt, &Transition::Sent)
        .await
        .unwrap();
    let early = NOW.after(KEY_LIFE - Duration::from_millis(1));
    assert_eq!(home.store.purge(early, Duration::ZERO).await.unwrap(), 0);
}

#[tokio::test]
async fn a_post_that_races_its_tenants_deletion_leaves_nothing_behind() {
    let home = Home::new().await;
    let (store, acme): (_, TenantId) = (&home.store, "acme".parse().unwrap());
    let anew = crate::tenant::Tenant {
        egress_pool: None,
        ..tenant()
    };
    for make_again in [false, true] {
        store.put_tenant(&anew).await.unwrap();
        // The key is at hand before the deletion, as it is for whoever posts.
        store.data_key(&acme).await.unwrap();
        let (go, held) = tokio::sync::oneshot::channel::<()>();
        let holding = store.writer().write(move |_| {
            Box::pin(async move {
                held.await.ok();
                Ok(())
            })
        });
        let deleting = store.delete_tenant(&acme);
        let again = async {
            if make_again {
                store.put_tenant(&anew).await.unwrap();
            }
        };
        let late = message("acme");
        let accepting = store.accept(&late, None);
        // In this order they come to the writer.
        let (held, deleted, (), accepted, _) =
            tokio::join!(holding, deleting, again, accepting, async { go.send(()) });
        held.unwrap();
        assert!(deleted.unwrap());
        let refused = accepted.unwrap_err();
        assert!(matches!(refused, StoreError::Missing(_)), "{refused:?}");
        let left: i64 = sqlx::query_scalar(
            "SELECT (SELECT count(*) FROM message) + \
             (SELECT count(*) FROM data_key WHERE owner = 'tenant/acme')",
        )
        .fetch_one(store.readers())
        .await
        .unwrap();
        assert_eq!(left, 0);
    }
    // Who posts to the new tenant is served, with a key of its own.
    let claim = claimed(store, &message("acme")).await;
    assert_eq!(claim.message.recipient.expose(), "leonhard@euler.example");
}

#[tokio::test]
async fn a_key_that_was_read_before_a_deletion_is_not_kept() {
    let home = Home::new().await;
    let (keys, acme): (_, TenantId) = (&home.store.inner.keys, "acme".parse().unwrap());
    let dead = || crate::secret::DataKey::generate().unwrap();
    let seen = keys.known(&acme).unwrap_err();
    keys.forget(&acme);
    assert!(keys.keep(&acme, dead(), seen).is_none());
    let seen = keys.known(&acme).unwrap_err();
    keys.keep(&acme, dead(), seen);
    assert!(keys.known(&acme).is_ok(), "what was read since is kept");
}
