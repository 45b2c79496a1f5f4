//! The program is killed, at each durable step and at random, and ended in good order: what was accepted is
//! neither lost nor silently repeated.

use std::os::unix::process::ExitStatusExt;

use sendbox_tests::history::{End, History};

use crate::fault_kit::{Fate, PLAIN, Post, Run, mixed};

/// Before and after the commit of each step in a message's life, and around its call of the provider.
const STEPS: [&str; 18] = [
    "accept.written",
    "accept.committed",
    "claim.written",
    "claim.committed",
    "call.prepared",
    "count.written",
    "count.committed",
    "arm.written",
    "arm.committed",
    "call.answered",
    "record.written",
    "record.committed",
    "discount.written",
    "discount.committed",
    "expire.written",
    "expire.committed",
    "cancel.written",
    "cancel.committed",
];
/// Messages between two faults: some of each kind.
const BATCH: usize = 20;

/// A number from the environment.
fn setting(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// A generator of numbers that its seed decides.
struct Chance(u64);

impl Chance {
    /// One of `count` numbers: `SplitMix64`.
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % count as u64).unwrap()
    }
}

/// The operator's service counts before it sends: each mail that it sent is counted.
async fn assert_counted(run: &Run, history: &History) {
    let used = run.call("guild", "GET", "/v1/email-use").await.unwrap();
    let used = used.json()["count"].as_u64().unwrap();
    let mails = history
        .arrived
        .iter()
        .filter_map(|arrival| arrival.taken.as_ref());
    let mails = mails.filter(|id| id.starts_with('q')).count() as u64;
    assert!(mails > 0 && used >= mails, "{used} counted, {mails} sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_any_durable_step_loses_nothing_and_repeats_nothing_silently() {
    let mut run = Run::new().await;
    for step in STEPS {
        run.plan(&format!("{step} kill"));
        // What is left of the round before may bring it to the step before it listens.
        if run.start() {
            run.look().await;
        }
        run.load(BATCH, mixed);
        let end = run.ended().await;
        assert_eq!(end.signal(), Some(9), "{step}: {end}");
    }
    run.plan("");
    assert!(run.start());
    let history = run.judge("a kill at each step").await;
    assert_counted(&run, &history).await;
}

/// `SENDBOX_FAULT_SEED` chooses another course, `SENDBOX_FAULT_ROUNDS` a longer one.
#[tokio::test(flavor = "multi_thread")]
async fn faults_at_random_lose_nothing_and_repeat_nothing_silently() {
    let seed = setting("SENDBOX_FAULT_SEED", 20_261_121);
    let rounds = setting("SENDBOX_FAULT_ROUNDS", 10);
    println!("SENDBOX_FAULT_SEED={seed} SENDBOX_FAULT_ROUNDS={rounds}");
    let mut chance = Chance(seed as u64);
    let mut run = Run::new().await;
    for _ in 0..rounds {
        let (step, nth) = (STEPS[chance.below(STEPS.len())], 1 + chance.below(8));
        let fault = chance.below(4);
        let kill = format!("{step} kill {nth}");
        run.plan(if fault < 2 { &kill } else { "" });
        // What is left of the round before may bring it to the step before it listens.
        let listens = run.start();
        if fault == 2 {
            run.plan(&format!("{step} stop {nth}"));
        }
        let all = run.load(BATCH, mixed);
        run.accepted_or_still(all - chance.below(BATCH)).await;
        if fault == 3 && listens {
            run.look().await;
        }
        run.signal("CONT");
        run.accepted_or_still(all).await;
        let end = if fault == 3 && chance.below(2) == 0 {
            run.signal("TERM");
            run.ended().await
        } else {
            run.kill().await
        };
        assert!(end.success() || end.signal() == Some(9), "{end}");
    }
    run.plan("");
    assert!(run.start());
    let history = run.judge("faults at random").await;
    assert_counted(&run, &history).await;
}

/// `SENDBOX_MESSAGES` and `SENDBOX_KILLS` choose other figures.
#[tokio::test(flavor = "multi_thread")]
async fn kills_under_load_lose_nothing_send_nothing_late_and_mark_every_repeat() {
    let messages = setting("SENDBOX_MESSAGES", 10_000);
    let kills = setting("SENDBOX_KILLS", 20);
    // Of ten one lives for a second only, and three are text messages.
    let shape = |number: usize| match number % 10 {
        0 => Post {
            seconds: 1,
            ..PLAIN
        },
        1..4 => Post {
            channel: "sms",
            ..PLAIN
        },
        _ => PLAIN,
    };
    let mut run = Run::new().await;
    assert!(run.start());
    run.load(messages, shape);
    for kill in 1..=kills {
        run.accepted(messages / (kills + 1) * kill).await;
        run.kill().await;
        assert!(run.start());
    }
    let history = run.judge("kills under load").await;
    assert_eq!(history.told.len(), messages);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_ended_under_load_leaves_nothing_in_doubt() {
    let mut run = Run::new().await;
    let mut all = 0;
    for _ in 0..3 {
        assert!(run.start());
        all = run.load(100, |_| PLAIN);
        run.accepted(all - 50).await;
        run.signal("TERM");
        let end = run.ended().await;
        assert!(end.success(), "{end}");
    }
    assert!(run.start());
    let history = run.judge("SIGTERM under load").await;
    assert_eq!(history.kept.len(), all);
    for message in history.kept.values() {
        assert_eq!(message.state, "sent", "{message:?}");
        assert!(
            !message
                .attempts
                .iter()
                .any(|attempt| attempt.marked || attempt.end == End::Unknown)
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_ended_finishes_what_is_under_way_and_takes_nothing_new() {
    let mut run = Run::new().await;
    assert!(run.start());
    run.load(2, |_| Post {
        fate: Fate::Held,
        ..PLAIN
    });
    run.arrived(2).await;
    run.signal("TERM");
    while run.call("acme", "GET", "/healthz").await.is_ok() {}
    run.let_go();
    let end = run.ended().await;
    assert!(end.success(), "{end}");
    assert!(run.start());
    let history = run.judge("SIGTERM with sends under way").await;
    assert_eq!(history.arrived.len(), 2);
    for message in history.kept.values() {
        assert_eq!(
            (message.state.as_str(), message.attempts.len()),
            ("sent", 1)
        );
    }
}

#[cfg(all(target_env = "gnu", target_arch = "x86_64"))]
#[tokio::test(flavor = "multi_thread")]
async fn a_server_streams_large_copies_unless_its_operator_has_settings_of_their_own() {
    let mut run = Run::new().await;
    assert!(run.start());
    let set = "GLIBC_TUNABLES=glibc.cpu.x86_non_temporal_threshold=1048576";
    assert!(run.variables().iter().any(|one| one == set));
    let posted = run.load(1, |_| PLAIN);
    run.accepted(posted).await;
    run.kill().await;

    let own = ("GLIBC_TUNABLES", "glibc.malloc.perturb=0".to_owned());
    run.environment.push(own);
    assert!(run.start());
    let variables = run.variables();
    assert!(variables.contains(&"GLIBC_TUNABLES=glibc.malloc.perturb=0".to_owned()));
    assert!(!variables.iter().any(|one| one == set));
    run.judge("settings of glibc").await;
}
