//! `sendbox egress …`.

use std::process::ExitCode;

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, segment};
use super::{Output, ServerArgs, output};

#[derive(Debug, Subcommand)]
pub(super) enum EgressCommand {
    /// Make or change a source: one local address that sends leave from.
    PutSource {
        #[command(flatten)]
        server: ServerArgs,
        /// Its name.
        name: String,
        /// An address of this machine.
        #[arg(long)]
        address: String,
        /// The name in EHLO.
        #[arg(long)]
        ehlo_name: Option<String>,
    },
    /// Make or change a pool: a weighted list of sources.
    PutPool {
        #[command(flatten)]
        server: ServerArgs,
        /// Its name.
        name: String,
        /// A source's name, or NAME=WEIGHT; repeat for more.
        #[arg(long = "source", required = true)]
        sources: Vec<String>,
    },
    /// List sources.
    Sources {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// List pools.
    Pools {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Say how a tenant would leave for a host, and which rule lets it through or refuses it.
    Explain {
        #[command(flatten)]
        server: ServerArgs,
        /// The tenant's name.
        tenant: String,
        /// HOST, HOST:PORT, or a URL.
        host: String,
    },
    /// List the addresses that sends leave from, for allow-lists at providers.
    Addresses {
        #[command(flatten)]
        server: ServerArgs,
        /// Only those that this tenant leaves from.
        #[arg(long)]
        tenant: Option<String>,
    },
    /// Remove a source that no pool has.
    DeleteSource {
        #[command(flatten)]
        server: ServerArgs,
        /// Its name.
        name: String,
    },
    /// Remove a pool that nobody leaves by.
    DeletePool {
        #[command(flatten)]
        server: ServerArgs,
        /// Its name.
        name: String,
    },
}

pub(super) async fn run(command: EgressCommand, output: Output) -> anyhow::Result<ExitCode> {
    let (server, method, path, body) = match command {
        EgressCommand::PutSource {
            server,
            name,
            address,
            ehlo_name,
        } => {
            let body = json!({ "address": address, "ehlo_name": ehlo_name });
            (
                server,
                "PUT",
                format!("/v1/egress/sources/{name}", name = segment(&name)),
                Some(body),
            )
        }
        EgressCommand::PutPool {
            server,
            name,
            sources,
        } => {
            let sources = sources
                .iter()
                .map(|text| member(text))
                .collect::<anyhow::Result<Vec<_>>>()?;
            (
                server,
                "PUT",
                format!("/v1/egress/pools/{name}", name = segment(&name)),
                Some(json!({ "sources": sources })),
            )
        }
        EgressCommand::Sources { server } => (server, "GET", "/v1/egress/sources".to_owned(), None),
        EgressCommand::Pools { server } => (server, "GET", "/v1/egress/pools".to_owned(), None),
        EgressCommand::Explain {
            server,
            tenant,
            host,
        } => {
            let (tenant, host) = (segment(&tenant), segment(&host));
            let path = format!("/v1/tenants/{tenant}/egress/explain?host={host}");
            (server, "GET", path, None)
        }
        EgressCommand::Addresses { server, tenant } => {
            let of = tenant.map_or_else(String::new, |tenant| {
                format!("?tenant={}", segment(&tenant))
            });
            (server, "GET", format!("/v1/egress/addresses{of}"), None)
        }
        EgressCommand::DeleteSource { server, name } => (
            server,
            "DELETE",
            format!("/v1/egress/sources/{name}", name = segment(&name)),
            None,
        ),
        EgressCommand::DeletePool { server, name } => (
            server,
            "DELETE",
            format!("/v1/egress/pools/{name}", name = segment(&name)),
            None,
        ),
    };
    let answer = Client::new(&server)?
        .call(method, &path, body.as_ref())
        .await?;
    output::result(output, &answer);
    Ok(ExitCode::SUCCESS)
}

fn member(text: &str) -> anyhow::Result<Value> {
    let (name, weight) = text.split_once('=').unwrap_or((text, "1"));
    let weight: u32 = weight
        .parse()
        .context("--source must be NAME or NAME=WEIGHT")?;
    Ok(json!({ "source": name, "weight": weight }))
}
