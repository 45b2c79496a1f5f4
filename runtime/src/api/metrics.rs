//! What the server counts, in the text format of Prometheus
//! (<https://prometheus.io/docs/instrumenting/exposition_formats/>). No label names a tenant or a recipient.

use std::fmt::{Display, Write};
use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use super::App;
use super::auth::Watcher;
use super::error::ApiError;
use crate::attempt::MessageState;
use crate::connector::ENGINE_VERSION;
use crate::counts::{LOG_LINES_DROPPED, Tally};
use crate::message::Channel;

/// `GET /metrics`.
pub(super) async fn get(_: Watcher, State(app): State<App>) -> Result<impl IntoResponse, ApiError> {
    let outbox = app.store.browsing().outbox().await?;
    let (counts, mut page) = (app.delivery.counts(), Page::default());
    page.family(
        "sendbox_build_info",
        "gauge",
        "This server and its WebAssembly engine.",
    );
    let versions = [env!("CARGO_PKG_VERSION"), ENGINE_VERSION];
    page.sample("sendbox_build_info", ["version", "engine"], versions, 1_u64);
    page.counter(
        "sendbox_messages_accepted_total",
        "Messages that are on disk.",
        ["channel"],
        &counts.accepted,
    );
    page.counter(
        "sendbox_messages_ended_total",
        "Messages that reached a final state.",
        ["channel", "state"],
        &counts.ended,
    );
    waiting(&mut page, outbox);
    page.counter(
        "sendbox_attempts_total",
        "Attempts by what came of them: a receipt, or a failure's kind.",
        ["channel", "outcome"],
        &counts.attempts,
    );
    circuits(&mut page, &app);
    page.family("sendbox_sends_in_flight", "gauge", "Sends under way.");
    page.sample("sendbox_sends_in_flight", [], [], app.delivery.under_way());
    memory(&mut page, &app);
    page.counter(
        "sendbox_limit_hits_total",
        "Limits that sends and callers met.",
        ["limit"],
        &counts.limits,
    );
    egress(&mut page, &app);
    page.counter(
        "sendbox_uploads_total",
        "Uploaded components, accepted or refused.",
        ["result"],
        &app.uploads,
    );
    let dropped = "sendbox_log_lines_dropped_total";
    page.family(
        dropped,
        "counter",
        "Lines of the log that could not be written.",
    );
    page.sample(dropped, [], [], LOG_LINES_DROPPED.load(Ordering::Relaxed));
    Ok((
        [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")],
        page.0,
    ))
}

fn waiting(page: &mut Page, outbox: Vec<(Channel, MessageState, u64)>) {
    page.family(
        "sendbox_outbox_messages",
        "gauge",
        "Messages in the outbox: none of them is final.",
    );
    for (channel, state, messages) in outbox {
        let labels = [channel.as_str(), state.as_str()];
        page.sample(
            "sendbox_outbox_messages",
            ["channel", "state"],
            labels,
            messages,
        );
    }
}

fn circuits(page: &mut Page, app: &App) {
    page.counter(
        "sendbox_circuit_changes_total",
        "Circuits of integrations that were opened or closed.",
        ["change"],
        &app.delivery.counts().circuits,
    );
    let open = "sendbox_circuits_open";
    page.family(open, "gauge", "Integrations whose provider is down.");
    page.sample(open, [], [], app.delivery.open_circuits());
}

fn memory(page: &mut Page, app: &App) {
    let name = "sendbox_guest_memory_bytes";
    page.family(
        name,
        "gauge",
        "Memory that guests share beside their slots' own.",
    );
    let (all, held) = app.runtime.shared_memory();
    page.sample(name, ["state"], ["all"], all);
    page.sample(name, ["state"], ["held"], held);
}

fn egress(page: &mut Page, app: &App) {
    page.counter(
        "sendbox_egress_refusals_total",
        "Requests and mails that the egress policy refused.",
        ["rule"],
        app.delivery.egress().refusals(),
    );
    page.counter(
        "sendbox_egress_pool_refusals_total",
        "Sends that found no source of their pool in use.",
        ["reason"],
        &app.delivery.counts().pools,
    );
    let sources = app.delivery.egress().sources();
    page.counter(
        "sendbox_egress_source_suspensions_total",
        "Suspensions of egress sources.",
        ["reason"],
        sources.suspensions(),
    );
    let suspended = "sendbox_egress_sources_suspended";
    page.family(suspended, "gauge", "Egress sources that are out of use.");
    page.sample(suspended, [], [], sources.suspended_now());
}

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a text cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// Label values are words of this program: none needs to be escaped.
    fn sample<const N: usize>(
        &mut self,
        name: &str,
        labels: [&str; N],
        values: [&str; N],
        count: impl Display,
    ) {
        let pairs: Vec<_> = labels
            .iter()
            .zip(values)
            .map(|(label, value)| format!("{label}=\"{value}\""))
            .collect();
        let labels = match pairs.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", pairs.join(",")),
        };
        let _ = writeln!(self.0, "{name}{labels} {count}");
    }

    fn counter<const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        labels: [&str; N],
        tally: &Tally<N>,
    ) {
        self.family(name, "counter", help);
        for (values, count) in tally.read() {
            self.sample(name, labels, values, count);
        }
    }
}
