//! Renewal of data keys: what comes of the file, of what is sealed, and of who sealed before.

use super::keys::{bytes, holds};
use super::records::{integration, put_all, source, tenant};
use super::*;
use crate::id::TenantId;
use crate::store::accept::Inserted;
use crate::store::data_keys::{begin, drop_earlier, find};
use crate::store::{Renewed, Spending};

const QUARTER: Duration = Duration::from_hours(90 * 24);

fn acme() -> TenantId {
    tenant().id
}

/// The same request each time.
fn keyed() -> Message {
    Message {
        idempotency_key: Some("login-4711".into()),
        ..message("acme")
    }
}

async fn rows(store: &Store, query: &'static str) -> Vec<Vec<u8>> {
    let rows = sqlx::query_scalar(query).fetch_all(store.readers()).await;
    rows.unwrap()
}

/// All that stands sealed in the file: the keys that seal, secrets, a password, messages.
async fn sealed(store: &Store) -> Vec<Vec<u8>> {
    let query = "SELECT wrapped FROM data_key WHERE purpose = 'seal' \
         UNION ALL SELECT secrets FROM integration UNION ALL SELECT earlier_secrets FROM integration \
         UNION ALL SELECT proxy_password FROM egress_source \
         UNION ALL SELECT sealed FROM message WHERE sealed IS NOT NULL";
    rows(store, query).await
}

/// Owner and generation of each key that seals.
async fn generations(store: &Store) -> Vec<(String, i64)> {
    let query =
        "SELECT owner, generation FROM data_key WHERE purpose = 'seal' ORDER BY owner, generation";
    let rows = sqlx::query_as(query).fetch_all(store.readers()).await;
    rows.unwrap()
}

fn both(generation: i64) -> Vec<(String, i64)> {
    ["host", "tenant/acme"]
        .map(|owner| (owner.to_owned(), generation))
        .to_vec()
}

/// What was put opens, and what is authenticated is known again.
async fn assert_whole(store: &Store) {
    let mail = integration();
    let kept = store.integration(&acme(), &mail.id).await.unwrap().unwrap();
    assert_eq!(
        (kept.secrets, kept.earlier_secrets),
        (mail.secrets, mail.earlier_secrets)
    );
    assert_eq!(store.sources().await.unwrap(), [source()]);
    let replayed = store.accept(&keyed(), None).await.unwrap();
    assert!(matches!(replayed, Accepted::Replayed(_)), "{replayed:?}");
    let acme = acme();
    let spent = store.recipient_spent(&acme, Channel::Email, "leonhard@euler.example");
    assert_eq!(spent.await.unwrap().1, [7, 8, 9]);
}

/// A file with all that is sealed in it, and a message with an idempotency key whose recipient has spent.
async fn full() -> Home {
    let home = Home::new().await;
    put_all(&home.store).await;
    let (store, message) = (&home.store, keyed());
    let to = message.recipient.expose();
    let (name, _) = store
        .recipient_spent(&acme(), Channel::Email, to)
        .await
        .unwrap();
    let spending = Spending {
        messages_day: None,
        recipient: Some((name, [7, 8, 9])),
    };
    store
        .accept_counted(&message, None, spending)
        .await
        .unwrap();
    home
}

#[tokio::test]
async fn a_renewal_seals_everything_anew_and_leaves_nothing_of_the_key_before() {
    let home = full().await;
    let before = sealed(&home.store).await;
    assert_eq!((before.len(), generations(&home.store).await), (6, both(1)));
    let revision = |kept: Option<crate::tenant::Integration>| kept.unwrap().revision;
    let mail = integration().id;
    let seen = revision(home.store.integration(&acme(), &mail).await.unwrap());
    let renewed = home.store.renew_data_keys(NOW, Duration::ZERO).await;
    let all = Renewed {
        data_keys: 2,
        records: 3,
        unfinished: 0,
    };
    // Their age counts from this look at them on.
    assert_eq!(renewed.unwrap(), all);
    assert_eq!(generations(&home.store).await, both(2));
    assert_whole(&home.store).await;
    let after = sealed(&home.store).await;
    assert_eq!(after.len(), before.len());
    assert!(before.iter().all(|old| !after.contains(old)));
    let kept = home.store.integration(&acme(), &mail).await.unwrap();
    assert_eq!(revision(kept), seen, "nobody's change is refused for it");
    home.store.close().await;
    let file = bytes(&home.path());
    assert!(after.iter().all(|new| holds(&file, &new[..24])));
    assert!(before.iter().all(|old| !holds(&file, &old[..24])));
    let store = open(&home.path()).await.unwrap();
    assert_whole(&store).await;
    let claimed = store
        .claim(NOW, lease(NOW), 8, &Room::default())
        .await
        .unwrap();
    assert_eq!((claimed.claims.len(), claimed.given_up.len()), (1, 0));
    assert_eq!(
        claimed.claims[0].message.payload.expose(),
        "{\"code\":\"271828\"}"
    );
}

