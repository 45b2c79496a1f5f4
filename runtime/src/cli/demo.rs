//! `sendbox demo`: the main job made visible on one machine, with a stand-in for the provider.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use clap::Args;
use serde_json::{Value, json};

use super::client::Client;
use super::log::Log;
use super::{Bundle, ServerArgs, connector, output, serve};
use crate::config::Config;
use crate::server::Server;
use crate::time::Clock;

mod provider;

use provider::Provider;

/// The connector that the demo uploads unless it is given a file.
const CONNECTOR: &str = "http-email";
/// The payload of Logto's documentation.
const PAYLOAD: &str = r#"{"to":"foo@logto.io","type":"SignIn","payload":{"code":"123456","locale":"de"},"ip":"192.168.1.1"}"#;
/// The tenants, each with the address that its sends leave from.
const TENANTS: [(&str, &str); 2] = [("acme", "127.0.0.2"), ("globex", "127.0.0.3")];

#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// End after the two messages; exits 1 if anything went wrong.
    #[arg(long)]
    once: bool,
    /// A component to upload that takes the settings of Logto's HTTP e-mail connector.
    #[arg(long)]
    connector: Option<PathBuf>,
    /// Address and port to listen on.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: std::net::SocketAddr,
    /// Show log lines.
    #[arg(long)]
    log: bool,
}

pub(super) async fn run(args: DemoArgs, bundle: Bundle) -> anyhow::Result<ExitCode> {
    let _log = args.log.then(|| Log::start(false)).transpose()?;
    let folder = tempfile::Builder::new().prefix("sendbox-demo-").tempdir()?;
    let provider = Provider::start().await?;
    let server = Server::start(&profile(&args, folder.path(), bundle)?, Clock::System).await?;
    let shown = show(&args, bundle, folder.path(), &server, &provider).await;
    if shown.is_ok() && !args.once {
        output::line("\nThe server stays up. Press Ctrl-C to end it.");
        serve::Ends::listen()?.next().await;
    }
    server.stop().await;
    shown.map(|()| ExitCode::SUCCESS)
}

/// The demo's own profile: loopback is open, in clear, and nothing else is kept.
fn profile(args: &DemoArgs, folder: &Path, bundle: Bundle) -> anyhow::Result<Config> {
    let mut config = Config::default();
    config.server.listen = args.listen;
    config.store.folder = folder.to_owned();
    config.engine.compiler = Some(serve::THIS_PROGRAM.into());
    config.egress = crate::egress::EgressConfig::loopback();
    config.built_in = bundle.built_in();
    Ok(config)
}

async fn show(
    args: &DemoArgs,
    bundle: Bundle,
    folder: &Path,
    server: &Server,
    provider: &Provider,
) -> anyhow::Result<()> {
    let base = format!("http://{}", server.address);
    let operator_key = std::fs::read_to_string(&server.operator_key_file)?
        .trim()
        .to_owned();
    let operator = Client::new(&ServerArgs {
        server: base.clone(),
        ca: None,
        key: operator_key.clone(),
    })
    .await?;
    output::line(&format!("server     {base}"));
    output::line(&format!(
        "provider   http://{} (a stand-in that prints what reaches it)",
        provider.address
    ));

    let file = match &args.connector {
        Some(file) => file.clone(),
        None => write_component(folder, bundle)?,
    };
    let id = upload(&operator, &file).await?;
    let mut keys = Vec::new();
    for (tenant, source) in TENANTS {
        keys.push(set_up(&operator, tenant, source, &id, provider).await?);
        output::line(&format!("tenant     {tenant} leaves from {source}"));
    }
    for ((tenant, source), key) in TENANTS.into_iter().zip(&keys) {
        send(&operator, &base, tenant, source, key).await?;
        let seen = provider.last_source();
        ensure!(
            seen.as_deref() == Some(source),
            "the provider saw {seen:?}, not {source}"
        );
    }
    output::line("\nTry it yourself:\n");
    for ((tenant, _), key) in TENANTS.into_iter().zip(&keys) {
        output::line(&format!(
            "curl -sS {base}/front-doors/logto/{tenant}/email -H 'Authorization: Bearer {key}' \\\n  \
             -H 'Content-Type: application/json' -d '{PAYLOAD}'\n"
        ));
    }
    output::line(&format!(
        "operator's API: {base}/v1 with 'Authorization: Bearer {operator_key}'"
    ));
    Ok(())
}

/// The bundled component as a file, as an author would hold it.
fn write_component(folder: &Path, bundle: Bundle) -> anyhow::Result<PathBuf> {
    let file = folder.join(format!("{CONNECTOR}.wasm"));
    std::fs::write(&file, connector::component(CONNECTOR, bundle)?)?;
    Ok(file)
}

