//! `sendbox integration …`: a tenant's integrations and routes.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::{Client, named, segment};
use super::{Output, ServerArgs, output};

/// A tenant, and a key that may act for it.
#[derive(Debug, Args)]
pub(super) struct TenantArgs {
    #[command(flatten)]
    pub(super) server: ServerArgs,
    /// The tenant; a tenant's own key needs none.
    #[arg(long)]
    tenant: Option<String>,
}

impl TenantArgs {
    /// The path of something that the tenant has.
    pub(super) fn path(&self, rest: &str) -> String {
        match &self.tenant {
            Some(tenant) => format!("/v1/tenants/{tenant}/{rest}", tenant = segment(tenant)),
            None => format!("/v1/{rest}"),
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum IntegrationCommand {
    /// Save an integration; a new one is a draft.
    Put(PutIntegration),
    /// Show one: its settings without secrets, and whether its provider is down.
    Show {
        #[command(flatten)]
        tenant: TenantArgs,
        /// Its name.
        name: String,
    },
    /// List integrations.
    List {
        #[command(flatten)]
        tenant: TenantArgs,
    },
    /// Send one test message now, past route and outbox.
    Test {
        #[command(flatten)]
        tenant: TenantArgs,
        /// Its name.
        name: String,
        /// Recipient.
        #[arg(long)]
        to: String,
        /// Usage type.
        #[arg(long = "type", default_value = "Generic")]
        usage_type: String,
        /// Template variables as JSON; the code 000000 by default.
        #[arg(long)]
        payload: Option<String>,
        /// The recipient's language, such as de or zh-CN.
        #[arg(long)]
        locale: Option<String>,
        /// Send nothing, and show the requests or the mail that would leave.
        #[arg(long)]
        dry_run: bool,
    },
    /// Let routes name it.
    Activate {
        #[command(flatten)]
        tenant: TenantArgs,
        /// Its name.
        name: String,
    },
    /// Write new values of its secrets; those they replace stay in use until they are retired.
    Rotate {
        #[command(flatten)]
        tenant: TenantArgs,
        /// Its name.
        name: String,
        /// JSON file of an object, such as {"/apiKey": "new"}; - for standard input.
        #[arg(long)]
        secrets: PathBuf,
    },
    /// Forget the secrets that the last rotation replaced.
    Retire {
        #[command(flatten)]
        tenant: TenantArgs,
        /// Its name.
        name: String,
    },
    /// Remove an integration that no route names.
    Delete {
        #[command(flatten)]
        tenant: TenantArgs,
        /// Its name.
        name: String,
    },
    /// Set a channel's route: the integrations to try, in order.
    Route {
        #[command(flatten)]
        tenant: TenantArgs,
        /// email or sms.
        channel: String,
        /// Integrations; the first is the primary.
        #[arg(required = true)]
        integrations: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(super) struct PutIntegration {
    #[command(flatten)]
    tenant: TenantArgs,
    /// Its name.
    name: String,
    /// The connector's id.
    #[arg(long)]
    connector: String,
    /// JSON file of all settings, as Logto's console holds them; a secret that is left out keeps its value. - for
    /// standard input.
    #[arg(long)]
    settings: PathBuf,
    /// A version's digest; the newest by default.
    #[arg(long)]
    digest: Option<String>,
    /// The egress pool that overrides the tenant's (operators only); unless it is named, it stays as it is.
    #[arg(long)]
    egress_pool: Option<String>,
    /// Drop the integration's own egress pool where none is named.
    #[arg(long)]
    replace: bool,
}

impl PutIntegration {
    async fn run(self) -> anyhow::Result<Value> {
        let given = named([
            ("connector", Some(self.connector.into())),
            ("settings", Some(read(&self.settings)?)),
            ("digest", self.digest.map(Value::from)),
            ("egress_pool", self.egress_pool.map(Value::from)),
        ]);
        let path = self.tenant.path(&below(&self.name, ""));
        let client = Client::new(&self.tenant.server).await?;
        let instead = self.replace.then(|| json!({ "egress_pool": null }));
        let kept = ["egress_pool"];
        client.change(&path, &kept, instead, given).await
    }
}

pub(super) async fn run(command: IntegrationCommand, output: Output) -> anyhow::Result<ExitCode> {
    use IntegrationCommand as C;
    let mut code = ExitCode::SUCCESS;
    let (tenant, method, path, body) = match command {
        C::Put(put) => {
            output::result(output, &put.run().await?);
            return Ok(code);
        }
        C::Show { tenant, name } => (tenant, "GET", below(&name, ""), None),
        C::List { tenant } => (tenant, "GET", "integrations".to_owned(), None),
        C::Test {
            tenant,
            name,
            to,
            usage_type,
            payload,
            locale,
            dry_run,
        } => {
            let payload = payload.as_deref().map(serde_json::from_str::<Value>);
            let payload = payload.transpose().context("--payload must be JSON")?;
            let body = named([
                ("to", Some(to.into())),
                ("type", Some(usage_type.into())),
                ("payload", payload),
                ("locale", locale.map(Value::from)),
                ("dry_run", dry_run.then_some(Value::Bool(true))),
            ]);
            (tenant, "POST", below(&name, "/test"), Some(body))
        }
        C::Activate { tenant, name } => (tenant, "POST", below(&name, "/activate"), None),
        C::Rotate {
            tenant,
            name,
            secrets,
        } => {
            let body = json!({ "secrets": read(&secrets)? });
            (tenant, "POST", below(&name, "/secrets"), Some(body))
        }
        C::Retire { tenant, name } => (tenant, "DELETE", below(&name, "/secrets/earlier"), None),
        C::Delete { tenant, name } => (tenant, "DELETE", below(&name, ""), None),
        C::Route {
            tenant,
            channel,
            integrations,
        } => {
            let path = format!("routes/{channel}", channel = segment(&channel));
            let body = json!({ "integrations": integrations });
            (tenant, "PUT", path, Some(body))
        }
    };
    let answer = Client::new(&tenant.server)
        .await?
        .call(method, &tenant.path(&path), body.as_ref())
        .await?;
    if answer.get("ok") == Some(&Value::Bool(false)) {
        code = ExitCode::FAILURE;
    }
    output::result(output, &answer);
    Ok(code)
}

/// The path of an integration, and of something that it has.
fn below(name: &str, rest: &str) -> String {
    format!("integrations/{name}{rest}", name = segment(name))
}

/// The JSON of a file, or of standard input.
pub(super) fn read(path: &PathBuf) -> anyhow::Result<Value> {
    let text = if path.as_os_str() == "-" {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(path).with_context(|| path.display().to_string())?
    };
    // Editors on Windows put a byte order mark before it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    serde_json::from_str(text).with_context(|| format!("{} must be JSON", path.display()))
}
