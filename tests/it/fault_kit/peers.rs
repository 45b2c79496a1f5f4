//! The peers: a provider and a mail server that note all that comes, and the tenants that send to them.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::SystemTime;

use axum::http::{HeaderMap, StatusCode};
use sendbox_tests::history::{Arrival, Millis, millis};
use sendbox_tests::mail_peer::{MailPeer, reply, usual};
use serde_json::{Value, json};

use super::posts::key_in;
use crate::harness::{House, Provider};

pub(super) type Notes<T> = Arc<Mutex<Vec<T>>>;

/// Holds answers back until it is open.
#[derive(Default)]
pub(super) struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// Opens it for good.
    pub(super) fn let_go(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let open = self.open.lock().unwrap();
        drop(self.opened.wait_while(open, |open| !*open).unwrap());
    }
}

/// A provider by HTTP that does with each message what its key says.
pub(super) async fn provider(taken: Notes<Arrival>, gate: Arc<Gate>) -> Provider {
    Provider::start(move |arrival| {
        let key = key_in(&arrival.body).unwrap();
        let fate = key.rsplit('-').next().unwrap().to_owned();
        let status = {
            let mut noted = taken.lock().unwrap();
            let came_before = || noted.iter().any(|earlier| earlier.key == key);
            let status = match fate.as_str() {
                "ok" | "held" => StatusCode::OK,
                "once" if came_before() => StatusCode::OK,
                "once" | "busy" => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::BAD_REQUEST,
            };
            let name = status.is_success().then(|| format!("h{}", noted.len()));
            noted.push(Arrival {
                key,
                at: millis(arrival.at),
                taken: name,
            });
            status
        };
        if fate == "held" {
            gate.pass();
        }
        (status, HeaderMap::new(), "{}".into())
    })
    .await
}

/// A mail server that does the same, and when it queued which mail of which connection.
pub(super) async fn mail_server(queued: Notes<(usize, Millis)>) -> MailPeer {
    MailPeer::start(None, false, move |line| {
        let busy = line.text.starts_with("RCPT") && line.text.contains("-busy@");
        if line.text == "." {
            let mut queued = queued.lock().unwrap();
            queued.push((line.connection, millis(SystemTime::now())));
            return reply(&format!("250 2.0.0 queued as q{}", queued.len() - 1));
        }
        if busy {
            reply("451 4.2.1 later")
        } else {
            usual(line)
        }
    })
    .await
}

/// `acme` with HTTP e-mail and text messages, and `guild` that sends through the operator's e-mail service.
pub(super) async fn tenants(
    house: &House,
    provider: &Provider,
    mail_port: u16,
) -> BTreeMap<&'static str, String> {
    let endpoint = format!("http://{}/", provider.address);
    let acme = house.tenant("acme", &endpoint, None).await;
    for id in ["http-sms", "smtp", "builtin-email"] {
        let component = connector_bundle::component(id).unwrap();
        house.upload(component).await.expect(201);
    }
    let put = async |path: &str, body: Value| {
        let answer = house.operate("PUT", &format!("/v1/{path}"), body).await;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
    };
    // A text message in doubt moves on, a mail is repeated by the only integration that there is.
    for name in ["text", "spare"] {
        let settings = json!({ "endpoint": endpoint });
        house.integrate("acme", name, "http-sms", settings).await;
    }
    put(
        "tenants/acme/routes/sms",
        json!({ "integrations": ["text", "spare"] }),
    )
    .await;
    let usage_types = ["Register", "SignIn", "ForgotPassword", "Generic"];
    let relay = json!({
        "host": "127.0.0.1", "port": mail_port, "ignoreTLS": true, "auth": {},
        "fromEmail": "House <noreply@house.test>",
        "templates": usage_types.map(|usage_type| json!({
            "usageType": usage_type, "contentType": "text/plain", "subject": "own", "content": "{{code}}",
        })),
    });
    put("tenants/house", json!({})).await;
    house.integrate("house", "relay", "smtp", relay).await;
    put(
        "email-service",
        json!({ "tenant": "house", "integration": "relay" }),
    )
    .await;
    put("tenants/guild", json!({})).await;
    house
        .integrate("guild", "mail", "builtin-email", json!({}))
        .await;
    put(
        "tenants/guild/routes/email",
        json!({ "integrations": ["mail"] }),
    )
    .await;
    BTreeMap::from([("acme", acme), ("guild", house.key("guild").await)])
}
