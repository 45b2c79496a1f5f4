//! Every route of the server, read off its source, against keys that must not open it and things that are not there.

use std::fs;

use sendbox_tests::repository;
use serde_json::{Value, json};

use crate::harness::{Answer, House, Provider, call};

/// Routes that answer without a key.
const OPEN: [&str; 3] = ["/healthz", "/readyz", "/v1/limits"];

/// A method with a path as the router has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Route {
    method: &'static str,
    path: String,
}

fn source(path: &str) -> String {
    fs::read_to_string(repository::root().join(path)).unwrap()
}

/// The routes that a part of a source registers, each path with `prefix` in front.
fn routes_in(text: &str, prefix: &str) -> Vec<Route> {
    let mut found = Vec::new();
    for call in text.split(".route(").skip(1) {
        let mut parts = call.split('"');
        let path = format!("{prefix}{}", parts.nth(1).unwrap().trim_end_matches('/'));
        let rest = &call[call.find(',').unwrap()..];
        let end = [".nest(", ".merge(", ".layer(", ";", "\n}"].map(|end| rest.find(end));
        let handlers = &rest[..end.into_iter().flatten().min().unwrap_or(rest.len())];
        let before = found.len();
        for method in ["get", "put", "post", "patch", "delete"] {
            let named = |(at, _): (usize, &str)| {
                handlers[..at].ends_with(|c: char| !c.is_alphanumeric() && c != '_')
            };
            if handlers.match_indices(&format!("{method}(")).any(named) {
                let method = match method {
                    "get" => "GET",
                    "put" => "PUT",
                    "post" => "POST",
                    "patch" => "PATCH",
                    _ => "DELETE",
                };
                found.push(Route {
                    method,
                    path: path.clone(),
                });
            }
        }
        assert!(found.len() > before, "no method for {path}: {handlers}");
    }
    found
}

/// Every route of the server.
fn routes() -> Vec<Route> {
    let api = source("runtime/src/api.rs");
    let nests: Vec<_> = api
        .split(".nest(\"")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
        .collect();
    assert_eq!(
        nests,
        [
            "/tenants/{tenant}",
            "/v1",
            "/email-templates",
            "/sms-templates"
        ],
        "read them below, too"
    );
    let parts: Vec<_> = api.split("Router::new()").collect();
    let [_, v1, root, tenant, sealing] = parts.as_slice() else {
        panic!(
            "{} routers in api.rs: read them below, too",
            parts.len() - 1
        );
    };
    let templates = source("runtime/src/api/templates.rs");
    let mut all = [
        routes_in(v1, "/v1"),
        routes_in(sealing, "/v1"),
        routes_in(root, ""),
        routes_in(&source("runtime/src/front_doors.rs"), ""),
    ]
    .concat();
    for own in ["/v1", "/v1/tenants/{tenant}"] {
        all.extend(routes_in(tenant, own));
        for kind in ["email-templates", "sms-templates"] {
            all.extend(routes_in(&templates, &format!("{own}/{kind}")));
        }
    }
    all.sort();
    all.dedup();
    assert!(all.len() > 80, "{all:#?}");
    all
}

/// What stands for each parameter of a path.
struct Names<'n> {
    tenant: &'n str,
    integration: &'n str,
    message: &'n str,
    template: &'n str,
    key: &'n str,
    connector: &'n str,
    digest: &'n str,
    name: &'n str,
}

const MISSING: Names<'static> = Names {
    tenant: "nobody",
    integration: "nothing",
    message: "msg_019a0000000070008000000000000000",
    template: "none",
    key: "0123456789abcdef",
    connector: "no-connector",
    digest: "0000000000000000000000000000000000000000000000000000000000000000",
    name: "nowhere",
};

fn filled(path: &str, names: &Names<'_>) -> String {
    let path = path
        .replace("{tenant}", names.tenant)
        .replace("{integration}", names.integration)
        .replace("{message}", names.message)
        .replace("{template}", names.template)
        .replace("{key}", names.key)
        .replace("{connector}", names.connector)
        .replace("{digest}", names.digest)
        .replace("{name}", names.name)
        .replace("{channel}", "email");
    assert!(!path.contains('{'), "{path}");
    path
}

/// All of an answer that a caller sees, its date aside.
fn seen(answer: &Answer) -> (u16, String, Vec<String>) {
    let names = answer.headers.keys().map(ToString::to_string).collect();
    (answer.status, answer.text.clone(), names)
}

/// A server with two tenants, and what the first of them has.
struct Town {
    house: House,
    acme: String,
    sender: String,
    metrics: String,
    globex: String,
    revoked: String,
    message: String,
    template: String,
    key_id: String,
    digest: String,
    _provider: Provider,
}

