//! `sendbox tenant …`.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::{Client, named, segment};
use super::{Output, ServerArgs, output};

#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Make or change a tenant: what is not named stays.
    Put(PutTenant),
    /// List tenants.
    List {
        #[command(flatten)]
        server: ServerArgs,
    },
    /// Remove a tenant that has no integrations any more.
    Delete {
        #[command(flatten)]
        server: ServerArgs,
        /// Its name.
        tenant: String,
    },
    /// Make a key for a tenant. Its text is shown only now.
    Key {
        #[command(flatten)]
        server: ServerArgs,
        /// The tenant's name.
        tenant: String,
        /// What it is for.
        #[arg(long, default_value = "")]
        title: String,
        /// What it may do.
        #[arg(long, value_enum, default_value = "tenant-admin")]
        role: TenantRole,
    },
    /// List a tenant's keys, without their texts.
    Keys {
        #[command(flatten)]
        server: ServerArgs,
        /// The tenant's name.
        tenant: String,
    },
    /// Revoke a tenant's key.
    RevokeKey {
        #[command(flatten)]
        server: ServerArgs,
        /// The tenant's name.
        tenant: String,
        /// The key's id.
        #[arg(value_name = "KEY")]
        id: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct PutTenant {
    #[command(flatten)]
    server: ServerArgs,
    /// Its name.
    tenant: String,
    /// A title for people.
    #[arg(long)]
    title: Option<String>,
    /// The egress pool that its sends leave by. A new tenant without one leaves by the machine's default address.
    #[arg(long)]
    egress_pool: Option<String>,
    /// A host that its integrations may reach; repeat for the whole list. A new tenant without one may reach all that
    /// the operator allows.
    #[arg(long = "allow-host")]
    allowed_hosts: Vec<String>,
    /// Drop what is not named here: its title, its pool and its hosts.
    #[arg(long)]
    replace: bool,
}

impl PutTenant {
    async fn run(self) -> anyhow::Result<Value> {
        let path = format!("/v1/tenants/{}", segment(&self.tenant));
        let nothing = json!({ "egress_pool": null, "allowed_hosts": null });
        let hosts = (!self.allowed_hosts.is_empty()).then_some(self.allowed_hosts);
        let given = named([
            ("title", self.title.map(Value::from)),
            ("egress_pool", self.egress_pool.map(Value::from)),
            ("allowed_hosts", hosts.map(Value::from)),
        ]);
        let client = Client::new(&self.server).await?;
        let kept = ["title", "egress_pool", "allowed_hosts"];
        let instead = self.replace.then_some(nothing);
        client.change(&path, &kept, instead, given).await
    }
}

/// What a tenant's key may do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum TenantRole {
    /// Everything that is the tenant's own.
    TenantAdmin,
    /// Hand messages in, and nothing else: for the one who sends.
    Sender,
}

impl TenantRole {
    const fn as_str(self) -> &'static str {
        match self {
            Self::TenantAdmin => "tenant-admin",
            Self::Sender => "sender",
        }
    }
}

pub(super) async fn run(command: TenantCommand, output: Output) -> anyhow::Result<ExitCode> {
    let (server, method, path, body) = match command {
        TenantCommand::Put(put) => {
            output::result(output, &put.run().await?);
            return Ok(ExitCode::SUCCESS);
        }
        TenantCommand::List { server } => (server, "GET", "/v1/tenants".to_owned(), None),
        TenantCommand::Delete { server, tenant } => (
            server,
            "DELETE",
            format!("/v1/tenants/{tenant}", tenant = segment(&tenant)),
            None,
        ),
        TenantCommand::Key {
            server,
            tenant,
            title,
            role,
        } => (
            server,
            "POST",
            format!("/v1/tenants/{tenant}/keys", tenant = segment(&tenant)),
            Some(json!({ "title": title, "role": role.as_str() })),
        ),
        TenantCommand::Keys { server, tenant } => (
            server,
            "GET",
            format!("/v1/tenants/{tenant}/keys", tenant = segment(&tenant)),
            None,
        ),
        TenantCommand::RevokeKey { server, tenant, id } => (
            server,
            "DELETE",
            format!(
                "/v1/tenants/{tenant}/keys/{id}",
                tenant = segment(&tenant),
                id = segment(&id)
            ),
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
