//! A sandbox to act in: the engine, the `acts` guest, and a provider that answers `pong`.

use std::sync::Arc;

use bytes::Bytes;
use nix::time::{ClockId, clock_gettime};
use sendbox::connector::{
    Call, CallReport, ConnectorRuntime, EngineConfig, GuestClock, LoadedConnector,
};
use sendbox::egress::{
    Answer, Arm, Capture, CapturedRequest, Ceiling, EgressConfig, EgressPolicy, EgressScope,
    Transport,
};
use sendbox::id::Digest;
use sendbox::limits::Limits;
use sendbox::message::OutgoingMessage;
use sendbox::secret::DataKey;
use sendbox::settings::PreparedSettings;
use sendbox_tests::guests;
use serde_json::json;
use tokio::time::Instant;

/// The secret of every act's settings.
pub(crate) const SECRET: &str = "hunter2-hunter2";

/// An engine with few slots, and the `acts` guest in it.
pub(crate) struct Sandbox {
    pub(crate) runtime: ConnectorRuntime,
    pub(crate) acts: Arc<LoadedConnector>,
    /// The secret of the settings.
    pub(crate) secret: String,
    /// What is passed before a request.
    pub(crate) arm: Option<Arm>,
}

/// What came of an act, and what would have left.
pub(crate) struct Performed {
    pub(crate) report: CallReport,
    /// What the calling thread took of the processor for it: all of it, where there is no other thread.
    pub(crate) cpu: std::time::Duration,
    pub(crate) requests: Vec<CapturedRequest>,
}

impl Performed {
    /// The receipt's detail.
    pub(crate) fn detail(&self) -> &str {
        let receipt = self.report.result.as_ref().expect("a receipt");
        receipt.detail.as_deref().unwrap_or_default()
    }

    /// The failure's code and words.
    pub(crate) fn failure(&self) -> (&str, &str) {
        let failure = self.report.result.as_ref().expect_err("a failure");
        (
            failure.code.as_deref().unwrap_or_default(),
            &failure.message,
        )
    }
}

pub(crate) fn key() -> Arc<DataKey> {
    Arc::new(DataKey::from_bytes(&[0x5a; 32]).unwrap())
}

pub(crate) fn runtime(config: EngineConfig) -> ConnectorRuntime {
    ConnectorRuntime::new(&config, key()).unwrap()
}

impl Sandbox {
    pub(crate) async fn with_slots(pool_slots: u32) -> Self {
        Self::of(EngineConfig {
            pool_slots,
            ..EngineConfig::default()
        })
        .await
    }

    pub(crate) async fn of(config: EngineConfig) -> Self {
        let runtime = runtime(config);
        let bytes = Bytes::from_static(guests::ACTS);
        let acts = runtime.load(Digest::of(&bytes), bytes).await.unwrap();
        Self {
            runtime,
            acts,
            secret: SECRET.to_owned(),
            arm: None,
        }
    }

    pub(crate) async fn perform(&self, act: &str) -> Performed {
        self.perform_under(act, Limits::default()).await
    }

    pub(crate) async fn perform_under(&self, act: &str, limits: Limits) -> Performed {
        self.perform_at(&self.acts, act, limits, GuestClock::System)
            .await
    }

    pub(crate) async fn perform_at(
        &self,
        guest: &Arc<LoadedConnector>,
        act: &str,
        limits: Limits,
        clock: GuestClock,
    ) -> Performed {
        self.perform_for("tests", guest, act, limits, clock).await
    }

    pub(crate) async fn perform_for(
        &self,
        tenant: &str,
        guest: &Arc<LoadedConnector>,
        act: &str,
        limits: Limits,
        clock: GuestClock,
    ) -> Performed {
        let settings = json!({ "act": act, "secret": self.secret, "ungranted": "another-secret" });
        let (settings, secrets) = guest.schema.split(settings);
        let prepared = PreparedSettings::new(settings.clone(), &secrets, &guest.info.secret_grants);
        let (text, placeholders) = prepared.fill([7; 16]);
        let capture = Arc::new(Capture::new(vec![pong(); 32]));
        let ceiling = Arc::new(Ceiling::new(&EgressConfig::default()).unwrap());
        let policy = EgressPolicy::new(&ceiling, None, &guest.info.hosts, &settings).unwrap();
        let limits = Arc::new(limits);
        let deadline = Instant::now() + limits.wall();
        let egress = EgressScope::new(
            Transport::Capture(capture.clone()),
            tenant.parse().unwrap(),
            "acts".parse().unwrap(),
            1,
            None,
            Arc::new(policy),
            placeholders.clone(),
            limits.clone(),
            deadline,
            self.arm.clone(),
        );
        let call = Call {
            settings: text,
            message: message(),
            original: None,
            egress: Arc::new(egress),
            placeholders,
            limits,
            deadline,
            clock,
        };
        let began = thread_cpu();
        let report = self.runtime.call(guest, call).await;
        Performed {
            cpu: thread_cpu().saturating_sub(began),
            report,
            requests: capture.requests(),
        }
    }
}

/// What this thread has taken of the processor.
fn thread_cpu() -> std::time::Duration {
    let taken = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
    taken.unwrap().into()
}

/// An answer that reflects the secret, as a provider's error page may.
fn pong() -> Answer {
    Answer::Response {
        status: 200,
        headers: vec![],
        body: Bytes::from(format!("pong {SECRET}")),
    }
}

fn message() -> OutgoingMessage {
    OutgoingMessage {
        recipient: "14155552671".into(),
        usage_type: "SignIn".into(),
        payload: r#"{"code":"123456"}"#.into(),
        locale: None,
        client_ip: None,
        content: None,
        idempotency_key: "msg_1".into(),
        expires_in: std::time::Duration::from_secs(600),
    }
}
