//! A whole server in this process, a provider that it sends to, and a client that calls it.

use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex};

use axum::Router;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use sendbox::cli::Bundle;
use sendbox::config::Config;
use sendbox::egress::EgressConfig;
use sendbox::server::Server;
use sendbox::time::Clock;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What reached the provider.
#[derive(Clone, Debug)]
pub struct Arrival {
    pub source: String,
    /// Path and query.
    pub target: String,
    pub authorization: String,
    pub body: String,
    pub at: std::time::SystemTime,
}

impl Arrival {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

type Answers = Box<dyn Fn(&Arrival) -> (StatusCode, HeaderMap, String) + Send + Sync>;

struct Behaviour {
    answers: Answers,
    arrivals: Mutex<Vec<Arrival>>,
    count: watch::Sender<usize>,
}

/// A provider on loopback that answers as it is told.
#[derive(Clone)]
pub struct Provider {
    pub address: SocketAddr,
    behaviour: Arc<Behaviour>,
}

impl Provider {
    pub async fn start(
        answers: impl Fn(&Arrival) -> (StatusCode, HeaderMap, String) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let behaviour = Arc::new(Behaviour {
            answers: Box::new(answers),
            arrivals: Mutex::default(),
            count: watch::channel(0).0,
        });
        let routes = Router::new().fallback(take).with_state(behaviour.clone());
        let service = routes.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        Self { address, behaviour }
    }

    pub async fn accepting() -> Self {
        Self::start(|_| (StatusCode::OK, HeaderMap::new(), r#"{"ok":true}"#.into())).await
    }

    pub fn arrivals(&self) -> Vec<Arrival> {
        self.behaviour.arrivals.lock().unwrap().clone()
    }

    /// How many requests have come.
    pub fn count(&self) -> usize {
        *self.behaviour.count.borrow()
    }

    /// Until so many requests have come.
    pub async fn wait_for(&self, count: usize) {
        self.behaviour
            .count
            .subscribe()
            .wait_for(|seen| *seen >= count)
            .await
            .unwrap();
    }
}

async fn take(
    State(behaviour): State<Arc<Behaviour>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
) -> (StatusCode, HeaderMap, String) {
    let at = std::time::SystemTime::now();
    let authorization = request.headers().get("authorization");
    let authorization = authorization.map(|value| value.to_str().unwrap().to_owned());
    let target = request.uri().to_string();
    let body = request.into_body().collect().await.unwrap().to_bytes();
    let arrival = Arrival {
        source: peer.ip().to_string(),
        target,
        authorization: authorization.unwrap_or_default(),
        body: String::from_utf8_lossy(&body).into_owned(),
        at,
    };
    // An answer may be held back: others go on meanwhile.
    let answer = tokio::task::block_in_place(|| (behaviour.answers)(&arrival));
    behaviour.arrivals.lock().unwrap().push(arrival);
    behaviour.count.send_modify(|count| *count += 1);
    answer
}

/// A provider that takes all, once the test lets go.
pub struct Held {
    pub provider: Provider,
    came: watch::Receiver<usize>,
    gate: Arc<(Mutex<usize>, Condvar)>,
}

impl Held {
    pub async fn start() -> Self {
        let gate = Arc::new((Mutex::new(0), Condvar::new()));
        let (count, came) = watch::channel(0);
        let passed = Arc::clone(&gate);
        let provider = Provider::start(move |_| {
            count.send_modify(|count| *count += 1);
            let (left, opened) = &*passed;
            let mut left = opened
                .wait_while(left.lock().unwrap(), |left| *left == 0)
                .unwrap();
            *left -= 1;
            (StatusCode::OK, HeaderMap::new(), "{}".to_owned())
        });
        Self {
            provider: provider.await,
            came,
            gate,
        }
    }

    pub async fn arrived(&mut self, count: usize) {
        self.came.wait_for(|came| *came >= count).await.unwrap();
    }

    /// Answers all, and all that come.
    pub fn let_go(&self) {
        self.let_go_of(usize::MAX);
    }

    /// Answers so many.
    pub fn let_go_of(&self, count: usize) {
        let (left, opened) = &*self.gate;
        *left.lock().unwrap() = count;
        opened.notify_all();
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}/", self.provider.address)
    }
}

/// A test that fails must not wait for an answer that nobody lets go.
impl Drop for Held {
    fn drop(&mut self) {
        self.let_go();
    }
}

/// An answer is held as long as a busy machine takes for the rest.
pub fn patient(config: &mut Config) {
    config.limits.wall_ms = 60_000;
    config.limits.first_byte_ms = 60_000;
}

/// An answer of the server.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("{} {}", self.status, self.text))
    }

    pub fn text_at(&self, pointer: &str) -> String {
        self.json()
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{pointer} in {}", self.text))
            .to_owned()
    }

