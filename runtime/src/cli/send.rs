//! `sendbox send`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::{Output, ServerArgs, output};

#[derive(Debug, Args)]
pub(super) struct SendArgs {
    #[command(flatten)]
    server: ServerArgs,
    /// email or sms.
    #[arg(long)]
    channel: String,
    /// E-mail address or phone number.
    #[arg(long)]
    to: String,
    /// Usage type, such as `SignIn`.
    #[arg(long = "type", default_value = "Generic")]
    usage_type: String,
    /// Template variables as a JSON object.
    #[arg(long, default_value = r#"{"code":"000000"}"#)]
    payload: String,
    /// Language tag.
    #[arg(long)]
    locale: Option<String>,
    /// Act as an operator for this tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// Seconds to wait for the first attempt.
    #[arg(long, default_value_t = 10)]
    wait: u64,
}

/// Exits 0 when the message was sent, or is still on its way.
pub(super) async fn run(args: SendArgs, output: Output) -> anyhow::Result<ExitCode> {
    let payload: Value =
        serde_json::from_str(&args.payload).context("--payload must be a JSON object")?;
    let mut body = json!({
        "channel": args.channel, "to": args.to, "type": args.usage_type, "payload": payload,
    });
    if let (Some(locale), Some(fields)) = (args.locale, body.as_object_mut()) {
        fields.insert("locale".to_owned(), locale.into());
    }
    let path = match &args.tenant {
        Some(tenant) => format!(
            "/v1/tenants/{tenant}/messages?wait={}",
            args.wait,
            tenant = segment(tenant)
        ),
        None => format!("/v1/messages?wait={}", args.wait),
    };
    let message = Client::new(&args.server)
        .await?
        .call("POST", &path, Some(&body))
        .await?;
    output::result(output, &message);
    let state = message
        .get("state")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let lost = matches!(state, "failed" | "expired" | "cancelled" | "unknown");
    Ok(if lost {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
