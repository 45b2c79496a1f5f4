//! `sendbox email-service …`.

use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::client::{Client, named, segment};
use super::{Output, ServerArgs, output};

const PATH: &str = "/v1/email-service";

#[derive(Debug, Subcommand)]
pub(super) enum EmailServiceCommand {
    /// Lend an integration to every tenant that uses the built-in e-mail service. What is not named stays.
    Put(PutService),
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

#[derive(Debug, Args)]
pub(super) struct PutService {
    #[command(flatten)]
    server: ServerArgs,
    /// The tenant whose integration is lent.
    tenant: String,
    /// The integration: active, and of any e-mail connector that sends by itself.
    integration: String,
    /// Messages that a tenant may send in a calendar month; 1000 at first.
    #[arg(long)]
    monthly_cap: Option<u64>,
    /// A tenant's own cap, as TENANT=COUNT; repeat for more.
    #[arg(long = "tenant-cap")]
    tenant_caps: Vec<String>,
    /// Digest of an uploaded component that may hand over to it; repeat for the whole list. At first the one that
    /// comes with this server.
    #[arg(long = "connector")]
    connectors: Vec<String>,
    /// Drop what is not named here: the caps and the components.
    #[arg(long)]
    replace: bool,
}

impl PutService {
    async fn run(self) -> anyhow::Result<Value> {
        let caps = caps(&self.tenant_caps)?;
        let connectors = (!self.connectors.is_empty()).then(|| json!(self.connectors));
        let given = named([
            ("tenant", Some(self.tenant.into())),
            ("integration", Some(self.integration.into())),
            ("monthly_cap", self.monthly_cap.map(Value::from)),
            ("tenant_caps", Some(caps.into())),
            ("connectors", connectors),
        ]);
        let client = Client::new(&self.server).await?;
        let kept = ["monthly_cap", "tenant_caps", "connectors"];
        let instead = self.replace.then(|| json!({}));
        client.change(PATH, &kept, instead, given).await
    }
}

pub(super) async fn run(command: EmailServiceCommand, output: Output) -> anyhow::Result<ExitCode> {
    let (server, method, path, body) = match command {
        EmailServiceCommand::Put(put) => {
            output::result(output, &put.run().await?);
            return Ok(ExitCode::SUCCESS);
        }
        EmailServiceCommand::Get { server } => (server, "GET", PATH.to_owned(), None),
        EmailServiceCommand::Delete { server } => (server, "DELETE", PATH.to_owned(), None),
        EmailServiceCommand::Use { server, tenant } => {
            let path = format!("/v1/tenants/{}/email-use", segment(&tenant));
            (server, "GET", path, None)
        }
    };
    let answer = Client::new(&server)
        .await?
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
