//! Guests that do their worst, and neighbours that must not notice.

use std::sync::Arc;

use bytes::Bytes;
use sendbox::connector::{ConnectorClass, EngineConfig, GuestClock, UploadError};
use sendbox::id::Digest;
use sendbox::limits::{Limit, Limits};
use sendbox::outcome::{FailureKind, Progress};
use sendbox_tests::guests;

use crate::sandbox::{SECRET, Sandbox};
use crate::uploads::component;

#[tokio::test]
async fn each_hostile_act_ends_in_its_typed_failure() {
    let sandbox = Sandbox::with_slots(8).await;
    let hurried = || Limits {
        wall_ms: 300,
        ..Limits::default()
    };
    for (act, limits, code) in [
        ("endless-loop", Limits::default(), "limit.cpu"),
        ("memory-bomb", Limits::default(), "limit.memory"),
        ("deep-recursion", Limits::default(), "limit.stack"),
        ("huge-result", Limits::default(), "limit.hostcall-bytes"),
        ("large-result", Limits::default(), "limit.result"),
        ("sleep", hurried(), "limit.wall"),
        ("wasi-http-unsent", hurried(), "limit.wall"),
        ("panic", Limits::default(), "connector.trap"),
        ("exit", Limits::default(), "connector.exit"),
    ] {
        let ended = sandbox.perform_under(act, limits).await;
        assert_eq!(ended.failure().0, code, "{act}: {}", ended.failure().1);
        assert!(ended.report.trapped, "{act}");
        let after = sandbox.perform("echo").await;
        assert!(after.report.result.is_ok(), "the send after {act}");
    }
}

#[tokio::test]
async fn a_guest_that_grows_its_table_is_ended() {
    let sandbox = Sandbox::with_slots(2).await;
    let bytes = Bytes::from(component(guests::TABLE_GROWTH));
    let guest = sandbox
        .runtime
        .load(Digest::of(&bytes), bytes)
        .await
        .unwrap();
    let ended = sandbox
        .perform_at(&guest, "", Limits::default(), GuestClock::System)
        .await;
    assert_eq!(ended.failure().0, "limit.table-elements");
}

#[tokio::test]
async fn a_guest_that_loops_in_describe_is_refused() {
    let sandbox = Sandbox::with_slots(2).await;
    let looping = guests::TABLE_GROWTH.replace("(i32.const 64))", "(loop (br 0)) (unreachable))");
    let refused = sandbox.runtime.inspect(component(&looping).into()).await;
    assert!(
        matches!(
            &refused,
            Err(UploadError::Describe {
                code: "limit.cpu" | "limit.wall",
                ..
            })
        ),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neighbours_send_on_while_guests_loop() {
    let sandbox = std::sync::Arc::new(Sandbox::with_slots(32).await);
    let mut loops = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let sandbox = sandbox.clone();
        loops.spawn(async move { sandbox.perform("endless-loop").await });
    }
    let mut answered = 0;
    while !loops.is_empty() {
        assert!(sandbox.perform("echo").await.report.result.is_ok());
        answered += 1;
        while let Some(ended) = loops.try_join_next() {
            assert_eq!(ended.unwrap().failure().0, "limit.cpu");
        }
    }
    assert!(answered > 8, "{answered} sends while eight guests looped");
}

/// Ticks of CPU that threads of low priority have used for guests in this process.
fn background_cpu() -> u64 {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    threads
        .filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("stat")).ok())
        .filter(|stat| stat.contains("(sandbox-backgro"))
        .map(|stat| {
            // proc(5): the third field comes first here.
            let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
            assert_eq!(fields[16], "10", "the priority of {stat}");
            fields[11].parse::<u64>().unwrap()
        })
        .sum()
}

#[tokio::test]
async fn a_guest_that_computes_for_long_goes_on_at_low_priority() {
    let sandbox = Sandbox::with_slots(1).await;
    let looped = sandbox.perform("endless-loop").await;
    assert_eq!(looped.failure().0, "limit.cpu");
    // Most of 250 ms; a tick of the kernel's is 10 ms.
    assert!(background_cpu() > 0);
}

#[tokio::test]
async fn sends_beyond_the_slots_wait_for_their_turn() {
    let sandbox = std::sync::Arc::new(Sandbox::with_slots(2).await);
    let mut sends = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let sandbox = sandbox.clone();
        sends.spawn(async move { sandbox.perform("echo").await });
    }
    while let Some(sent) = sends.join_next().await {
        assert!(sent.unwrap().report.result.is_ok());
    }
}