    /// The answer, which must have this status.
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// One call of an HTTP server, on a connection of its own.
pub async fn call(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Bytes>,
) -> std::io::Result<Answer> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(std::io::Error::other)?;
    let connection = tokio::spawn(connection);
    let mut request = hyper::Request::builder()
        .method(method)
        .uri(path)
        .header("host", "sendbox.test");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(body.into())).unwrap();
    let response = sender
        .send_request(request)
        .await
        .map_err(std::io::Error::other)?;
    let (parts, body) = response.into_parts();
    let body = body
        .collect()
        .await
        .map_err(std::io::Error::other)?
        .to_bytes();
    connection.abort();
    let text = String::from_utf8_lossy(&body).into_owned();
    Ok(Answer {
        status: parts.status.as_u16(),
        headers: parts.headers,
        text,
    })
}

/// What comes with the program.
pub fn bundle() -> Bundle {
    Bundle {
        components: connector_bundle::BUNDLED,
        email_service: connector_bundle::EMAIL_SERVICE,
    }
}

/// A server with an operator's key.
pub struct House {
    pub server: Server,
    pub operator: String,
    folder: tempfile::TempDir,
}

impl House {
    pub async fn start() -> Self {
        Self::start_with(Clock::System, |_| {}).await
    }

    pub async fn start_with(clock: Clock, adapt: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::start_in(folder, clock, adapt).await
    }

    /// On data that may be there already.
    pub async fn start_in(
        folder: tempfile::TempDir,
        clock: Clock,
        adapt: impl FnOnce(&mut Config),
    ) -> Self {
        let mut config = Config::default();
        config.server.listen = ([127, 0, 0, 1], 0).into();
        config.store.folder = folder.path().join("data");
        config.egress = EgressConfig::loopback();
        config.engine.pool_slots = 64;
        config.built_in = bundle().built_in();
        adapt(&mut config);
        let server = Server::start(&config, clock).await.unwrap();
        let operator = std::fs::read_to_string(&server.operator_key_file)
            .unwrap()
            .trim()
            .to_owned();
        Self {
            server,
            operator,
            folder,
        }
    }

    /// Ends the server and keeps its data.
    pub async fn stop(self) -> tempfile::TempDir {
        self.server.stop().await;
        self.folder
    }

    pub async fn call(&self, key: &str, method: &str, path: &str, body: &Value) -> Answer {
        let authorization = format!("Bearer {key}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json"),
        ];
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        call(self.server.address, method, path, &headers, body)
            .await
            .unwrap()
    }

    pub async fn operate(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call(&self.operator, method, path, &body).await
    }

    pub async fn upload(&self, component: &[u8]) -> Answer {
        let authorization = format!("Bearer {}", self.operator);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/wasm"),
        ];
        call(
            self.server.address,
            "POST",
            "/v1/connectors",
            &headers,
            component.to_vec(),
        )
        .await
        .unwrap()
    }

    /// A tenant that sends e-mail by `http-email` to `endpoint`, from `source` where one is given. Returns its key.
    pub async fn tenant(&self, tenant: &str, endpoint: &str, source: Option<&str>) -> String {
        let component = connector_bundle::component("http-email").unwrap();
        self.upload(component).await;
        if let Some(source) = source {
            self.operate(
                "PUT",
                &format!("/v1/egress/sources/{tenant}"),
                json!({ "address": source }),
            )
            .await
            .expect(200);
            let pool = json!({ "sources": [{ "source": tenant }] });
            self.operate("PUT", &format!("/v1/egress/pools/{tenant}"), pool)
                .await
                .expect(200);
        }
        self.operate(
            "PUT",
            &format!("/v1/tenants/{tenant}"),
            json!({ "egress_pool": source.map(|_| tenant) }),
        )
        .await
        .expect(201);
        self.integrate(
            tenant,
            "mail",
            "http-email",
            json!({ "endpoint": endpoint }),
        )
        .await;
        self.operate(
            "PUT",
            &format!("/v1/tenants/{tenant}/routes/email"),
            json!({ "integrations": ["mail"] }),
        )
        .await
        .expect(200);
        self.key(tenant).await
    }

    /// An active integration.
    pub async fn integrate(&self, tenant: &str, name: &str, connector: &str, settings: Value) {
        let path = format!("/v1/tenants/{tenant}/integrations/{name}");
        self.operate(
            "PUT",
            &path,
            json!({ "connector": connector, "settings": settings }),
        )
        .await
        .expect(201);
        self.operate("POST", &format!("{path}/activate"), Value::Null)
            .await
            .expect(200);
    }

    pub async fn key(&self, tenant: &str) -> String {
        self.operate("POST", &format!("/v1/tenants/{tenant}/keys"), json!({}))
            .await
            .expect(201)
            .text_at("/key")
    }

    /// The message, if it is in a final state.
    pub async fn ended(&self, key: &str, id: &str) -> Option<Value> {
        let path = format!("/v1/messages/{id}");
        let message = self.call(key, "GET", &path, &Value::Null).await;
        let message = message.expect(200).json();
        let state = message["state"].as_str().unwrap();
        let is_open = ["accepted", "sending", "waiting"].contains(&state);
        (!is_open).then_some(message)
    }

    /// Until the message is in a final state.
    pub async fn finished(&self, key: &str, id: &str) -> Value {
        loop {
            if let Some(message) = self.ended(key, id).await {
                return message;
            }
            tokio::task::yield_now().await;
        }
    }
}
