//! Every import, called by a real guest with the worst that one call can be given, or kept as often as there may be:
//! what the host does for it is bounded in time and in memory.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use nix::time::{ClockId, clock_gettime};
use sendbox::connector::GuestClock;
use sendbox::id::Digest;
use sendbox::limits::Limits;
use sendbox_tests::guests;

use crate::alone::{alone, reset_peak, status};
use crate::sandbox::Sandbox;

/// What a call may take of the processor, its guest's own work and its instance included. Only a release build
/// optimises the host's own code.
const CPU: Duration = match cfg!(debug_assertions) {
    true => Duration::from_millis(100),
    false => Duration::from_millis(20),
};
/// What is kept of all that calls give, or until the guest's CPU is spent.
const KEPT: Duration = Duration::from_millis(400);
/// What a call may take of memory: its guest's own buffers, what passes from it to the host, and a few copies.
const MEMORY_KIB: u64 = 32 << 10;

fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .unwrap()
        .into()
}

#[test]
fn no_call_of_an_import_costs_the_host_much() {
    alone(
        "hostcalls::no_call_of_an_import_costs_the_host_much",
        measure,
    );
}

async fn measure() {
    let sandbox = Sandbox::with_slots(2).await;
    let bytes = Bytes::from_static(guests::WORST);
    let imports = sandbox
        .runtime
        .inspect(bytes.clone())
        .await
        .unwrap()
        .imports;
    let guest = sandbox
        .runtime
        .load(Digest::of(&bytes), bytes)
        .await
        .unwrap();
    let perform = async |act: &str| {
        sandbox
            .perform_at(&guest, act, Limits::default(), GuestClock::System)
            .await
    };
    let names = perform("").await.detail().to_owned();
    let called: BTreeSet<_> = names
        .lines()
        .map(|name| name.split(' ').next().unwrap())
        .collect();
    for import in imports {
        let interface = import.split('@').next().unwrap();
        let types_alone = interface == "sendbox:connector/types";
        assert!(
            types_alone || called.contains(interface),
            "no call of {interface}"
        );
    }
    let (mut count, mut dear) = (0, Vec::new());
    for name in names.lines() {
        let (resident, began) = (reset_peak(), thread_cpu());
        let performed = perform(name).await;
        let (cpu, rise) = (
            thread_cpu() - began,
            status("VmHWM").saturating_sub(resident),
        );
        let code = performed
            .report
            .result
            .err()
            .and_then(|failure| failure.code);
        let code = code.unwrap_or_default();
        println!("{name}: {cpu:?}, {rise} KiB {code}");
        assert_ne!(code, "host.panic", "{name}");
        assert!(performed.report.wire.exchanges.len() <= 17, "{name}");
        let keeps = ["keep", "many", "on and on"]
            .iter()
            .any(|word| name.contains(word));
        if cpu > if keeps { KEPT } else { CPU } || rise > MEMORY_KIB {
            dear.push(format!("{name}: {cpu:?}, {rise} KiB {code}"));
        }
        count += 1;
    }
    println!("{count} calls measured");
    assert!(dear.is_empty(), "{}", dear.join("\n"));
}