#[tokio::test]
async fn a_send_that_gets_no_slot_in_time_says_so() {
    let sandbox = std::sync::Arc::new(Sandbox::with_slots(1).await);
    let wall = |wall_ms| Limits {
        wall_ms,
        ..Limits::default()
    };
    let sleeper = {
        let sandbox = sandbox.clone();
        tokio::spawn(async move { sandbox.perform_under("sleep", wall(1_000)).await })
    };
    // The sleeper takes the slot at its first poll.
    tokio::task::yield_now().await;
    let late = sandbox.perform_under("echo", wall(50)).await;
    assert_eq!(late.failure().0, "limit.concurrency");
    assert_eq!(sleeper.await.unwrap().failure().0, "limit.wall");
}

#[tokio::test]
async fn a_tenant_does_not_hold_all_slots_of_a_class() {
    let sandbox = Sandbox::of(EngineConfig {
        pool_slots: 4,
        large_pool_slots: 4,
        ..EngineConfig::default()
    });
    let sandbox = std::sync::Arc::new(sandbox.await);
    // Section 0, whose name and content are zeros: more than a small connector has.
    let size = 3 << 20;
    let leb = [
        0x80 | (size & 0x7f),
        0x80 | (size >> 7 & 0x7f),
        0x80 | (size >> 14 & 0x7f),
        size >> 21,
    ];
    let mut large = guests::ACTS.to_vec();
    large.push(0);
    large.extend(leb.map(|byte| u8::try_from(byte).unwrap()));
    large.resize(large.len() + size, 0);
    let large = Bytes::from(large);
    let large = sandbox
        .runtime
        .load(Digest::of(&large), large)
        .await
        .unwrap();
    assert_eq!(large.class, ConnectorClass::Large);
    for guest in [&sandbox.acts, &large] {
        let perform = |tenant: &'static str, act: &'static str, wall_ms| {
            let (sandbox, guest) = (sandbox.clone(), guest.clone());
            let limits = Limits {
                wall_ms,
                ..Limits::default()
            };
            async move {
                let clock = GuestClock::System;
                sandbox
                    .perform_for(tenant, &guest, act, limits, clock)
                    .await
            }
        };
        let mut sleepers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            sleepers.spawn(perform("mallory", "sleep", 4_000));
        }
        tokio::task::yield_now().await;
        let echo = perform("alice", "echo", 3_000).await;
        assert!(echo.report.result.is_ok(), "{:?}", echo.report.result);
        assert_eq!(sleepers.len(), 8);
        assert!(sleepers.try_join_next().is_none(), "they sleep on");
        sleepers.shutdown().await;
    }
}

#[tokio::test]
async fn a_flood_of_words_is_cut_and_the_send_goes_on() {
    let sandbox = Sandbox::with_slots(1).await;
    let flood = sandbox.perform("log-flood").await;
    assert_eq!(flood.detail(), "said it all");
    let log = &flood.report.log;
    assert!(log.iter().map(String::len).sum::<usize>() <= (64 << 10) + 64);
    assert!(log.last().unwrap().contains("cut"));
    assert_eq!(flood.report.met, [Limit::Log]);
}

#[tokio::test]
async fn a_guest_reaches_only_hosts_that_it_declared() {
    let sandbox = Sandbox::with_slots(1).await;
    for act in ["dial-private", "dial-undeclared"] {
        let denied = sandbox.perform(act).await;
        assert!(
            denied.failure().1.contains("Denied"),
            "{act}: {}",
            denied.failure().1
        );
        assert!(denied.requests.is_empty());
        assert_eq!(denied.report.wire.exchanges[0].progress, Progress::Refused);
    }
    let flood = sandbox.perform("request-flood").await;
    assert_eq!(flood.requests.len(), 16);
    assert!(
        flood.failure().1.contains("limit.requests"),
        "{}",
        flood.failure().1
    );
}

