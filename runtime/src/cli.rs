//! The command line: one binary, server and client.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::built_in::BuiltIn;

mod authoring;
mod client;
mod config;
mod connector;
mod demo;
mod egress;
mod email_service;
mod integration;
mod keys;
mod log;
mod operator_key;
mod output;
mod send;
mod serve;
mod server_url;
mod template;
mod tenant;
mod upload;

/// A bundled connector's component by its id.
#[derive(Clone, Copy, Debug)]
pub struct Bundle {
    /// Their ids and components.
    pub components: &'static [(&'static str, &'static [u8])],
    /// The one that hands over to the operator's e-mail service.
    pub email_service: &'static str,
}

impl Bundle {
    /// The component of a connector.
    fn component(self, id: &str) -> Option<&'static [u8]> {
        let mut components = self.components.iter();
        let found = components.find(|(known, _)| *known == id);
        found.map(|(_, bytes)| *bytes)
    }

    /// What a server is told of them.
    #[must_use]
    pub fn built_in(self) -> BuiltIn {
        BuiltIn::of(self.components, self.email_service)
    }
}

/// Sends one-time codes and links through sandboxed connectors.
#[derive(Debug, Parser)]
#[command(name = "sendbox", version, about)]
pub struct Cli {
    /// How results are printed.
    #[arg(long, global = true, value_enum, default_value = "text")]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For people.
    Text,
    /// For programs.
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::ServeArgs),
    /// Show the main job on this machine: two tenants, two source addresses, one uploaded connector.
    Demo(demo::DemoArgs),
    /// Send a message.
    Send(send::SendArgs),
    /// Write, build, inspect, replay, upload and list connectors.
    #[command(subcommand)]
    Connector(connector::ConnectorCommand),
    /// Manage tenants and their keys.
    #[command(subcommand)]
    Tenant(tenant::TenantCommand),
    /// Manage a tenant's integrations and routes.
    #[command(subcommand)]
    Integration(integration::IntegrationCommand),
    /// Manage a tenant's own texts by language.
    #[command(subcommand)]
    Template(template::TemplateCommand),
    /// Manage egress sources and pools.
    #[command(subcommand)]
    Egress(egress::EgressCommand),
    /// Lend an integration of the operator's for the built-in e-mail service.
    #[command(subcommand)]
    EmailService(email_service::EmailServiceCommand),
    /// Manage the API keys of operators, and those for metrics.
    #[command(subcommand)]
    OperatorKey(operator_key::OperatorKeyCommand),
    /// Show and rotate the keys that seal the database.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Compile standard input to standard output: what the server starts for an upload.
    #[command(hide = true)]
    CompileComponent {
        /// Seconds of CPU.
        seconds: u64,
        /// Bytes of address space.
        memory: u64,
    },
    /// Check the configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
}

/// Which server a client command talks to.
#[derive(Clone, Debug, Args)]
struct ServerArgs {
    /// Base URL of the server.
    #[arg(long, env = "SENDBOX_SERVER", default_value = server_url::DEFAULT)]
    server: String,
    /// File of PEM certificates to trust besides the public roots: that of a company's own authority.
    #[arg(long, env = "SENDBOX_CA", value_name = "FILE")]
    ca: Option<OsString>,
    /// An operator's or a tenant's key.
    #[arg(long, env = "SENDBOX_KEY", hide_env_values = true)]
    key: String,
}

/// Where a server's configuration comes from.
#[derive(Clone, Debug, Args)]
struct ConfigArgs {
    /// TOML file.
    #[arg(long, env = "SENDBOX_CONFIG", value_name = "FILE")]
    config: Option<OsString>,
    /// Address and port to listen on.
    #[arg(long)]
    listen: Option<String>,
    /// Folder of the database, the keys and the compiled connectors.
    #[arg(long)]
    data: Option<PathBuf>,
}

/// Runs a command. 0 on success, 1 when it failed, 2 when it was called wrongly, 78 for a wrong configuration.
#[must_use]
pub fn run(cli: Cli, bundle: Bundle) -> ExitCode {
    if let Command::CompileComponent { seconds, memory } = cli.command {
        // Before any thread is started: what it gives up, it gives up as a whole.
        return crate::connector::compile_standard_input(seconds, memory);
    }
    if matches!(cli.command, Command::Serve(_)) {
        serve::stream_large_copies();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            output::error(&anyhow::Error::new(error));
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(dispatch(cli, bundle)) {
        Ok(code) => match output::lost() {
            None => code,
            Some(error) => {
                output::note(&format!("error: standard output: {error}"));
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            output::error(&error);
            let wrong_configuration = error.downcast_ref::<crate::config::ConfigError>().is_some();
            if wrong_configuration {
                ExitCode::from(78)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

async fn dispatch(cli: Cli, bundle: Bundle) -> anyhow::Result<ExitCode> {
    let output = cli.output;
    match cli.command {
        Command::Serve(args) => serve::run(args, bundle).await,
        Command::Demo(args) => demo::run(args, bundle).await,
        Command::Send(args) => send::run(args, output).await,
        Command::Connector(command) => connector::run(command, output, bundle).await,
        Command::Tenant(command) => tenant::run(command, output).await,
        Command::Integration(command) => integration::run(command, output).await,
        Command::Template(command) => template::run(command, output).await,
        Command::Egress(command) => egress::run(command, output).await,
        Command::EmailService(command) => email_service::run(command, output).await,
        Command::OperatorKey(command) => operator_key::run(command, output).await,
        Command::Keys(command) => keys::run(command, output).await,
        Command::CompileComponent { .. } => Ok(ExitCode::FAILURE),
        Command::Config(command) => config::run(command, output),
    }
}
