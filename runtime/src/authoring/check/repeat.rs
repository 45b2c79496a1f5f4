//! Whether sends repeat themselves: `describe` and each case are run in fresh instances, with the same clock
//! and random bytes and with others, and what was left is compared.
//!
//! A value that a runtime drew at build time cannot be told from a constant by looking at sends alone. It is
//! looked for from three sides: what the component can ask the host for, what its sends did ask for, and what
//! strikes the eye in all of them though it stands neither in the case nor in the author's texts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use memchr::memmem;

use super::engine::Snapshot;
use super::shape::imports;
use super::traces::Traces;
use super::{Case, CheckReport, Finding, Level, Subject};
use crate::authoring::sample;
use crate::connector::{ConnectorRuntime, GuestClock, Inspection, LoadedConnector, Probe, Used};
use crate::replay::{ReplayResult, ReplayedOutcome, check as compare, replay_under};

/// How far the other clock is from a case's: no field of a date and no digit of a second stays.
const LATER: Duration = Duration::from_millis(3_555_431_111);
/// Values that repeat which are told of a component.
const REPEATED_MAX: usize = 5;
const RANDOM: [&str; 2] = ["wasi:random/random@", "wasi:random/insecure@"];
const CLOCK: &str = "wasi:clocks/wall-clock@";

/// What the sends of all cases showed.
#[derive(Default)]
struct Seen {
    cases: usize,
    /// Sends that asked for the time or for random bytes.
    asked_for_time: usize,
    asked_for_chance: usize,
    sends: usize,
    /// Cases that left something else under another clock, or with other random bytes.
    new_by_time: usize,
    new_by_chance: usize,
    repeated: usize,
    trapped: usize,
    different: usize,
    irreproducible: usize,
    used: Used,
}

/// One send and who asked for what in it.
struct Run {
    result: ReplayResult,
    traces: Traces,
    time: u64,
    chance: u64,
}

pub(super) async fn check(
    runtime: &ConnectorRuntime,
    subject: &Subject,
    inspection: &Inspection,
    report: &mut CheckReport,
) {
    let loaded = runtime.load(inspection.digest, subject.bytes.clone()).await;
    let connector = match loaded {
        Ok(connector) => connector,
        Err(error) => {
            let words = format!("anything about its sends: {error}");
            report.not_proven.push(words);
            return;
        }
    };
    describe(runtime, &connector, report).await;
    let made_up = made_up(subject, &connector);
    let bench = Bench {
        runtime,
        connector: &connector,
        literals: subject.literals(),
        description: connector.info.settings_schema.to_string(),
        made_up: made_up.is_some(),
    };
    let cases: Vec<&Case> = subject.cases.iter().chain(&made_up).collect();
    let mut seen = Seen::default();
    for case in &cases {
        one_case(&bench, case, &mut seen, report).await;
    }
    if cases.is_empty() {
        let words = "anything about its sends: no case was given, and no settings could be made up from its schema; give cases with `--cases FILE`";
        report.not_proven.push(words.to_owned());
    } else {
        report.used = Some(seen.used);
        sends(&seen, bench.made_up, report);
    }
    let engine = Snapshot::of(&subject.bytes);
    chance(&seen, inspection, engine, &subject.draws(), report);
    time(&seen, inspection, engine, report);
}

/// A case from the schema, where no other was given.
fn made_up(subject: &Subject, connector: &LoadedConnector) -> Option<Case> {
    if !subject.cases.is_empty() {
        return None;
    }
    Case::parse(&sample::case(&connector.info, &connector.schema)?).ok()
}

/// `describe` must answer the same in each instance.
async fn describe(
    runtime: &ConnectorRuntime,
    connector: &LoadedConnector,
    report: &mut CheckReport,
) {
    for (now, seed) in [(Duration::ZERO, 1), (LATER, 1), (LATER, 2)] {
        let clock = GuestClock::Probe(Probe::new(millis(now), Bytes::new(), seed));
        let problem = match runtime.describe_again(connector, clock).await {
            Ok(info) if info == connector.info => continue,
            Ok(_) => "`describe` answers something else when it is asked again".to_owned(),
            Err(error) => format!("`describe` fails when it is asked again: {error}"),
        };
        let remedy = "answer it from constants: the host asks once and keeps the answer";
        let finding = Finding::new(Level::Error, "describe.changes", problem, remedy);
        report.findings.push(finding);
        return;
    }
    let words = "`describe` answers the same in four fresh instances, under other clocks and with other random bytes";
    report.proven.push(words.to_owned());
}