#[tokio::test]
async fn a_key_is_renewed_at_its_age_and_one_whose_age_nobody_knows_at_once() {
    let home = full().await;
    let store = &home.store;
    let renew =
        |days: u64| store.renew_data_keys(NOW.after(Duration::from_hours(days * 24)), QUARTER);
    let states = || async { store.data_keys(None, 9).await.unwrap() };
    assert!(states().await.iter().all(|key| key.made_at.is_none()));
    for (days, generation) in [(0, 1), (89, 1), (90, 2), (179, 2), (180, 3)] {
        renew(days).await.unwrap();
        assert_eq!(generations(store).await, both(generation), "{days}");
    }
    let made_at = Some(NOW.after(2 * QUARTER));
    assert!(states().await.iter().all(|key| key.made_at == made_at));
    // As the migration leaves what an older version made.
    let unknown = "UPDATE data_key SET made_at = 0 WHERE purpose = 'seal' AND owner = 'host'";
    store
        .writer()
        .write(move |db| {
            Box::pin(async move { Ok(sqlx::query(unknown).execute(db).await.map(drop)?) })
        })
        .await
        .unwrap();
    assert_eq!(states().await[0].made_at, None);
    renew(181).await.unwrap();
    assert_eq!(
        generations(store).await,
        [("host".to_owned(), 4), ("tenant/acme".to_owned(), 3)]
    );
    assert_whole(store).await;
}

#[tokio::test]
async fn what_was_sealed_before_a_renewal_and_written_after_it_is_sealed_anew() {
    let home = full().await;
    let store = &home.store;
    let late = Message {
        idempotency_key: Some("late".into()),
        ..message("acme")
    };
    let key = store.data_key(&acme()).await.unwrap();
    let row = store
        .new_row(&late, None, &key, Spending::default())
        .unwrap();
    store.renew_data_keys(NOW, Duration::ZERO).await.unwrap();
    assert_eq!(generations(store).await, both(2));
    let inserted = store.insert(&acme(), key, row).await.unwrap();
    assert!(matches!(inserted, Inserted::New));
    let old = "SELECT id FROM message WHERE key_generation <> 2";
    assert_eq!(rows(store, old).await, [[0_u8; 0]; 0]);
    let again = Message {
        id: MessageId::generate(),
        ..late
    };
    let replayed = store.accept(&again, None).await.unwrap();
    assert!(matches!(replayed, Accepted::Replayed(_)), "{replayed:?}");
    // By a process that never knew the first generation.
    store.close().await;
    let store = open(&home.path()).await.unwrap();
    let claimed = store
        .claim(NOW, lease(NOW), 8, &Room::default())
        .await
        .unwrap();
    assert_eq!((claimed.claims.len(), claimed.given_up.len()), (2, 0));
}

/// The first step of a renewal, and no other.
async fn begun(store: &Store, owner: &'static str) -> i64 {
    let ring = store.inner.keys.ring();
    let latest = NOW.after(QUARTER).as_millis();
    let generation = store.writer().write(move |db| {
        Box::pin(async move {
            sqlx::query(
                "UPDATE data_key SET made_at = 0 WHERE purpose = 'seal' AND generation = 1",
            )
            .execute(&mut *db)
            .await?;
            begin(db, &ring, owner, NOW, latest).await
        })
    });
    generation.await.unwrap().unwrap()
}

#[tokio::test]
async fn an_interrupted_renewal_goes_on_without_another_generation() {
    let home = full().await;
    for owner in ["host", "tenant/acme"] {
        assert_eq!(begun(&home.store, owner).await, 2);
    }
    let home = home.after_kill().await;
    // Two generations, and what is sealed now is sealed with the newer one.
    assert_whole(&home.store).await;
    home.store.accept(&message("acme"), None).await.unwrap();
    let newer = "SELECT id FROM message WHERE key_generation = 2";
    assert_eq!(rows(&home.store, newer).await.len(), 1);
    let states = home.store.data_keys(None, 9).await.unwrap();
    assert!(states.iter().all(|key| key.earlier == 1), "{states:?}");
    let renewed = home.store.renew_data_keys(NOW, QUARTER).await.unwrap();
    assert_eq!((renewed.data_keys, renewed.records), (2, 3));
    assert_eq!(generations(&home.store).await, both(2));
    assert_whole(&home.after_kill().await.store).await;
}