impl Town {
    async fn start() -> Self {
        let (house, provider) = (House::start().await, Provider::accepting().await);
        let endpoint = format!("http://{}/", provider.address);
        let acme = house.tenant("acme", &endpoint, Some("127.0.0.2")).await;
        let globex = house.tenant("globex", &endpoint, None).await;
        let settings = json!({ "endpoint": endpoint });
        house
            .integrate("acme", "acmes", "http-email", settings)
            .await;
        let mail = json!({ "channel": "email", "to": "a@example.com", "type": "SignIn", "payload": { "code": "1" } });
        let message = house
            .call(&acme, "POST", "/v1/messages?wait=10", &mail)
            .await
            .expect(202)
            .text_at("/id");
        let details = json!({ "subject": "s", "content": "{{code}}" });
        let rows = json!({ "templates": [{ "languageTag": "en", "templateType": "SignIn", "details": details }] });
        let template = house
            .call(&acme, "PUT", "/v1/email-templates", &rows)
            .await
            .text_at("/0/id");
        let revoked = house.key("acme").await;
        let keys = "/v1/tenants/acme/keys";
        let of_revoked = revoked.split('_').nth(1).unwrap();
        house
            .operate("DELETE", &format!("{keys}/{of_revoked}"), Value::Null)
            .await
            .expect(204);
        let key_id = acme.split('_').nth(1).unwrap().to_owned();
        let made = |path: &'static str, role: &'static str| {
            let made = house.operate("POST", path, json!({ "role": role }));
            async { made.await.expect(201).text_at("/key") }
        };
        let sender = made(keys, "sender").await;
        let metrics = made("/v1/operator-keys", "metrics").await;
        let digest = house
            .operate("GET", "/v1/connectors", Value::Null)
            .await
            .text_at("/data/0/digest");
        Self {
            acme,
            sender,
            metrics,
            house,
            globex,
            revoked,
            message,
            template,
            key_id,
            digest,
            _provider: provider,
        }
    }