#[tokio::test]
async fn what_the_host_computes_for_a_guest_counts_as_its_cpu() {
    let sandbox = Sandbox::with_slots(1).await;
    for act in ["blank-lines", "placeholders", "tiny-requests", "wasi-flood"] {
        let ended = sandbox.perform(act).await;
        assert_eq!(
            ended.failure().0,
            "limit.cpu",
            "{act}: {}",
            ended.failure().1
        );
        assert!(ended.report.used.cpu_ms >= 250, "{act}");
        assert!(ended.requests.len() <= 16, "{act}");
        // What was over the limit of requests is one entry, which counts it all.
        let wire = &ended.report.wire;
        let stored = serde_json::to_string(wire).unwrap();
        assert!(
            wire.exchanges.len() <= 17 && stored.len() < 8 << 10,
            "{act}: {stored}"
        );
        if act == "tiny-requests" {
            let last = wire.exchanges.last().unwrap();
            assert_eq!(last.error.as_deref(), Some("limit.requests"));
            assert!(last.more > 100, "{act}: {last:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_is_not_armed_is_the_hosts_word_by_whichever_import() {
    let mut sandbox = Sandbox::with_slots(2).await;
    sandbox.arm = Some(Arc::new(|_| Box::pin(async { None })));
    for act in ["echo", "wasi-http"] {
        let held_back = sandbox.perform(act).await;
        assert_eq!(held_back.failure().0, "attempt.not-armed", "{act}");
        let failure = held_back.report.result.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Unavailable, "{act}");
        assert!(!held_back.report.trapped && held_back.requests.is_empty());
    }
}

#[tokio::test]
async fn wasi_http_goes_the_same_way() {
    let sandbox = Sandbox::with_slots(1).await;
    let sent = sandbox.perform("wasi-http").await;
    assert!(sent.detail().starts_with("200 pong"), "{}", sent.detail());
    let request = &sent.requests[0];
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("POST", "https://echo.example.com/")
    );
    assert_eq!(request.body, "hello");
    for (act, words) in [
        ("wasi-http-undeclared", "HttpRequestDenied"),
        ("wasi-http-wrong-length", ""),
    ] {
        let refused = sandbox.perform(act).await;
        assert!(
            refused.failure().1.contains(words),
            "{act}: {}",
            refused.failure().1
        );
        assert!(refused.requests.is_empty(), "{act}");
    }
}

#[tokio::test]
async fn a_request_that_its_guest_forgot_is_on_the_wire_record_or_never_left() {
    let sandbox = Sandbox::with_slots(1).await;
    let forgotten = sandbox.perform("wasi-http-forgotten").await;
    assert_eq!(forgotten.detail(), "left");
    let wire = &forgotten.report.wire;
    assert_eq!(forgotten.requests.is_empty(), !wire.completed(), "{wire:?}");
}

#[tokio::test]
async fn a_guest_finds_nothing_of_its_host() {
    let sandbox = Sandbox::with_slots(1).await;
    let seen = sandbox.perform("look-around").await;
    assert_eq!(seen.detail(), "0 0 false false false");
}

#[tokio::test]
async fn a_reflected_secret_reaches_neither_log_nor_failure() {
    let sandbox = Sandbox::with_slots(1).await;
    let leak = sandbox.perform("leak").await;
    assert_eq!(leak.report.log.len(), 2);
    let seen = format!("{:?} {:?}", leak.report.log, leak.failure());
    assert!(seen.contains("pong") && !seen.contains(SECRET), "{seen}");
}

#[tokio::test]
async fn a_frozen_clock_gives_the_same_time_and_the_recorded_bytes() {
    let sandbox = Sandbox::with_slots(1).await;
    let clock = || GuestClock::Frozen {
        now_ms: 1_767_323_045_678,
        random: Bytes::from_static(&[0xab; 16]),
    };
    let seen = sandbox
        .perform_at(&sandbox.acts, "clock", Limits::default(), clock())
        .await;
    assert_eq!(seen.detail(), format!("1767323045678 {}", "ab".repeat(16)));
    let system = sandbox.perform("clock").await;
    assert_ne!(system.detail(), seen.detail());
}

#[tokio::test]
async fn a_trap_before_any_request_is_no_risk_and_one_after_it_is() {
    let sandbox = Sandbox::with_slots(1).await;
    let before = sandbox.perform("panic").await;
    assert_eq!(
        before.report.result.unwrap_err().kind,
        FailureKind::Unavailable
    );
    assert!(
        before
            .report
            .log
            .iter()
            .any(|line| line.contains("as told"))
    );
    let after = sandbox.perform("send-and-panic").await;
    assert_eq!(after.failure().0, "connector.trap");
    let failure = after.report.result.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Unknown);
}
