//! Nothing of one send is visible to the next: each instance looks for what the one before left.

use std::sync::Arc;

use bytes::Bytes;
use sendbox::connector::{ConnectorClass, EngineConfig, GuestClock, LoadedConnector};
use sendbox::id::Digest;
use sendbox::limits::Limits;
use sendbox_tests::guests;

use crate::sandbox::{Performed, Sandbox};
use crate::uploads::component;

/// Instances that follow each other in the one slot; `SENDBOX_HANDOVERS=100000` for the promised figure.
fn handovers() -> usize {
    let set = std::env::var("SENDBOX_HANDOVERS");
    set.map_or(2_000, |count| count.parse().unwrap())
}

async fn load(sandbox: &Sandbox, text: &str) -> Arc<LoadedConnector> {
    let bytes = Bytes::from(component(text));
    let digest = Digest::of(&bytes);
    sandbox.runtime.load(digest, bytes).await.unwrap()
}

async fn send(sandbox: &Sandbox, tenant: &str, guest: &Arc<LoadedConnector>) -> Performed {
    sandbox
        .perform_for(tenant, guest, "", Limits::default(), GuestClock::System)
        .await
}

/// Hands the one slot over so often, between the guest of `text` and another like it.
async fn hand_over(text: &str, class: ConnectorClass, handovers: usize) {
    let sandbox = Sandbox::of(EngineConfig {
        pool_slots: 1,
        large_pool_slots: 1,
        ..EngineConfig::default()
    })
    .await;
    // The same component again takes the fastest way through the pool, another one the longest.
    let other = text.replace("1.0.0", "1.0.1");
    let guests = [load(&sandbox, text).await, load(&sandbox, &other).await];
    assert!(guests.iter().all(|guest| guest.class == class));
    for turn in 0..handovers / 2 {
        let tenant = ["acme", "globex"][turn % 2];
        // Two sends of a tenant with one guest, then the other tenant or the other guest, in all orders.
        let sent = send(&sandbox, tenant, &guests[turn / 3 % 2]).await;
        assert!(
            sent.report.result.is_ok(),
            "turn {turn}: {:?}",
            sent.report.result
        );
        let sent = send(&sandbox, tenant, &guests[turn / 3 % 2]).await;
        assert!(
            sent.report.result.is_ok(),
            "turn {turn}: {:?}",
            sent.report.result
        );
    }
}

#[tokio::test]
async fn no_instance_finds_a_canary_of_the_one_before_in_its_slot() {
    hand_over(guests::CANARY, ConnectorClass::Small, handovers()).await;
}

#[tokio::test]
async fn no_large_instance_finds_one_either() {
    // Begins with 4.4 MiB, and grows beyond what a large slot keeps resident.
    let text = guests::CANARY
        .replace(
            "(memory (export \"memory\") 1)",
            "(memory (export \"memory\") 70)",
        )
        .replace(
            "(i32.ne (memory.size) (i32.const 1))",
            "(i32.ne (memory.size) (i32.const 70))",
        )
        .replace(
            "(i32.sub (i32.const 32) (memory.size))",
            "(i32.sub (i32.const 300) (memory.size))",
        );
    assert_eq!(
        text.matches("i32.const 70)").count() + text.matches("i32.const 300)").count(),
        2
    );
    hand_over(&text, ConnectorClass::Large, handovers() / 10).await;
}

#[tokio::test]
async fn a_canary_that_is_there_is_found() {
    let sandbox = Sandbox::with_slots(1).await;
    let order = "(call $look)\n    (call $leave)";
    assert!(guests::CANARY.contains(order));
    let mark = "(global.set $mark (i64.const 0x5ca1ab1e0ddba11))";
    let fill = "(table.fill $table (i32.const 0) (ref.func $leave) (i32.const 8))";
    let grow = "(drop (table.grow $table (ref.func $leave) (i32.const 1000)))";
    let word = "(i64.store (local.get $at) (i64.const 0x5ca1ab1e0ddba11))";
    let size = "(if (i32.ne (memory.size) (i32.const 1)) (then (unreachable)))";
    let parts = [mark, fill, grow, word];
    let swapped = guests::CANARY.replace(order, "(call $leave)\n    (call $look)");
    let swapped = swapped.replace(size, "");
    // Each of its traces alone is enough, and without any there is nothing to find.
    for kept in parts {
        assert!(swapped.contains(kept));
        let others = parts.iter().filter(|part| **part != kept);
        let text = others.fold(swapped.clone(), |text, part| text.replace(part, ""));
        let sent = send(&sandbox, "acme", &load(&sandbox, &text).await).await;
        assert_eq!(sent.failure().0, "connector.trap", "{kept}");
    }
    let none = parts
        .iter()
        .fold(swapped, |text, part| text.replace(part, ""));
    let sent = send(&sandbox, "acme", &load(&sandbox, &none).await).await;
    assert!(sent.report.result.is_ok(), "{:?}", sent.report.result);
}