    /// What acme has.
    fn acmes(&self) -> Names<'_> {
        Names {
            tenant: "acme",
            integration: "acmes",
            message: &self.message,
            template: &self.template,
            key: &self.key_id,
            connector: "http-email",
            digest: &self.digest,
            name: "acme",
        }
    }

    async fn with_key(&self, key: &str, route: &Route, names: &Names<'_>) -> Answer {
        let body = match route.method {
            "GET" | "DELETE" => Value::Null,
            // What is not there is missed only after the body was read.
            "POST" if route.path.ends_with("/test") => json!({ "to": "a@example.com" }),
            "POST" if route.path.ends_with("/secrets") => json!({ "secrets": {} }),
            _ => json!({}),
        };
        self.house
            .call(key, route.method, &filled(&route.path, names), &body)
            .await
    }

    /// All that acme could lose.
    async fn belongings(&self) -> String {
        let mut all = String::new();
        for path in [
            "",
            "/keys",
            "/integrations",
            "/routes",
            "/messages",
            "/email-templates",
            "/languages",
        ] {
            let path = format!("/v1/tenants/acme{path}");
            all += &self
                .house
                .operate("GET", &path, Value::Null)
                .await
                .expect(200)
                .text;
        }
        all
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_opens_to_a_key_that_does_not_work() {
    let town = Town::start().await;
    let unknown = "sbxop_0123456789abcdef_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let before = town.belongings().await;
    for route in routes() {
        let path = filled(&route.path, &town.acmes());
        let address = town.house.server.address;
        let none = call(address, route.method, &path, &[], "").await.unwrap();
        if OPEN.contains(&route.path.as_str()) {
            assert_eq!(none.status, 200, "{route:?}");
            continue;
        }
        assert_eq!(none.status, 401, "{route:?}");
        for key in ["x", unknown, &town.revoked] {
            let answer = town.with_key(key, &route, &town.acmes()).await;
            assert_eq!(seen(&answer), seen(&none), "{route:?} {key}");
        }
        // Nor does it tell what there is.
        let missing = town.with_key(&town.revoked, &route, &MISSING).await;
        assert_eq!(seen(&missing), seen(&none), "{route:?}");
    }
    assert_eq!(town.belongings().await, before);
    town.house.stop().await;
}

/// The roles that a route opens to. A front door tells the others that it does not exist.
fn roles_of(route: &Route) -> &'static [&'static str] {
    let (method, path) = (route.method, route.path.as_str());
    let own = path.strip_prefix("/v1/tenants/{tenant}/");
    let own = own.or_else(|| path.strip_prefix("/v1/")).unwrap_or("");
    let shared = own == "egress/addresses" || own.starts_with("connectors") && method == "GET";
    let belongings = [
        "integrations",
        "routes",
        "email-templates",
        "sms-templates",
        "languages",
        "email-use",
        "messages",
    ];
    if OPEN.contains(&path) {
        &["operator", "metrics", "tenant-admin", "sender"]
    } else if path == "/metrics" {
        &["operator", "metrics"]
    } else if path.starts_with("/front-doors/") {
        &["tenant-admin", "sender"]
    } else if own == "messages" && method == "POST" {
        &["operator", "tenant-admin", "sender"]
    } else if shared || belongings.contains(&own.split('/').next().unwrap()) {
        &["operator", "tenant-admin"]
    } else {
        &["operator"]
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_opens_to_the_roles_that_may_use_it_and_to_no_other() {
    let town = Town::start().await;
    let keys = [
        ("operator", &town.house.operator),
        ("metrics", &town.metrics),
        ("tenant-admin", &town.acme),
        ("sender", &town.sender),
    ];
    let (mut refused, mut opened) = (0, 0);
    let before = town.belongings().await;
    for route in &routes() {
        for (role, key) in keys
            .iter()
            .filter(|(role, _)| !roles_of(route).contains(role))
        {
            let answer = town.with_key(key, route, &town.acmes()).await;
            if route.path.starts_with("/front-doors/") {
                assert_eq!(answer.status, 404, "{role} {route:?}");
            } else {
                let code = answer.text_at("/code");
                assert_eq!(
                    (answer.status, code.as_str()),
                    (403, "forbidden"),
                    "{role} {route:?}"
                );
                // Nor does it tell what there is.
                let missing = town.with_key(key, route, &MISSING).await;
                assert_eq!(seen(&answer), seen(&missing), "{role} {route:?}");
            }
            refused += 1;
        }
    }
    assert_eq!(town.belongings().await, before);
    for route in &routes() {
        let names = Names {
            tenant: "acme",
            ..MISSING
        };
        for (role, key) in keys
            .iter()
            .filter(|(role, _)| roles_of(route).contains(role))
        {
            let answer = town.with_key(key, route, &names).await;
            assert!(
                ![401, 403].contains(&answer.status),
                "{role} {route:?}: {}",
                answer.text
            );
            opened += 1;
        }
    }
    assert!(refused > 150 && opened > 100, "{refused} {opened}");
    town.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_another_tenants_answers_as_what_does_not_exist() {
    let town = Town::start().await;
    let before = town.belongings().await;
    let mut compared = 0;
    for route in routes().iter().filter(|route| route.path.contains('{')) {
        // What every tenant may read, and the channels that every tenant has.
        let shared =
            route.path.starts_with("/v1/connectors") || route.path == "/v1/routes/{channel}";
        if shared && route.method == "GET" || route.path == "/v1/routes/{channel}" {
            continue;
        }
        let foreign = town.with_key(&town.globex, route, &town.acmes()).await;
        let missing = town.with_key(&town.globex, route, &MISSING).await;
        assert_eq!(seen(&foreign), seen(&missing), "{route:?}");
        // A name below the caller's own tenant is the caller's to give: an empty body is all that is wrong.
        let own_name = route.path == "/v1/integrations/{integration}" && route.method == "PUT";
        let refused: &[u16] = match own_name {
            true => &[400],
            false => &[403, 404],
        };
        assert!(
            refused.contains(&foreign.status),
            "{route:?}: {}",
            foreign.status
        );
        compared += 1;
    }
    assert!(compared > 50, "{compared}");
    assert_eq!(town.belongings().await, before);
    town.house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_learns_what_is_missing_and_nothing_else_happens() {
    let town = Town::start().await;
    let before = town.belongings().await;
    for route in routes().iter().filter(|route| route.path.contains('{')) {
        let operator = &town.house.operator;
        let makes = route.method == "PUT" || route.path == "/v1/egress/sources/{name}";
        // Below a tenant that there is, and below one that there is not.
        for tenant in ["acme", "nobody"] {
            let names = Names { tenant, ..MISSING };
            let whole = ["tenant", "channel"].map(|known| format!("{{{known}}}"));
            let bare = whole
                .iter()
                .fold(route.path.clone(), |path, known| path.replace(known, ""));
            if tenant == "acme" && !bare.contains('{') || makes {
                continue;
            }
            let answer = town.with_key(operator, route, &names).await;
            let own = !route.path.contains("{tenant}")
                && !["/connectors", "/egress", "/sealing-keys", "/operator-keys"]
                    .iter()
                    .any(|part| route.path.contains(part));
            assert_eq!(
                answer.status,
                if own { 400 } else { 404 },
                "{route:?}: {}",
                answer.text
            );
        }
    }
    assert_eq!(town.belongings().await, before);
    town.house.stop().await;
}

#[test]
fn the_reference_has_every_route_with_its_method_and_no_other() {
    let (reference, routes) = (source("docs/api.md"), routes());
    for route in &routes {
        let short = route
            .path
            .replace("/v1/tenants/{tenant}/", "…/")
            .replace("sms-templates", "email-templates");
        let own = short.replace("/v1/", "…/");
        let written = |path: &str| reference.contains(&format!("{} {path}`", route.method));
        assert!(
            written(&route.path) || written(&short) || written(&own),
            "{route:?}"
        );
    }
    let rows = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next()?.split_once(' '));
    let mut documented = 0;
    for (method, path) in rows {
        for own in ["/v1/", "/v1/tenants/{tenant}/"] {
            let path = path.replace("…/", own);
            let known = |route: &Route| route.method == method && route.path == path;
            assert!(routes.iter().any(known), "{method} {path}");
        }
        documented += 1;
    }
    assert!(documented > 50, "{documented}");
}