#[tokio::test]
async fn every_generation_is_wrapped_by_a_new_sealing_key() {
    let home = full().await;
    for owner in ["host", "tenant/acme"] {
        begun(&home.store, owner).await;
    }
    home.store.close().await;
    let both = format!("{}\n{}\n", "5e".repeat(32), "6f".repeat(32));
    let both = KeyRing::from_hex(&both).unwrap();
    let store = Store::open(&home.path(), both).await.unwrap();
    assert_whole(&store).await;
    store.close().await;
    let last = KeyRing::from_hex(&"6f".repeat(32)).unwrap();
    let store = Store::open(&home.path(), last).await.unwrap();
    assert_whole(&store).await;
    let wrapped = rows(&store, "SELECT DISTINCT wrapped FROM data_key").await;
    assert_eq!(wrapped.len(), 6, "a key was written over another");
    store.renew_data_keys(NOW, QUARTER).await.unwrap();
    assert_whole(&store).await;
    let keys = store.sealing_keys().await.unwrap();
    assert_eq!(keys[0].data_keys, 2);
}

#[tokio::test]
async fn a_record_that_does_not_open_keeps_its_earlier_key_and_holds_up_no_other() {
    let home = full().await;
    let garble = "UPDATE integration SET secrets = zeroblob(40)";
    home.store
        .writer()
        .write(move |db| {
            Box::pin(async move { Ok(sqlx::query(garble).execute(db).await.map(drop)?) })
        })
        .await
        .unwrap();
    let renew = || home.store.renew_data_keys(NOW, QUARTER);
    begun(&home.store, "host").await;
    let renewed = renew().await.unwrap();
    let some = Renewed {
        data_keys: 1,
        records: 2,
        unfinished: 1,
    };
    assert_eq!(renewed, some);
    let left = [("host", 2), ("tenant/acme", 1), ("tenant/acme", 2)];
    let left = left.map(|(owner, generation)| (owner.to_owned(), generation));
    assert_eq!(generations(&home.store).await, left);
    // Once it is written anew, the key goes.
    let mail = integration().id;
    home.store
        .writer()
        .write(move |db| {
            Box::pin(async move {
                let delete = "DELETE FROM integration";
                Ok(sqlx::query(delete).execute(db).await.map(drop)?)
            })
        })
        .await
        .unwrap();
    assert_eq!(renew().await.unwrap().unfinished, 0, "{mail}");
    assert_eq!(generations(&home.store).await, both(2));
}

#[tokio::test]
async fn a_tenant_of_the_same_name_keeps_its_key_while_the_one_befores_is_renewed() {
    let home = Home::new().await;
    let store = &home.store;
    let anew = crate::tenant::Tenant {
        egress_pool: None,
        ..tenant()
    };
    store.put_tenant(&anew).await.unwrap();
    store.data_key(&acme()).await.unwrap();
    let generation = begun(store, "tenant/acme").await;
    assert!(store.delete_tenant(&acme()).await.unwrap());
    store.put_tenant(&anew).await.unwrap();
    store.data_key(&acme()).await.unwrap();
    store
        .writer()
        .write(move |db| Box::pin(drop_earlier(db, "tenant/acme", generation)))
        .await
        .unwrap();
    let ring = store.inner.keys.ring();
    let key = find(store.readers(), &ring, "tenant/acme").await.unwrap();
    assert_eq!(key.unwrap().generation(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nothing_is_lost_that_is_written_and_read_while_keys_are_renewed() {
    const EACH: usize = 150;
    let home = full().await;
    let store = &home.store;
    let accepting = |store: Store| async move {
        for _ in 0..EACH {
            store.accept(&message("acme"), None).await.unwrap();
        }
    };
    let writing = |store: Store| async move {
        for _ in 0..EACH / 3 {
            let kept = store.integration(&acme(), &integration().id).await;
            store
                .put_integration(&kept.unwrap().unwrap())
                .await
                .unwrap();
            let (first, seen) = store
                .source_with_revision(&source().name)
                .await
                .unwrap()
                .unwrap();
            store.put_source(&first, seen).await.unwrap();
        }
    };
    let tasks = [
        tokio::spawn(accepting(store.clone())),
        tokio::spawn(accepting(store.clone())),
        tokio::spawn(writing(store.clone())),
    ];
    let (mut rounds, mut claimed) = (0, 0);
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) || rounds < 3 {
        let renewed = store.renew_data_keys(NOW, Duration::ZERO).await.unwrap();
        assert_eq!((renewed.data_keys, renewed.unfinished), (2, 0));
        let some = store
            .claim(NOW, lease(NOW), 16, &Room::default())
            .await
            .unwrap();
        assert_eq!(some.given_up.len(), 0);
        claimed += some.claims.len();
        rounds += 1;
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(generations(store).await, both(rounds + 1));
    // The rest is read by a process that knows one generation only.
    store.close().await;
    let store = open(&home.path()).await.unwrap();
    assert_whole(&store).await;
    let rest = store
        .claim(NOW, lease(NOW), 8 * EACH, &Room::default())
        .await
        .unwrap();
    assert_eq!(rest.given_up.len(), 0);
    // What the process before had claimed waits again, but for the leases' end.
    assert_eq!(rest.claims.len(), 2 * EACH + 1, "{claimed} were claimed");
}
