//! Accepting, claiming, arming, recording, and the clock.

use std::collections::{BTreeMap, HashSet};

use super::*;
use crate::attempt::{MessageState, Transition};
use crate::outcome::{Failure, FailureKind};
use crate::store::{Cancelled, Interrupted, KEY_LIFE, MessageFilter, Queue, Settled};

fn text(tenant: &str) -> Message {
    Message {
        channel: Channel::Sms,
        recipient: Recipient::parse(Channel::Sms, "14155552671").unwrap(),
        ..message(tenant)
    }
}

async fn state(store: &Store, message: &Message) -> MessageState {
    let found = store.message(&message.tenant, message.id).await.unwrap();
    found.unwrap().state
}

fn failed(claim: &Claim, now: Timestamp) -> Attempt {
    Attempt {
        outcome: Outcome::Failure(Failure::host(FailureKind::Unknown, "interrupted", "…")),
        ..accepted(claim, now)
    }
}

async fn claim_one(store: &Store, now: Timestamp) -> Claim {
    let mut claims = store
        .claim(now, lease(now), 8, &Room::default())
        .await
        .unwrap()
        .claims;
    assert_eq!(claims.len(), 1);
    claims.remove(0)
}

#[tokio::test]
async fn a_message_comes_back_whole_from_a_claim() {
    let home = Home::new().await;
    let message = Message {
        idempotency_key: Some("order-7".into()),
        ..message("acme")
    };
    home.store.accept(&message, None).await.unwrap();
    let claim = claim_one(&home.store, NOW).await;
    assert_eq!(claim.message, message);
    assert_eq!((claim.attempt, claim.fence), (1, 1));
    assert_eq!(claim.lease_until, later(30));
    assert!(!claim.possible_duplicate && claim.interrupted.is_none());
}