/// Runs one case in five fresh instances, and notes what the five tell.
async fn one_case(bench: &Bench<'_>, case: &Case, seen: &mut Seen, report: &mut CheckReport) {
    let now = Duration::from_millis(case.replay.now_ms);
    let random = case.replay.random();
    let first = bench.run(case, now, random.clone(), 1).await;
    let again = bench.run(case, now, random.clone(), 1).await;
    let later = bench.run(case, now + LATER, random, 1).await;
    let drawn = bench.run(case, now, Bytes::new(), 2).await;
    let Ok(other) = case.with_another_message() else {
        return;
    };
    let other = bench.run(&other, now + LATER, Bytes::new(), 2).await;
    let id = &case.replay.id;
    seen.cases += 1;
    for run in [&first, &again, &later, &drawn, &other] {
        seen.note(run);
    }
    if !bench.made_up {
        seen.outcome(case, &first.result, report);
    }
    if let Some(place) = first.traces.difference(&again.traces) {
        seen.irreproducible += 1;
        report.findings.push(Finding::new(
            Level::Warning,
            "send.irreproducible",
            format!("case {id}: {place} differs between two sends with the same clock and the same random bytes"),
            "take time and chance from WASI alone, so that a recorded case can be replayed",
        ));
    }
    seen.new_by_time += usize::from(!first.traces.same(&later.traces));
    seen.new_by_chance += usize::from(!first.traces.same(&drawn.traces));
    let others = [&again, &later, &drawn, &other].map(|run| &run.traces);
    for (place, word) in first.traces.repeated(&others) {
        if bench.explains(case, &word) {
            continue;
        }
        seen.repeated += 1;
        if seen.repeated <= REPEATED_MAX {
            report.findings.push(Finding::new(
                Level::Warning,
                "value.repeats",
                format!("case {id}: {place} holds {word} in each of five sends, under other clocks, with other random bytes and for another message, and neither the case nor the author's texts have it"),
                "if it is meant to be random or a time, make it inside `send` and not when the module is loaded; if it is a constant, all is well",
            ));
        }
    }
}

/// What cases run on.
struct Bench<'a> {
    runtime: &'a ConnectorRuntime,
    connector: &'a Arc<LoadedConnector>,
    literals: Vec<u8>,
    description: String,
    /// The case is no author's: how it ends says nothing.
    made_up: bool,
}

impl Bench<'_> {
    async fn run(&self, case: &Case, now: Duration, random: Bytes, seed: u64) -> Run {
        let probe = Probe::new(millis(now), random, seed);
        let clock = GuestClock::Probe(probe.clone());
        let result = replay_under(self.runtime, self.connector, &case.replay, clock).await;
        Run {
            traces: Traces::of(&result),
            result,
            time: probe.asked_for_time(),
            chance: probe.asked_for_chance(),
        }
    }

    /// Whether a value comes from the case, the description or the author's texts.
    fn explains(&self, case: &Case, word: &str) -> bool {
        case.text.contains(word)
            || self.description.contains(word)
            || memmem::find(&self.literals, word.as_bytes()).is_some()
    }
}

impl Seen {
    fn note(&mut self, run: &Run) {
        self.sends += 1;
        self.asked_for_time += usize::from(run.time > 0);
        self.asked_for_chance += usize::from(run.chance > 0);
        let (most, used) = (&mut self.used, run.result.used);
        most.memory = most.memory.max(used.memory);
        most.table_elements = most.table_elements.max(used.table_elements);
        most.cpu_ms = most.cpu_ms.max(used.cpu_ms);
    }

