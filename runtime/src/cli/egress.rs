//! `sendbox egress …`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, named, segment};
use super::{Output, ServerArgs, output};

#[derive(Debug, Subcommand)]
pub(super) enum EgressCommand {
    /// Make or change a source: one address that sends leave from. What is not named stays.
    PutSource(PutSource),
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

#[derive(Debug, Args)]
pub(super) struct PutSource {
    #[command(flatten)]
    server: ServerArgs,
    /// Its name.
    name: String,
    /// An address of this machine; with a proxy the one that the proxy leaves from.
    #[arg(long)]
    address: String,
    /// The name in EHLO.
    #[arg(long)]
    ehlo_name: Option<String>,
    /// A proxy to leave through: socks5://[USER@]ADDRESS:PORT or http-connect://[USER@]ADDRESS:PORT.
    #[arg(long)]
    proxy: Option<String>,
    /// A file that holds the password of the proxy's user.
    #[arg(long, requires = "proxy")]
    proxy_password_file: Option<PathBuf>,
    /// While it is new, messages in its first, second, … day.
    #[arg(long, value_delimiter = ',')]
    per_day: Vec<u32>,
    /// While it is new, messages in each hour of its first, second, … day.
    #[arg(long, value_delimiter = ',')]
    per_hour: Vec<u32>,
    /// When its first day began, such as 2026-11-21T00:00:00Z; with the first write by default.
    #[arg(long)]
    began_at: Option<String>,
    /// Drop what is not named here: its EHLO name, its proxy and its warm-up.
    #[arg(long)]
    replace: bool,
}

impl PutSource {
    async fn run(self) -> anyhow::Result<Value> {
        let path = format!("/v1/egress/sources/{}", segment(&self.name));
        let nothing = json!({ "proxy": null, "warm_up": null });
        let file = self.proxy_password_file.as_deref();
        let proxy = self.proxy.as_ref().map(|proxy| proxy_of(proxy, file));
        let list = |days: Vec<u32>| (!days.is_empty()).then(|| days.into());
        let warm_up = named([
            ("per_day", list(self.per_day)),
            ("per_hour", list(self.per_hour)),
            ("began_at", self.began_at.map(Value::from)),
        ]);
        let is_new = warm_up != json!({});
        let given = named([
            ("address", Some(self.address.into())),
            ("ehlo_name", self.ehlo_name.map(Value::from)),
            ("proxy", proxy.transpose()?),
            ("warm_up", is_new.then_some(warm_up)),
        ]);
        let client = Client::new(&self.server).await?;
        let kept = ["ehlo_name", "proxy", "warm_up"];
        let instead = self.replace.then_some(nothing);
        client.change(&path, &kept, instead, given).await
    }
}

fn proxy_of(text: &str, password: Option<&Path>) -> anyhow::Result<Value> {
    let shape =
        "--proxy must be socks5://[USER@]ADDRESS:PORT or http-connect://[USER@]ADDRESS:PORT";
    let (kind, rest) = text.split_once("://").context(shape)?;
    let (user, address) = match rest.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, rest),
    };
    let password = password.map(std::fs::read_to_string).transpose();
    let password = password.context("--proxy-password-file")?;
    let password = password
        .as_deref()
        .map(|text| text.trim_end_matches(['\r', '\n']));
    Ok(json!({ "kind": kind, "address": address, "user": user, "password": password }))
}

pub(super) async fn run(command: EgressCommand, output: Output) -> anyhow::Result<ExitCode> {
    let (server, method, path, body) = match command {
        EgressCommand::PutSource(source) => {
            output::result(output, &source.run().await?);
            return Ok(ExitCode::SUCCESS);
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
    let answer = Client::new(&server)
        .await?
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
