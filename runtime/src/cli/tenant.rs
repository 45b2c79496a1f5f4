//! `sendbox tenant …`.

use std::process::ExitCode;

use clap::{Subcommand, ValueEnum};
use serde_json::json;

use super::client::{Client, segment};
use super::{Output, ServerArgs, output};

#[derive(Debug, Subcommand)]
pub(super) enum TenantCommand {
    /// Make or change a tenant.
    Put {
        #[command(flatten)]
        server: ServerArgs,
        /// Its name.
        tenant: String,
        /// A title for people.
        #[arg(long, default_value = "")]
        title: String,
        /// The egress pool that its sends leave by.
        #[arg(long)]
        egress_pool: Option<String>,
        /// A host that its integrations may reach; repeat for more. Without one, all that the operator allows.
        #[arg(long = "allow-host")]
        allowed_hosts: Vec<String>,
    },
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
        key: String,
    },
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
        TenantCommand::Put {
            server,
            tenant,
            title,
            egress_pool,
            allowed_hosts,
        } => {
            let allowed_hosts = (!allowed_hosts.is_empty()).then_some(allowed_hosts);
            let body = json!({ "title": title, "egress_pool": egress_pool, "allowed_hosts": allowed_hosts });
            (
                server,
                "PUT",
                format!("/v1/tenants/{tenant}", tenant = segment(&tenant)),
                Some(body),
            )
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
        TenantCommand::RevokeKey {
            server,
            tenant,
            key,
        } => (
            server,
            "DELETE",
            format!(
                "/v1/tenants/{tenant}/keys/{key}",
                tenant = segment(&tenant),
                key = segment(&key)
            ),
            None,
        ),
    };
    let answer = Client::new(&server)?
        .call(method, &path, body.as_ref())
        .await?;
    output::result(output, &answer);
    Ok(ExitCode::SUCCESS)
}
