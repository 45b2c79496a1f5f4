//! A disk that is full or broken, a clock that jumps, and a process that stands still, under the built program.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use sendbox_tests::history::End;

use crate::fault_kit::{Fate, PLAIN, Post, Run, STUCK, mixed};

/// A small file system in memory that the programs started by `enter` see, and that ends with them.
struct SmallDisk {
    keeper: Child,
    mounted: PathBuf,
}

impl SmallDisk {
    /// Mounts it, in a name space of its own, with the run's data on it.
    fn mount(run: &mut Run, size: &str) -> Self {
        let mounted = run.folder.path().join("small");
        fs::create_dir(&mounted).unwrap();
        let script = "mount -t tmpfs -o size=$0,mode=700 tmpfs $2 && cp -a $1 $2/data && echo mounted && read -r _";
        let mut keeper = Command::new("unshare")
            .args([
                "--user",
                "--map-root-user",
                "--mount",
                "sh",
                "-c",
                script,
                size,
            ])
            .args([&run.data, &mounted])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        let mut out = BufReader::new(keeper.stdout.take().unwrap());
        out.read_line(&mut said).unwrap();
        assert_eq!(said, "mounted\n");
        let pid = keeper.id().to_string();
        let enter = [
            "nsenter",
            "--target",
            &pid,
            "--user",
            "--mount",
            "--preserve-credentials",
        ];
        run.wrapper = enter.map(str::to_owned).into();
        run.data = mounted.join("data");
        // Without it nothing would be accepted long before the disk is full.
        let let_it_fill = ("SENDBOX__NODE_LIMITS__FREE_DISK_BYTES", "0".to_owned());
        run.environment.push(let_it_fill);
        Self { keeper, mounted }
    }

