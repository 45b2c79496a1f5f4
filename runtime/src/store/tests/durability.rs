//! What a crash, a full disk, and somebody with the file's bytes find.

use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::records::{connector, integration, put_all};
use super::*;
use crate::attempt::{MessageState, Transition};
use crate::store::Interrupted;

/// One statement on the write connection.
async fn execute(store: &Store, statement: &'static str) {
    store
        .writer()
        .write(move |db| {
            Box::pin(async move { Ok(sqlx::query(statement).execute(db).await.map(drop)?) })
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn what_was_accepted_outlives_a_kill() {
    let home = Home::new().await;
    let mut messages = Vec::new();
    for _ in 0..20 {
        messages.push(message("acme"));
    }
    for message in &messages {
        home.store.accept(message, None).await.unwrap();
    }
    let home = home.after_kill().await;
    let claims = home
        .store
        .claim(NOW, lease(NOW), 100, &Room::default())
        .await
        .unwrap()
        .claims;
    let found: Vec<_> = claims.into_iter().map(|claim| claim.message).collect();
    assert_eq!(found, messages);
}

#[tokio::test]
async fn a_kill_before_arming_makes_a_repeat_free() {
    let home = Home::new().await;
    claimed(&home.store, &message("acme")).await;
    let home = home.after_kill().await;
    let claim = home
        .store
        .claim(NOW, lease(NOW), 8, &Room::default())
        .await
        .unwrap()
        .claims
        .remove(0);
    assert_eq!(claim.interrupted, Some(Interrupted { start: None }));
    assert_eq!((claim.attempt, claim.possible_duplicate), (1, false));
    home.store
        .arm(&claim, &start(&claim, NOW), lease(NOW))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_kill_after_arming_is_told_and_must_be_recorded_first() {
    let home = Home::new().await;
    let claim = claimed(&home.store, &message("acme")).await;
    home.store
        .arm(&claim, &start(&claim, NOW), lease(NOW))
        .await
        .unwrap();
    let mut home = home.after_kill().await;
    for fence in [2, 3] {
        let claim = home
            .store
            .claim(NOW, lease(NOW), 8, &Room::default())
            .await
            .unwrap()
            .claims
            .remove(0);
        assert_eq!(
            claim.interrupted,
            Some(Interrupted {
                start: Some(start(&claim, NOW))
            })
        );
        assert_eq!((claim.attempt, claim.fence), (1, fence));
        let arm = home
            .store
            .arm(&claim, &start(&claim, NOW), lease(NOW))
            .await;
        assert!(
            matches!(arm, Err(StoreError::Fenced)),
            "not before it is recorded"
        );
        home = home.after_kill().await;
    }
    let claim = home
        .store
        .claim(NOW, lease(NOW), 8, &Room::default())
        .await
        .unwrap()
        .claims
        .remove(0);
    let wait = Transition::Wait {
        until: NOW,
        possible_duplicate: true,
    };
    home.store
        .record(&claim, &accepted(&claim, NOW), &wait)
        .await
        .unwrap();
    let claim = home
        .store
        .claim(NOW, lease(NOW), 8, &Room::default())
        .await
        .unwrap()
        .claims
        .remove(0);
    assert_eq!((claim.attempt, claim.possible_duplicate), (2, true));
    assert!(claim.interrupted.is_none());
    home.store
        .arm(&claim, &start(&claim, NOW), lease(NOW))
        .await
        .unwrap();
}

#[tokio::test]
async fn no_payload_recipient_or_secret_is_in_the_files() {
    let home = Home::new().await;
    put_all(&home.store).await;
    let mut message = message("acme");
    message.idempotency_key = Some("order-of-euler".into());
    home.store.accept(&message, None).await.unwrap();
    let mut bytes = Vec::new();
    for name in ["sendbox.db", "sendbox.db-wal", "sendbox.db-shm"] {
        bytes.extend(std::fs::read(home.folder.path().join(name)).unwrap());
    }
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(
        holds(b"l\xe2\x80\xa6@euler.example"),
        "the search finds what is there"
    );
    let payload = message.payload.expose().to_owned();
    for plain in [
        CODE,
        "leonhard",
        "order-of-euler",
        "hunter2",
        "192.0.2.7",
        payload.as_str(),
    ] {
        let hex: String = plain.bytes().map(|byte| format!("{byte:02x}")).collect();
        let encoded = STANDARD.encode(plain);
        for text in [plain, &hex, encoded.trim_end_matches('=')] {
            assert!(!holds(text.as_bytes()), "{text}");
        }
    }
}

#[tokio::test]
async fn the_payload_goes_with_the_final_state() {
    let home = Home::new().await;
    let payloads = async || -> i64 {
        sqlx::query_scalar("SELECT count(sealed) FROM message")
            .fetch_one(home.store.readers())
            .await
            .unwrap()
    };
    for next in [
        Transition::Sent,
        Transition::Failed,
        Transition::Expired,
        Transition::Unknown,
    ] {
        let claim = claimed(&home.store, &message("acme")).await;
        assert_eq!(payloads().await, 1);
        home.store
            .record(&claim, &accepted(&claim, NOW), &next)
            .await
            .unwrap();
        assert_eq!(payloads().await, 0, "{next:?}");
    }
    let cancelled = message("acme");
    home.store.accept(&cancelled, None).await.unwrap();
    home.store
        .cancel(&cancelled.tenant, cancelled.id, NOW)
        .await
        .unwrap();
    home.store.accept(&message("acme"), None).await.unwrap();
    home.store.expire(later(600), &[]).await.unwrap();
    assert_eq!(payloads().await, 0);
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    let home = Home::new().await;
    execute(&home.store, "PRAGMA max_page_count = 1").await; // SQLite takes the present size
    let mut acknowledged = Vec::new();
    let error = loop {
        let message = message("acme");
        match home.store.accept(&message, None).await {
            Ok(_) => acknowledged.push(message),
            Err(error) => break error,
        }
        assert!(acknowledged.len() < 10_000);
    };
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    // What shares a transaction with the one that does not fit is refused with it.
    let crowd: Vec<_> = (0..64)
        .map(|_| {
            let (store, message) = (home.store.clone(), message("acme"));
            tokio::spawn(async move { store.accept(&message, None).await.map(|_| message) })
        })
        .collect();
    for one in crowd {
        match one.await.unwrap() {
            Ok(message) => acknowledged.push(message),
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => panic!("{error:?}"),
        }
    }

    let killed = home.after_kill().await;
    let whole: String = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_one(killed.store.readers())
        .await
        .unwrap();
    assert_eq!(whole, "ok");
    for store in [&home.store, &killed.store] {
        for message in &acknowledged {
            let found = store.message(&message.tenant, message.id).await.unwrap();
            assert_eq!(found.unwrap().state, MessageState::Accepted);
        }
        let count: i64 = sqlx::query_scalar("SELECT count(*) FROM message")
            .fetch_one(store.readers())
            .await
            .unwrap();
        assert_eq!(count, i64::try_from(acknowledged.len()).unwrap());
    }
    execute(&home.store, "PRAGMA max_page_count = 100000").await;
    home.store.accept(&message("acme"), None).await.unwrap();
    home.store.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_fails_takes_nothing_else_with_it() {
    let home = Home::new().await;
    put_all(&home.store).await;
    let tasks: Vec<_> = (0..64)
        .map(|number| {
            let store = home.store.clone();
            tokio::spawn(async move {
                if number % 2 == 0 {
                    store.accept(&message("acme"), None).await.map(drop)
                } else {
                    let (mut version, bytes) = connector();
                    version.info.id = format!("c{number}").parse().unwrap();
                    version.digest = Digest::of(version.info.id.as_str().as_bytes());
                    store.put_connector(&version, &bytes).await.unwrap();
                    let mut lost = integration();
                    lost.tenant = "nobody".parse().unwrap();
                    store.put_integration(&lost).await.map(drop)
                }
            })
        })
        .collect();
    for (number, task) in tasks.into_iter().enumerate() {
        match (number % 2, task.await.unwrap()) {
            (0, Ok(())) | (1, Err(StoreError::Missing(_))) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(
        home.store
            .claim(NOW, lease(NOW), 100, &Room::default())
            .await
            .unwrap()
            .claims
            .len(),
        32
    );
    assert_eq!(home.store.connectors(None, 99).await.unwrap().len(), 33);
}

#[tokio::test]
async fn too_many_at_once_are_shed_and_those_under_way_are_not() {
    let home = Home::new().await;
    let under_way = claimed(&home.store, &message("acme")).await;
    // On this one thread all of them ask before the writer runs.
    let crowd: Vec<_> = (0..4000)
        .map(|_| {
            let (store, message) = (home.store.clone(), message("acme"));
            tokio::spawn(async move { store.accept(&message, None).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let attempt = accepted(&under_way, NOW);
    home.store
        .record(&under_way, &attempt, &Transition::Sent)
        .await
        .unwrap();
    let mut acknowledged = 1;
    for one in crowd {
        match one.await.unwrap() {
            Ok(_) => acknowledged += 1,
            Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}"),
        }
    }
    assert!((1000..4000).contains(&acknowledged), "{acknowledged}");
    let stored: i64 = sqlx::query_scalar("SELECT count(*) FROM message")
        .fetch_one(home.store.readers())
        .await
        .unwrap();
    assert_eq!(stored, acknowledged);
}

#[tokio::test]
async fn a_closed_store_is_unavailable() {
    let home = Home::new().await;
    home.store.close().await;
    let unavailable = |error| matches!(error, StoreError::Unavailable(_));
    assert!(unavailable(
        home.store.accept(&message("acme"), None).await.unwrap_err()
    ));
    assert!(unavailable(
        home.store
            .claim(NOW, lease(NOW), 1, &Room::default())
            .await
            .unwrap_err()
    ));
    assert!(unavailable(
        home.store
            .next_due(NOW, &Room::default())
            .await
            .unwrap_err()
    ));
    assert!(unavailable(home.store.check().await.unwrap_err()));
}

#[tokio::test]
async fn a_file_has_one_server_and_its_owner_alone_reads_it() {
    let home = Home::new().await;
    home.store.accept(&message("acme"), None).await.unwrap();
    assert!(
        matches!(open(&home.path()).await, Err(StoreError::Locked(path)) if path == home.path())
    );
    for name in ["sendbox.db", "sendbox.db-wal", "sendbox.db-lock"] {
        let mode = std::fs::metadata(home.folder.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    home.store.close().await;
    let again = open(&home.path()).await.unwrap();
    assert_eq!(
        again
            .claim(NOW, lease(NOW), 8, &Room::default())
            .await
            .unwrap()
            .claims
            .len(),
        1
    );
}

#[tokio::test]
async fn a_file_of_a_newer_version_is_refused_as_it_is() {
    let home = Home::new().await;
    execute(
        &home.store,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
         VALUES (999, 'later', true, x'00', 0)",
    )
    .await;
    home.store.close().await;
    let error = open(&home.path()).await.unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::NewerSchema {
                found: 999,
                known: 1..999
            }
        ),
        "{error:?}"
    );
    assert!(error.to_string().contains("newer version"), "{error}");
}

#[tokio::test]
async fn a_file_opens_with_its_own_key_only() {
    let home = Home::new().await;
    home.store.close().await;
    let other = KeyRing::from_hex(&"6f".repeat(32)).unwrap();
    let error = Store::open(&home.path(), other).await.unwrap_err();
    assert!(matches!(error, StoreError::MissingKey(_)), "{error:?}");
    open(&home.path()).await.unwrap();
}

#[tokio::test]
async fn a_check_writes_to_the_disk_each_time() {
    let home = Home::new().await;
    let log = home.folder.path().join("sendbox.db-wal");
    for _ in 0..2 {
        let before = std::fs::metadata(&log).unwrap().len();
        home.store.check().await.unwrap();
        assert!(std::fs::metadata(&log).unwrap().len() > before);
    }
}

#[tokio::test]
async fn however_many_ask_whether_the_store_is_ready_it_commits_once_a_second() {
    let home = Home::new().await;
    let checks = async || {
        let query = "SELECT value FROM meta WHERE name = 'checks'";
        let count = sqlx::query_scalar(query).fetch_one(home.store.readers());
        let count: i64 = count.await.unwrap();
        count
    };
    home.store.check().await.unwrap();
    let before = checks().await;
    let begun = std::time::Instant::now();
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let store = home.store.clone();
        asked.spawn(async move { store.ready().await });
    }
    while let Some(answer) = asked.join_next().await {
        answer.unwrap().unwrap();
    }
    let seconds = i64::try_from(begun.elapsed().as_secs()).unwrap();
    assert!(checks().await <= before + 1 + seconds);
    home.store.close().await;
    assert!(matches!(
        home.store.ready().await,
        Err(StoreError::Unavailable(_))
    ));
}

#[tokio::test]
async fn a_claim_that_cannot_be_read_while_the_store_is_away_is_released() {
    let home = Home::new().await;
    home.store.accept(&message("acme"), None).await.unwrap();
    // A new process does not know the tenant's key yet.
    let home = home.after_kill().await;
    let mut readers = Vec::new();
    for _ in 0..4 {
        readers.push(home.store.readers().acquire().await.unwrap());
    }
    let room = Room::default();
    let claim = || home.store.claim(NOW, lease(NOW), 8, &room);
    let claimed = claim().await.unwrap();
    assert_eq!((claimed.claims.len(), claimed.unread.len()), (0, 1));
    drop(readers);
    assert_eq!(claim().await.unwrap().claims.len(), 0);
    home.store.release(&claimed.unread[0]).await.unwrap();
    assert_eq!(claim().await.unwrap().claims.len(), 1);
}