async fn upload(operator: &Client, file: &Path) -> anyhow::Result<String> {
    let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
    let answer = operator.component("/v1/connectors", bytes).await?;
    let id = text(&answer, "/info/id")?;
    output::line(&format!(
        "uploaded   {} as {id} {}: {} bytes, compiled in {} ms",
        file.display(),
        text(&answer, "/info/version")?,
        answer.pointer("/size").unwrap_or(&Value::Null),
        answer.pointer("/compile_ms").unwrap_or(&Value::Null),
    ));
    Ok(id)
}

/// A tenant with its source, pool, integration and route. Returns its key.
async fn set_up(
    operator: &Client,
    tenant: &str,
    source: &str,
    connector: &str,
    provider: &Provider,
) -> anyhow::Result<String> {
    let steps = [
        (
            "PUT",
            format!("/v1/egress/sources/{tenant}-ip"),
            json!({ "address": source }),
        ),
        (
            "PUT",
            format!("/v1/egress/pools/{tenant}"),
            json!({ "sources": [{ "source": format!("{tenant}-ip") }] }),
        ),
        (
            "PUT",
            format!("/v1/tenants/{tenant}"),
            json!({ "title": tenant, "egress_pool": tenant }),
        ),
        (
            "PUT",
            format!("/v1/tenants/{tenant}/integrations/mail"),
            json!({
                "connector": connector,
                "settings": { "endpoint": format!("http://{}/{tenant}/send-email", provider.address) },
            }),
        ),
        (
            "POST",
            format!("/v1/tenants/{tenant}/integrations/mail/activate"),
            Value::Null,
        ),
        (
            "PUT",
            format!("/v1/tenants/{tenant}/routes/email"),
            json!({ "integrations": ["mail"] }),
        ),
    ];
    for (method, path, body) in steps {
        operator
            .call(method, &path, Some(&body).filter(|body| !body.is_null()))
            .await
            .context(path)?;
    }
    let key = operator
        .call(
            "POST",
            &format!("/v1/tenants/{tenant}/keys"),
            Some(&json!({ "title": "demo", "role": "sender" })),
        )
        .await?;
    text(&key, "/key")
}

/// Posts Logto's own payload as Logto would, with a key that can only send, and prints the message's timeline.
async fn send(
    operator: &Client,
    base: &str,
    tenant: &str,
    source: &str,
    key: &str,
) -> anyhow::Result<()> {
    let client = Client::new(&ServerArgs {
        server: base.to_owned(),
        ca: None,
        key: key.to_owned(),
    })
    .await?;
    output::line(&format!(
        "\nPOST /front-doors/logto/{tenant}/email  {}",
        provider::masked(PAYLOAD)
    ));
    let payload: Value = serde_json::from_str(PAYLOAD)?;
    let answer = client
        .call(
            "POST",
            &format!("/front-doors/logto/{tenant}/email"),
            Some(&payload),
        )
        .await?;
    let id = text(&answer, "/id")?;
    let message = operator
        .call("GET", &format!("/v1/tenants/{tenant}/messages/{id}"), None)
        .await?;
    timeline(&message);
    let state = text(&message, "/state")?;
    ensure!(state == "sent", "{tenant}'s message is {state}, not sent");
    let left_from = text(&message, "/attempts/0/exchanges/0/source_ip")?;
    ensure!(
        left_from == source,
        "{tenant}'s message left from {left_from}, not {source}"
    );
    Ok(())
}

fn timeline(message: &Value) {
    let word = |pointer: &str| message.pointer(pointer).map(plain).unwrap_or_default();
    output::line(&format!(
        "  {}  accepted  {} to {}",
        word("/created_at"),
        word("/id"),
        word("/recipient")
    ));
    for attempt in message
        .get("attempts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let word = |pointer: &str| attempt.pointer(pointer).map(plain).unwrap_or_default();
        output::line(&format!(
            "  {}  attempt {} through {} ({})",
            word("/started_at"),
            word("/number"),
            word("/integration"),
            word("/connector"),
        ));
        for exchange in attempt
            .get("exchanges")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            let word = |name: &str| exchange.get(name).map(plain).unwrap_or_default();
            output::line(&format!(
                "  {:24}  {} {} from {}: {} {} in {} ms",
                "",
                word("method"),
                word("authority"),
                word("source_ip"),
                word("progress"),
                word("status"),
                word("duration_ms"),
            ));
        }
    }
    output::line(&format!("  {}  {}", word("/updated_at"), word("/state")));
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn text(value: &Value, pointer: &str) -> anyhow::Result<String> {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .with_context(|| format!("the server's answer has no {pointer}"))
}
