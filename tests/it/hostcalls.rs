//! Every import, called by a real guest with the worst that one call can be given, or kept as often as there may be:
//! what the host does for it is bounded in time and in memory.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use sendbox::connector::{GuestClock, LoadedConnector};
use sendbox::id::Digest;
use sendbox::limits::Limits;
use sendbox::settings::SECRET_BYTES_MAX;
use sendbox_tests::guests;

use crate::alone::{alone, reset_peak, status};
use crate::sandbox::Sandbox;

/// What a call may take of the processor, its guest's own work included. Only a release build optimises the host's
/// own code.
const CPU: Duration = match cfg!(debug_assertions) {
    true => Duration::from_millis(100),
    false => Duration::from_millis(20),
};
/// What is kept of all that calls give, or until the guest's CPU is spent.
const KEPT: Duration = Duration::from_millis(400);
/// A mail of half a million lines and more: the recorded server that it goes to reads them one by one.
const RECORDED: Duration = Duration::from_millis(1_500);
/// What a call may take of memory: its guest's own buffers, what passes from it to the host, and a few copies.
const MEMORY_KIB: u64 = 32 << 10;

#[test]
fn no_call_of_an_import_costs_the_host_much() {
    alone(
        "hostcalls::no_call_of_an_import_costs_the_host_much",
        measure,
    );
}

async fn measure() {
    let mut sandbox = Sandbox::with_slots(2).await;
    // As large as one may be, and longer still where it is escaped.
    sandbox.secret = "\"".repeat(SECRET_BYTES_MAX);
    let load = async |bytes: &'static [u8]| {
        let bytes = Bytes::from_static(bytes);
        let loaded = sandbox.runtime.load(Digest::of(&bytes), bytes).await;
        loaded.unwrap()
    };
    let (guest, composer) = (load(guests::WORST).await, load(guests::COMPOSER).await);
    let perform = async |guest: &Arc<LoadedConnector>, act: &str| {
        let (limits, clock) = (Limits::default(), GuestClock::System);
        sandbox.perform_at(guest, act, limits, clock).await
    };
    let told = perform(&guest, "").await.report.log;
    let names = told.iter().map(|line| line.strip_prefix("info: ").unwrap());
    assert_calls_all(&sandbox, names.clone()).await;

    // What a send takes that calls nothing.
    let mut idle = Duration::MAX;
    for _ in 0..5 {
        let performed = perform(&guest, "wasi:clocks/wall-clock all").await;
        idle = idle.min(performed.cpu);
    }

    let (mut count, mut dear) = (0, Vec::new());
    let calls = names.map(|name| (&guest, name));
    for (guest, name) in calls.chain([(&composer, "flood"), (&composer, "long sender")]) {
        let resident = reset_peak();
        let performed = perform(guest, name).await;
        let rise = status("VmHWM").saturating_sub(resident);
        let failure = performed.report.result.err();
        let code = failure.and_then(|failure| failure.code).unwrap_or_default();
        assert_ne!(code, "host.panic", "{name}");
        assert!(performed.report.wire.exchanges.len() <= 17, "{name}");
        let is_one_of = |words: &[&str]| words.iter().any(|word| name.contains(word));
        let most = match () {
            () if is_one_of(&["dots", "line ends"]) => RECORDED,
            () if is_one_of(&["keep", "many", "on and on"]) => KEPT,
            () => CPU,
        };
        let mut cpu = performed.cpu.saturating_sub(idle);
        // A neighbour of the machine slows a call down, and none makes it faster.
        for _ in 0..4 {
            if cpu > most {
                let again = perform(guest, name).await;
                cpu = cpu.min(again.cpu.saturating_sub(idle));
            }
        }
        println!("{name}: {cpu:?}, {rise} KiB {code}");
        if cpu > most || rise > MEMORY_KIB {
            dear.push(format!("{name}: {cpu:?}, {rise} KiB {code}"));
        }
        count += 1;
    }
    assert!(count > 100, "{count} calls");
    assert!(dear.is_empty(), "{}", dear.join("\n"));
}

/// No interface that the guest imports is forgotten.
async fn assert_calls_all(sandbox: &Sandbox, names: impl Iterator<Item = &str>) {
    let called: BTreeSet<_> = names.map(|name| name.split(' ').next().unwrap()).collect();
    let bytes = Bytes::from_static(guests::WORST);
    for import in sandbox.runtime.inspect(bytes).await.unwrap().imports {
        let interface = import.split('@').next().unwrap();
        let has_functions = interface != "sendbox:connector/types";
        assert!(
            !has_functions || called.contains(interface),
            "no call of {interface}"
        );
    }
}