#[tokio::test]
async fn a_message_accepted_with_a_claim_is_nobody_elses() {
    let home = Home::new().await;
    let claim = claimed(&home.store, &message("acme")).await;
    assert!(
        home.store
            .claim(NOW, lease(NOW), 8, &Room::default())
            .await
            .unwrap()
            .claims
            .is_empty()
    );
    home.store
        .arm(&claim, &start(&claim, NOW), lease(NOW))
        .await
        .unwrap();
    home.store
        .record(&claim, &accepted(&claim, NOW), &Transition::Sent)
        .await
        .unwrap();
    assert_eq!(state(&home.store, &claim.message).await, MessageState::Sent);
    let attempts = home.store.attempts(claim.message.id).await.unwrap();
    assert_eq!(attempts, [accepted(&claim, NOW)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_posts_with_one_key_one_is_new_and_another_body_conflicts() {
    let home = Home::new().await;
    let posts = (0..64).map(|number| {
        let (store, mut message) = (home.store.clone(), message("acme"));
        message.idempotency_key = Some("order-7".into());
        if number % 8 == 7 {
            message.locale = Some("fr".into());
        }
        tokio::spawn(async move {
            (
                number,
                message.id,
                store.accept(&message, None).await.unwrap(),
            )
        })
    });
    let mut ends = Vec::new();
    for post in posts.collect::<Vec<_>>() {
        ends.push(post.await.unwrap());
    }
    let new: Vec<_> = ends
        .iter()
        .filter(|(_, _, end)| matches!(end, Accepted::New(_)))
        .collect();
    assert_eq!(new.len(), 1);
    let (first, id, _) = new[0];
    for (number, _, end) in &ends {
        let same_body = (number % 8 == 7) == (first % 8 == 7);
        match end {
            Accepted::New(_) => {}
            Accepted::Replayed(earlier) => assert!(same_body && earlier == id),
            Accepted::Conflict => assert!(!same_body),
        }
    }
    assert_eq!(
        home.store
            .claim(NOW, lease(NOW), 8, &Room::default())
            .await
            .unwrap()
            .claims
            .len(),
        1
    );
}

#[tokio::test]
async fn a_key_belongs_to_its_tenant_and_is_forgotten_after_a_day() {
    let home = Home::new().await;
    let post = |tenant: &str, created_at: Timestamp| Message {
        idempotency_key: Some("order-7".into()),
        created_at,
        expires_at: created_at.after(Duration::from_secs(600)),
        ..message(tenant)
    };
    let new = |end| matches!(end, Accepted::New(None));
    assert!(new(home
        .store
        .accept(&post("acme", NOW), None)
        .await
        .unwrap()));
    assert!(new(home
        .store
        .accept(&post("other", NOW), None)
        .await
        .unwrap()));
    let almost = Timestamp::from_millis(NOW.after(KEY_LIFE).as_millis() - 1);
    assert!(!new(home
        .store
        .accept(&post("acme", almost), None)
        .await
        .unwrap()));
    assert!(new(home
        .store
        .accept(&post("acme", NOW.after(KEY_LIFE)), None)
        .await
        .unwrap()));
    assert!(!new(home
        .store
        .accept(&post("acme", NOW.after(KEY_LIFE)), None)
        .await
        .unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_goes_to_one_of_many_claimers() {
    let home = Home::new().await;
    for number in 0..200 {
        let tenant = ["a", "b", "c"][number % 3];
        home.store.accept(&message(tenant), None).await.unwrap();
    }
    let claimers: Vec<_> = (0..8)
        .map(|_| {
            let store = home.store.clone();
            tokio::spawn(async move {
                let mut ids = Vec::new();
                loop {
                    let claims = store
                        .claim(NOW, lease(NOW), 7, &Room::default())
                        .await
                        .unwrap()
                        .claims;
                    if claims.is_empty() {
                        return ids;
                    }
                    ids.extend(claims.iter().map(|claim| claim.message.id));
                }
            })
        })
        .collect();
    let mut ids = Vec::new();
    for claimer in claimers {
        ids.extend(claimer.await.unwrap());
    }
    assert_eq!(ids.len(), 200);
    assert_eq!(ids.into_iter().collect::<HashSet<_>>().len(), 200);
}

#[tokio::test]
async fn a_flood_of_one_tenant_does_not_hold_up_the_others() {
    let home = Home::new().await;
    let mut flood = Vec::new();
    for _ in 0..100 {
        flood.push(message("flood"));
    }
    for message in &flood {
        home.store.accept(message, None).await.unwrap();
    }
    for tenant in ["quiet", "still"] {
        home.store.accept(&message(tenant), None).await.unwrap();
    }
    let claims = home
        .store
        .claim(NOW, lease(NOW), 8, &Room::default())
        .await
        .unwrap()
        .claims;
    let tenants: Vec<_> = claims
        .iter()
        .map(|claim| claim.message.tenant.as_str())
        .collect();
    assert_eq!(tenants.len(), 8);
    assert_eq!(tenants[..3].iter().collect::<HashSet<_>>().len(), 3);
    let ids: Vec<_> = claims.iter().map(|claim| claim.message.id).collect();
    let oldest: Vec<_> = flood.iter().map(|message| message.id).take(6).collect();
    assert!(oldest.iter().all(|id| ids.contains(id)), "the oldest first");

    let flooded = Queue::of(&flood[0]);
    for room in [2, 0] {
        let room = Room {
            of: [(flooded.clone(), room)].into(),
            ..Room::default()
        };
        let claims = home.store.claim(NOW, lease(NOW), 8, &room).await.unwrap();
        assert_eq!(claims.claims.len(), room.of[&flooded], "no more than fit");
        let next = home.store.next_due(NOW, &room).await.unwrap();
        let is_due = (room.of[&flooded] > 0).then_some(NOW);
        assert_eq!(next.filter(|next| *next <= NOW), is_due);
    }
}

#[tokio::test]
async fn messages_of_one_channel_do_not_wait_for_those_of_the_other() {
    let home = Home::new().await;
    let (mails, text) = (message("acme"), text("acme"));
    for _ in 0..20 {
        home.store.accept(&message("acme"), None).await.unwrap();
    }
    home.store.accept(&text, None).await.unwrap();
    let room = Room {
        of: [(Queue::of(&mails), 0)].into(),
        ..Room::default()
    };
    assert_eq!(home.store.next_due(NOW, &room).await.unwrap(), Some(NOW));
    let claims = home.store.claim(NOW, lease(NOW), 8, &room).await.unwrap();
    let ids: Vec<_> = claims.claims.iter().map(|claim| claim.message.id).collect();
    assert_eq!(ids, [text.id]);
    let claims = home
        .store
        .claim(NOW, lease(NOW), 8, &Room::default())
        .await
        .unwrap();
    assert_eq!(claims.claims.len(), 8);
}

#[tokio::test]
async fn tenants_take_turns_when_a_claim_cannot_serve_all() {
    let home = Home::new().await;
    for tenant in ["a", "b", "c", "d", "e", "f"] {
        for _ in 0..5 {
            home.store.accept(&message(tenant), None).await.unwrap();
        }
    }
    let mut served: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..6 {
        for claim in home
            .store
            .claim(NOW, lease(NOW), 2, &Room::default())
            .await
            .unwrap()
            .claims
        {
            *served.entry(claim.message.tenant.to_string()).or_default() += 1;
        }
    }
    assert_eq!(served.values().copied().collect::<Vec<_>>(), [2; 6]);
}

#[tokio::test]
async fn a_fence_keeps_out_who_lost_the_lease() {
    let home = Home::new().await;
    let late = claimed(&home.store, &message("acme")).await;
    assert!(
        home.store
            .claim(later(29), lease(NOW), 8, &Room::default())
            .await
            .unwrap()
            .claims
            .is_empty()
    );
    let now = later(30);
    let arm = home.store.arm(&late, &start(&late, now), lease(now)).await;
    assert!(
        matches!(arm, Err(StoreError::Fenced)),
        "the lease is over: {arm:?}"
    );

    let next = claim_one(&home.store, now).await;
    assert_eq!((next.attempt, next.fence), (1, 2));
    assert_eq!(next.interrupted, Some(Interrupted { start: None }));
    let record = home
        .store
        .record(&late, &accepted(&late, now), &Transition::Sent)
        .await;
    assert!(matches!(record, Err(StoreError::Fenced)));
    assert!(matches!(
        home.store.release(&late.hold()).await,
        Err(StoreError::Fenced)
    ));
    assert!(
        home.store
            .attempts(next.message.id)
            .await
            .unwrap()
            .is_empty()
    );

    home.store
        .arm(&next, &start(&next, now), lease(now))
        .await
        .unwrap();
    home.store
        .arm(&next, &start(&next, now), lease(now))
        .await
        .unwrap();
    home.store
        .record(&next, &accepted(&next, now), &Transition::Sent)
        .await
        .unwrap();
    let again = home
        .store
        .record(&next, &accepted(&next, now), &Transition::Sent)
        .await;
    assert!(matches!(again, Err(StoreError::Fenced)), "recorded once");
}

#[tokio::test]
async fn a_waiting_message_is_due_at_its_time_and_not_before() {
    let home = Home::new().await;
    let claim = claimed(&home.store, &message("acme")).await;
    let wait = Transition::Wait {
        until: later(5),
        possible_duplicate: true,
    };
    home.store
        .record(&claim, &failed(&claim, NOW), &wait)
        .await
        .unwrap();
    assert_eq!(
        home.store.next_due(NOW, &Room::default()).await.unwrap(),
        Some(later(5))
    );
    assert!(
        home.store
            .claim(later(4), lease(NOW), 8, &Room::default())
            .await
            .unwrap()
            .claims
            .is_empty()
    );
    let again = claim_one(&home.store, later(5)).await;
    assert_eq!((again.attempt, again.possible_duplicate), (2, true));
    assert_eq!(again.message.payload, claim.message.payload);
    assert_eq!(
        home.store.next_due(NOW, &Room::default()).await.unwrap(),
        Some(later(35)),
        "the lease's end"
    );
    let wait = Transition::Wait {
        until: later(9),
        possible_duplicate: false,
    };
    home.store
        .record(&again, &failed(&again, later(6)), &wait)
        .await
        .unwrap();
    assert!(
        claim_one(&home.store, later(9)).await.possible_duplicate,
        "what may have been stays so"
    );
}

#[tokio::test]
async fn a_released_claim_is_due_at_once_unless_it_was_armed() {
    let home = Home::new().await;
    let claim = claimed(&home.store, &message("acme")).await;
    home.store.release(&claim.hold()).await.unwrap();
    assert_eq!(
        state(&home.store, &claim.message).await,
        MessageState::Accepted
    );
    let again = claim_one(&home.store, NOW).await;
    assert!(again.interrupted.is_none());
    home.store
        .arm(&again, &start(&again, NOW), lease(NOW))
        .await
        .unwrap();
    assert!(matches!(
        home.store.release(&again.hold()).await,
        Err(StoreError::Fenced)
    ));
}

#[tokio::test]
async fn a_message_that_may_have_been_sent_ends_as_unknown_when_its_time_is_over() {
    let home = Home::new().await;
    let message = message("acme");
    let claim = claimed(&home.store, &message).await;
    let wait = Transition::Wait {
        until: message.expires_at,
        possible_duplicate: true,
    };
    home.store
        .record(&claim, &failed(&claim, NOW), &wait)
        .await
        .unwrap();
    assert_eq!(
        home.store
            .expire(message.expires_at, &[])
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(state(&home.store, &message).await, MessageState::Unknown);
}

#[tokio::test]
async fn an_expired_message_is_neither_claimed_nor_armed() {
    let home = Home::new().await;
    let (free, held) = (message("acme"), message("acme"));
    home.store.accept(&free, None).await.unwrap();
    let long = Lease {
        now: NOW,
        until: later(900),
    };
    let Accepted::New(Some(claim)) = home.store.accept(&held, Some(long)).await.unwrap() else {
        panic!("not claimed");
    };
    let end = free.expires_at;
    assert!(
        home.store
            .claim(end, lease(end), 8, &Room::default())
            .await
            .unwrap()
            .claims
            .is_empty()
    );
    let arm = home
        .store
        .arm(&claim, &start(&claim, end), lease(end))
        .await;
    assert!(matches!(arm, Err(StoreError::Expired)));

    assert_eq!(home.store.expire(later(599), &[]).await.unwrap().len(), 0);
    assert_eq!(
        home.store.expire(end, &[]).await.unwrap().len(),
        1,
        "the other one is still held"
    );
    assert_eq!(state(&home.store, &free).await, MessageState::Expired);
    assert_eq!(home.store.expire(later(900), &[]).await.unwrap().len(), 1);
    assert_eq!(state(&home.store, &held).await, MessageState::Expired);
    assert_eq!(
        home.store.next_due(end, &Room::default()).await.unwrap(),
        None
    );

    let late = home
        .store
        .accept(&message("acme"), Some(lease(end)))
        .await
        .unwrap();
    assert!(
        matches!(late, Accepted::New(None)),
        "too late to be claimed"
    );
}

#[tokio::test]
async fn an_armed_attempt_that_was_cut_off_until_expiry_is_unknown() {
    let home = Home::new().await;
    let claim = claimed(&home.store, &message("acme")).await;
    home.store
        .arm(&claim, &start(&claim, NOW), lease(NOW))
        .await
        .unwrap();
    assert_eq!(home.store.expire(later(600), &[]).await.unwrap().len(), 1);
    assert_eq!(
        state(&home.store, &claim.message).await,
        MessageState::Unknown
    );
    let attempts = home.store.attempts(claim.message.id).await.unwrap();
    assert_eq!(attempts[0].start, start(&claim, NOW));
    assert!(
        matches!(&attempts[0].outcome, Outcome::Failure(failure) if failure.kind == FailureKind::Unknown)
    );
    let record = home
        .store
        .record(&claim, &accepted(&claim, later(600)), &Transition::Sent)
        .await;
    assert!(matches!(record, Err(StoreError::Fenced)));
}

#[tokio::test]
async fn a_message_can_be_withdrawn_until_it_is_claimed() {
    let home = Home::new().await;
    let (free, held) = (message("acme"), message("acme"));
    home.store.accept(&free, None).await.unwrap();
    let claim = claimed(&home.store, &held).await;
    let cancel = async |tenant: &str, id| {
        let tenant = tenant.parse().unwrap();
        home.store.cancel(&tenant, id, NOW).await.unwrap()
    };
    assert_eq!(cancel("other", free.id).await, Cancelled::Missing);
    assert_eq!(
        cancel("acme", free.id).await,
        Cancelled::Done(Settled {
            id: free.id,
            channel: Channel::Email,
            state: MessageState::Cancelled,
        })
    );
    assert_eq!(
        cancel("acme", free.id).await,
        Cancelled::TooLate(MessageState::Cancelled)
    );
    assert_eq!(
        cancel("acme", held.id).await,
        Cancelled::TooLate(MessageState::Sending)
    );
    assert!(
        home.store
            .claim(NOW, lease(NOW), 8, &Room::default())
            .await
            .unwrap()
            .claims
            .is_empty()
    );
    home.store
        .record(&claim, &accepted(&claim, NOW), &Transition::Sent)
        .await
        .unwrap();
}

#[tokio::test]
async fn lists_are_newest_first_in_pages_and_show_no_whole_recipient() {
    let home = Home::new().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        let message = message("acme");
        home.store.accept(&message, None).await.unwrap();
        ids.insert(0, message.id);
    }
    home.store.accept(&message("other"), None).await.unwrap();
    let tenant = "acme".parse().unwrap();
    let (mut seen, mut cursor) = (Vec::new(), None);
    loop {
        let page = home
            .store
            .messages(&tenant, &MessageFilter::default(), cursor, 2)
            .await
            .unwrap();
        assert!(
            page.data
                .iter()
                .all(|message| message.recipient == "l…@euler.example")
        );
        seen.extend(page.data.iter().map(|message| message.id));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, ids);
    home.store.cancel(&tenant, ids[1], NOW).await.unwrap();
    let filter = MessageFilter {
        state: Some(MessageState::Cancelled),
        channel: Some(Channel::Email),
    };
    let page = home
        .store
        .messages(&tenant, &filter, None, 10)
        .await
        .unwrap();
    assert_eq!(
        page.data
            .iter()
            .map(|message| message.id)
            .collect::<Vec<_>>(),
        [ids[1]]
    );
    let filter = MessageFilter {
        channel: Some(Channel::Sms),
        ..filter
    };
    assert!(
        home.store
            .messages(&tenant, &filter, None, 10)
            .await
            .unwrap()
            .data
            .is_empty()
    );
}

#[tokio::test]
async fn a_row_that_cannot_be_read_fails_alone() {
    let home = Home::new().await;
    let (broken, whole) = (message("acme"), message("acme"));
    home.store.accept(&broken, None).await.unwrap();
    home.store.accept(&whole, None).await.unwrap();
    let id = broken.id.as_bytes().to_vec();
    let spoil = sqlx::query("UPDATE message SET sealed = x'00' WHERE id = ?").bind(id);
    home.store
        .writer()
        .write(|db| Box::pin(async move { Ok(spoil.execute(db).await.map(drop)?) }))
        .await
        .unwrap();
    assert_eq!(claim_one(&home.store, NOW).await.message, whole);
    assert_eq!(state(&home.store, &broken).await, MessageState::Failed);
    assert_eq!(home.store.attempts(broken.id).await.unwrap().len(), 1);
}

#[tokio::test]
async fn nothing_of_an_idempotency_key_stays_once_its_day_is_over() {
    let home = Home::new().await;
    let store = &home.store;
    let post = |name: &str, at: Timestamp| Message {
        idempotency_key: Some(name.into()),
        created_at: at,
        expires_at: at.after(Duration::from_secs(600)),
        ..message("acme")
    };
    let late = later(3_600);
    for number in 0..450 {
        store
            .accept(&post(&format!("order-{number}"), NOW), None)
            .await
            .unwrap();
    }
    store.accept(&post("late", late), None).await.unwrap();
    let kept = async || {
        let query = "SELECT count(*) FROM message WHERE idempotency_key IS NOT NULL OR request_mac IS NOT NULL";
        let count: i64 = sqlx::query_scalar(query)
            .fetch_one(store.readers())
            .await
            .unwrap();
        count
    };
    let almost = Timestamp::from_millis(NOW.after(KEY_LIFE).as_millis() - 1);
    assert_eq!(store.forget_idempotency_keys(almost).await.unwrap(), 0);
    assert_eq!(
        store
            .forget_idempotency_keys(NOW.after(KEY_LIFE))
            .await
            .unwrap(),
        450
    );
    assert_eq!(kept().await, 1);
    assert!(matches!(
        store.accept(&post("late", late), None).await.unwrap(),
        Accepted::Replayed(_)
    ));
}

#[tokio::test]
async fn a_recipient_that_is_spelled_differently_is_the_same_message() {
    let home = Home::new().await;
    let to = |text: &str| Message {
        recipient: Recipient::parse(Channel::Email, text).unwrap(),
        idempotency_key: Some("login".into()),
        ..message("acme")
    };
    home.store
        .accept(&to("ann@Example.com"), None)
        .await
        .unwrap();
    for same in ["ann@example.com", "ann@EXAMPLE.COM", "\"ann\"@example.com"] {
        let answer = home.store.accept(&to(same), None).await.unwrap();
        assert!(
            matches!(answer, Accepted::Replayed(_)),
            "{same}: {answer:?}"
        );
    }
    let other = home
        .store
        .accept(&to("Ann@example.com"), None)
        .await
        .unwrap();
    assert!(matches!(other, Accepted::Conflict), "{other:?}");
}

#[tokio::test]
async fn a_list_by_state_and_channel_reads_no_further_than_its_page() {
    let home = Home::new().await;
    let store = &home.store;
    let sms = || Message {
        channel: Channel::Sms,
        recipient: Recipient::parse(Channel::Sms, "+49 151 12345678").unwrap(),
        ..message("acme")
    };
    let mut ids = Vec::new();
    for number in 0..60 {
        let message = if number % 3 == 0 {
            sms()
        } else {
            message("acme")
        };
        store.accept(&message, None).await.unwrap();
        ids.push((message.id, message.channel));
    }
    for (id, _) in ids.iter().step_by(2) {
        store
            .cancel(&"acme".parse().unwrap(), *id, NOW)
            .await
            .unwrap();
    }
    let listed = async |state: Option<MessageState>, channel: Option<Channel>| {
        let (acme, filter) = ("acme".parse().unwrap(), MessageFilter { state, channel });
        let (mut all, mut cursor) = (Vec::new(), None);
        loop {
            let page = store.messages(&acme, &filter, cursor, 7).await.unwrap();
            all.extend(page.data.iter().map(|message| message.id));
            cursor = page.next;
            if cursor.is_none() {
                return all;
            }
        }
    };
    for state in [
        None,
        Some(MessageState::Cancelled),
        Some(MessageState::Accepted),
        Some(MessageState::Sent),
    ] {
        for channel in [None, Some(Channel::Email), Some(Channel::Sms)] {
            let holds = |(index, (_, its)): &(usize, &(MessageId, Channel))| {
                let is = if index % 2 == 0 {
                    MessageState::Cancelled
                } else {
                    MessageState::Accepted
                };
                state.is_none_or(|state| state == is)
                    && channel.is_none_or(|channel| channel == *its)
            };
            let wanted = ids.iter().enumerate().filter(holds).map(|(_, (id, _))| *id);
            let mut wanted: Vec<_> = wanted.collect();
            wanted.reverse();
            assert_eq!(
                listed(state, channel).await,
                wanted,
                "{state:?} {channel:?}"
            );
        }
    }
}