    /// The disk as this process sees it.
    fn path(&self, name: &str) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.keeper.id()));
        let mounted = self.mounted.strip_prefix("/").unwrap();
        root.join(mounted).join(name)
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut file = fs::File::create(self.path("filler")).unwrap();
        while file.write_all(&[0; 4_096]).is_ok() {}
    }

    fn free(&self) {
        fs::remove_file(self.path("filler")).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

/// Posts until one is refused: some still fit into what the log has room for.
async fn until_refused(run: &mut Run) {
    let refused = async { while !run.is_refused().await {} };
    let refused = tokio::time::timeout(STUCK, refused).await;
    refused.expect("nothing is refused");
    // What asks for readiness writes less than a message: that too may fit a few times.
    let unready =
        async { while run.call("acme", "GET", "/readyz").await.unwrap().status != 503 {} };
    let unready = tokio::time::timeout(STUCK, unready).await;
    unready.expect("it says that it is ready");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_accepts_nothing_loses_nothing_and_works_again_with_space() {
    let mut run = Run::new().await;
    let disk = SmallDisk::mount(&mut run, "64m");
    assert!(run.start());
    let under_way = run.load(8, |_| Post {
        fate: Fate::Held,
        ..PLAIN
    });
    run.arrived(under_way).await;
    disk.fill();
    until_refused(&mut run).await;
    // The provider took these: that is to be remembered, though there is no room to write it now.
    run.let_go();
    run.load(100, mixed);
    run.look().await;
    disk.free();
    run.posted().await;
    let history = run.judge("a full disk").await;
    let held = history
        .told
        .iter()
        .filter(|told| told.key.ends_with("held"));
    for told in held {
        let message = &history.kept[&told.id];
        assert_eq!(
            (message.state.as_str(), message.attempts.len()),
            ("sent", 1)
        );
    }

    // And once more, with a kill while there is no space.
    disk.fill();
    until_refused(&mut run).await;
    run.load(20, mixed);
    run.kill().await;
    disk.free();
    assert!(run.start());
    run.judge("a full disk and a kill").await;
}

/// Most machines have one disk: what fills it takes the log's room as well.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_of_data_and_log_costs_lines_and_works_again_with_space() {
    let mut run = Run::new().await;
    let disk = SmallDisk::mount(&mut run, "64m");
    let log = run.data.with_file_name("log");
    let into_the_log = format!("exec \"$0\" \"$@\" 2>> {}", log.display());
    run.wrapper
        .extend(["sh", "-c", &into_the_log].map(str::to_owned));
    // What it says stands in the file.
    run.start();
    let ready = async |run: &mut Run| {
        let is_ready = async {
            while run
                .call("acme", "GET", "/readyz")
                .await
                .map_or(0, |it| it.status)
                != 200
            {
                run.a_while().await;
            }
        };
        tokio::time::timeout(STUCK, is_ready)
            .await
            .expect("it is not ready");
    };
    ready(&mut run).await;
    run.load(20, mixed);
    run.posted().await;
    disk.fill();
    until_refused(&mut run).await;
    // Each of these is a line that finds no room.
    for _ in 0..50 {
        assert!(run.is_refused().await);
    }
    disk.free();
    ready(&mut run).await;
    run.load(20, mixed);
    run.posted().await;
    run.judge("a full disk of data and log").await;
    let said = fs::read_to_string(disk.path("log")).unwrap();
    assert!(said.contains("listening"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_provider_said_is_recorded_however_long_the_disk_was_full() {
    let mut run = Run::new().await;
    let disk = SmallDisk::mount(&mut run, "64m");
    assert!(run.start());
    let under_way = run.load(4, |_| Post {
        fate: Fate::Held,
        ..PLAIN
    });
    run.arrived(under_way).await;
    disk.fill();
    until_refused(&mut run).await;
    run.let_go();
    // Longer than a claim lasts, and then long enough for a few tries to write.
    run.plan("clock 200000");
    let tried = async { while run.is_refused().await {} };
    let _ = tokio::time::timeout(Duration::from_secs(4), tried).await;
    disk.free();
    run.posted().await;
    let history = run
        .judge("a disk that is full for longer than a lease")
        .await;
    let told = history.told.iter();
    let held = told.filter(|told| told.key.ends_with("held"));
    let ends = held.map(|told| {
        let message = &history.kept[&told.id];
        (message.state.as_str(), message.attempts.len())
    });
    assert_eq!(ends.collect::<Vec<_>>(), [("sent", 1); 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_writes_or_fsyncs_fail_nothing_is_acknowledged_and_a_new_start_has_all() {
    let mut run = Run::new().await;
    for fault in ["no-sync", "no-write"] {
        run.plan("");
        assert!(run.start());
        let all = run.load(40, mixed);
        run.accepted(all - 20).await;
        run.plan(&format!("commit {fault}"));
        until_refused(&mut run).await;
        // The clients of before are refused as well, until there is a disk again.
        run.load(20, mixed);
        run.look().await;
        run.kill().await;
    }
    run.plan("");
    assert!(run.start());
    run.judge("a disk that fails").await;
}

/// Messages that wait for their next attempt when the clock jumps: two that are taken then, two that never are.
async fn with_waiting(run: &mut Run) -> (Vec<String>, Vec<String>) {
    let count = run.load(2, |_| Post {
        fate: Fate::Once,
        ..PLAIN
    });
    run.accepted(count).await;
    let once = run.ids().split_off(count - 2);
    let count = run.load(2, |_| Post {
        fate: Fate::Busy,
        seconds: 3,
        ..PLAIN
    });
    run.accepted(count).await;
    let busy = run.ids().split_off(count - 2);
    for id in once.iter().chain(&busy) {
        while run.message(id).await["attempts"]
            .as_array()
            .unwrap()
            .is_empty()
        {
            run.a_while().await;
        }
    }
    (once, busy)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_forward_ends_what_waits_and_sends_none_of_it() {
    let mut run = Run::new().await;
    assert!(run.start());
    let count = run.load(20, |_| Post {
        fate: Fate::Busy,
        ..PLAIN
    });
    run.accepted(count).await;
    for id in run.ids() {
        while run.message(&id).await["state"] != "waiting" {
            run.a_while().await;
        }
    }
    run.plan("clock 3600000");
    run.over();
    let old = run.ids();
    run.load(20, |_| PLAIN);
    let history = run.judge("a clock an hour ahead").await;
    for (id, message) in &history.kept {
        let state = if old.contains(id) { "expired" } else { "sent" };
        assert_eq!(message.state, state, "{message:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_holds_nothing_up_and_lengthens_no_life() {
    let mut run = Run::new().await;
    assert!(run.start());
    let (mut once, mut busy) = with_waiting(&mut run).await;
    run.plan("clock -3600000");
    for id in &once {
        assert_eq!(run.end(id).await.state, "sent");
    }
    for id in &busy {
        assert_eq!(run.end(id).await.state, "expired");
    }
    // Set back further, and unnoticed by any process: over a restart.
    (once, busy) = with_waiting(&mut run).await;
    run.kill().await;
    run.plan("clock -315360000000");
    assert!(run.start());
    let more = run.load(20, mixed);
    run.accepted(more).await;
    let history = run
        .judge("a clock set back by an hour, and by ten years")
        .await;
    for id in &once {
        assert_eq!(history.kept[id].state, "sent");
    }
    for id in &busy {
        assert_eq!(history.kept[id].state, "expired");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stands_still_past_a_messages_time_does_not_send_it_afterwards() {
    const LIFE: Duration = Duration::from_secs(1);
    let short: fn(usize) -> Post = |_| Post {
        seconds: 1,
        ..PLAIN
    };
    // One whose server would have been told the recipient before it refused.
    let mail: fn(usize) -> Post = |_| Post {
        tenant: "guild",
        fate: Fate::Busy,
        seconds: 1,
        ..PLAIN
    };
    let mut run = Run::new().await;
    assert!(run.start());
    // At the last of these everything is done: the attempt is recorded, and its connection is open.
    for (step, shape) in [
        ("accept.committed", mail),
        ("accept.committed", short),
        ("call.prepared", short),
        ("arm.committed", short),
    ] {
        // Each a line of its own, whose passes are counted from now on.
        run.plan(&format!("{step} stop 1 {}", run.ids().len()));
        run.load(1, shape);
        run.stopped().await;
        let arrives = tokio::time::timeout(LIFE, run.arrived(1)).await;
        assert!(arrives.is_err(), "{step}");
        run.signal("CONT");
        run.posted().await;
    }
    let history = run.judge("SIGSTOP past the expiry").await;
    assert!(history.arrived.is_empty());
    for message in history.kept.values() {
        assert_eq!(message.state, "expired", "{message:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stands_still_for_longer_than_its_leases_sends_nothing_twice_silently() {
    const LEASE: Duration = Duration::from_secs(11);
    let mut run = Run::new().await;
    let brief = |key| (key, "1000".to_owned());
    run.environment.push(brief("SENDBOX__LIMITS__WALL_MS"));
    run.environment.push(brief("SENDBOX__LIMITS__SMTP_WALL_MS"));
    assert!(run.start());
    let held = run.load(10, |_| Post {
        fate: Fate::Held,
        ..PLAIN
    });
    run.load(40, mixed);
    run.arrived(held).await;
    run.signal("STOP");
    run.stopped().await;
    run.let_go();
    let more = run.provider.count() + 100;
    let quiet = tokio::time::timeout(LEASE, run.arrived(more)).await;
    assert!(quiet.is_err());
    run.signal("CONT");
    let history = run.judge("SIGSTOP past the leases").await;
    let doubt = |end: &End| *end == End::Unknown;
    let in_doubt = history.kept.values().filter(|message| {
        let mut ends = message.attempts.iter().map(|attempt| &attempt.end);
        ends.any(doubt)
    });
    println!("{} messages were in doubt", in_doubt.count());
}
