//! `sendbox email-service …`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Map, Value, json};

use super::client::{Client, segment};
use super::{Output, ServerArgs, output};

#[derive(Debug, Subcommand)]
pub(super) enum EmailServiceCommand {
    /// Lend an integration to every tenant that uses the built-in e-mail service.
    Put {
        #[command(flatten)]
        server: ServerArgs,
        /// The tenant whose integration is lent.
        tenant: String,
        /// The integration: active, and of any e-mail connector that sends by itself.
        integration: String,
        /// Messages that a tenant may send in a calendar month.
        #[arg(long, default_value_t = 1_000)]
        monthly_cap: u64,
        /// A tenant's own cap, as TENANT=COUNT; repeat for more.
        #[arg(long = "tenant-cap")]
        tenant_caps: Vec<String>,
        /// Digest of an uploaded component that may hand over to it; repeat for more. Without any, the
        /// one that comes with this server alone.
        #[arg(long = "connector")]
        connectors: Vec<String>,
    },
    /// Show what is lent.
    Get {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Lend nothing any more.
    Delete {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Show how much a tenant has used this month.
    Use {
        #[command(flatten)]
        server: ServerArgs,
        /// The tenant.
        tenant: String,
    },
}

pub(super) async fn run(command: EmailServiceCommand, output: Output) -> anyhow::Result<ExitCode> {
    const PATH: &str = "/v1/email-service";
    let (server, method, path, body) = match command {
        EmailServiceCommand::Put {
            server,
            tenant,
            integration,
            monthly_cap,
            tenant_caps,
            connectors,
        } => {
            let mut body = json!({
                "tenant": tenant, "integration": integration, "monthly_cap": monthly_cap,
                "tenant_caps": caps(&tenant_caps)?,
            });
            if let (false, Some(fields)) = (connectors.is_empty(), body.as_object_mut()) {
                fields.insert("connectors".to_owned(), json!(connectors));
            }
            (server, "PUT", PATH.to_owned(), Some(body))
        }
        EmailServiceCommand::Get { server } => (server, "GET", PATH.to_owned(), None),
        EmailServiceCommand::Delete { server } => (server, "DELETE", PATH.to_owned(), None),
        EmailServiceCommand::Use { server, tenant } => {
            let path = format!("/v1/tenants/{}/email-use", segment(&tenant));
            (server, "GET", path, None)
        }
    };
    let answer = Client::new(&server)?
        .call(method, &path, body.as_ref())
        .await?;
    output::result(output, &answer);
    Ok(ExitCode::SUCCESS)
}

fn caps(texts: &[String]) -> anyhow::Result<Map<String, Value>> {
    let cap = |text: &String| {
        let (tenant, count) = text
            .split_once('=')
            .context("--tenant-cap is TENANT=COUNT")?;
        let count: u64 = count.parse().context("--tenant-cap is TENANT=COUNT")?;
        Ok((tenant.to_owned(), json!(count)))
    };
    texts.iter().map(cap).collect()
}