    /// Whether the case ends as it says.
    fn outcome(&mut self, case: &Case, result: &ReplayResult, report: &mut CheckReport) {
        let id = &case.replay.id;
        if result.trapped
            && let ReplayedOutcome::Failure { message, .. } = &result.outcome
        {
            self.trapped += 1;
            report.findings.push(Finding::new(
                Level::Error,
                "send.ended",
                format!("case {id}: {message}"),
                "return a failure instead: what is thrown, panics or exits ends the instance",
            ));
        }
        for difference in compare(&case.replay, result) {
            self.different += 1;
            report.findings.push(Finding::new(
                Level::Error,
                "case.different",
                format!("case {id}: {difference}"),
                "correct the connector, or the case if it asks for the wrong thing",
            ));
        }
    }
}

/// What the sends of all cases showed, in words.
fn sends(seen: &Seen, made_up: bool, report: &mut CheckReport) {
    let cases = match (made_up, seen.cases) {
        (true, _) => "a case made up from the schema".to_owned(),
        (false, 1) => "one case".to_owned(),
        (false, cases) => format!("{cases} cases"),
    };
    if seen.irreproducible == 0 {
        report.proven.push(format!(
            "{cases}: a repeated send leaves the same requests, mail, answer and log with the same clock and random bytes"
        ));
    }
    if !made_up && seen.different == 0 && seen.trapped == 0 {
        report
            .proven
            .push(format!("{cases}: each does what it says"));
    }
    if made_up {
        let words = "that its requests are right: no case of its author's was given";
        report.not_proven.push(words.to_owned());
    }
}

/// Whether random values are new in each send.
fn chance(
    seen: &Seen,
    inspection: &Inspection,
    engine: Option<Snapshot>,
    draws: &[String],
    report: &mut CheckReport,
) {
    let can_ask = RANDOM.iter().any(|name| imports(inspection, name));
    if let Some(engine) = engine.filter(|_| !can_ask) {
        report.findings.push(Finding::new(
            Level::Warning,
            "chance.frozen",
            format!(
                "{} was started when the component was built, and no random source is imported: its random numbers are the same in every send",
                engine.name()
            ),
            engine.remedy(),
        ));
    }
    if let (Some(place), 0) = (draws.first(), seen.asked_for_chance) {
        report.findings.push(Finding::new(
            Level::Warning,
            "chance.unused",
            format!("{place} draws a random number, and no send of the cases asked the host for one"),
            "add a case that comes by there; if one does, its generator is frozen: build with WASI's random linked",
        ));
    }
    let (of, sends) = (seen.asked_for_chance, seen.sends);
    if seen.new_by_chance > 0 {
        report.proven.push(format!(
            "random values are new: {} of {} cases left something else when the host gave other random bytes",
            seen.new_by_chance, seen.cases
        ));
    } else if of > 0 {
        report.not_proven.push(format!(
            "that random values reach a request: {of} of {sends} sends asked the host for random bytes, and nothing that they left depends on them"
        ));
    } else if can_ask {
        report.not_proven.push(format!(
            "that random values are new: none of {sends} sends asked the host for random bytes, though the component could"
        ));
    } else {
        report.not_proven.push(
            "that random values are new: the component takes none from the host, so whatever its code calls random is the same in every send".to_owned(),
        );
    }
}

/// The same for the time.
fn time(seen: &Seen, inspection: &Inspection, engine: Option<Snapshot>, report: &mut CheckReport) {
    let can_ask = imports(inspection, CLOCK);
    if let Some(engine) = engine.filter(|_| !can_ask) {
        report.findings.push(Finding::new(
            Level::Warning,
            "time.frozen",
            format!(
                "{} was started when the component was built, and no clock is imported: its time is that of the build in every send",
                engine.name()
            ),
            engine.remedy(),
        ));
    }
    if seen.new_by_time > 0 {
        report.proven.push(format!(
            "the time is the host's: {} of {} cases left something else under another clock",
            seen.new_by_time, seen.cases
        ));
    } else if can_ask {
        report.not_proven.push(format!(
            "that the time is the host's: {} of {} sends asked for it, and nothing that they left depends on it",
            seen.asked_for_time, seen.sends
        ));
    } else {
        report.not_proven.push(
            "that the time is the host's: the component imports no clock, so whatever its code calls a time stands still".to_owned(),
        );
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
