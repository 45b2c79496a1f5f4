//! `sendbox template …`: a tenant's own texts by language.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::client::{Client, named, segment};
use super::integration::{TenantArgs, read};
use super::{Output, output};

/// What the templates' messages travel by.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Channel {
    /// E-mail.
    Email,
    /// Text message.
    Sms,
}

impl Channel {
    const fn path(self) -> &'static str {
        match self {
            Self::Email => "email-templates",
            Self::Sms => "sms-templates",
        }
    }
}

/// Whose templates, and of which channel.
#[derive(Debug, Args)]
pub(super) struct ShelfArgs {
    #[command(flatten)]
    tenant: TenantArgs,
    /// Channel of the messages.
    #[arg(long, value_enum, default_value = "email")]
    channel: Channel,
}

/// Which templates.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Those of exactly this language tag.
    #[arg(long)]
    language: Option<String>,
    /// Those of this usage type.
    #[arg(long = "type")]
    usage_type: Option<String>,
}

impl FilterArgs {
    fn query(&self) -> String {
        let fields = [
            ("languageTag", &self.language),
            ("templateType", &self.usage_type),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| {
            let value = value.as_deref()?;
            Some(format!("{name}={}", segment(value)))
        });
        let fields: Vec<_> = fields.collect();
        if fields.is_empty() {
            String::new()
        } else {
            format!("?{}", fields.join("&"))
        }
    }
}

/// Which templates speak for a message's locale.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Fallback {
    /// Those of exactly its tag.
    Exact,
    /// Also those of the tags above it, such as zh-Hant and zh for zh-HK.
    Parents,
}

#[derive(Debug, Subcommand)]
pub(super) enum TemplateCommand {
    /// Make templates, or replace the details of those that exist.
    Put {
        #[command(flatten)]
        shelf: ShelfArgs,
        /// JSON file as Logto's API takes it: {"templates": [{languageTag, templateType, details}]}; - for standard input.
        file: PathBuf,
    },
    /// List templates.
    List {
        #[command(flatten)]
        shelf: ShelfArgs,
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Remove a template by its id, or all of a language, a usage type or both.
    Delete {
        #[command(flatten)]
        shelf: ShelfArgs,
        /// Its id.
        #[arg(conflicts_with_all = ["language", "usage_type"], required_unless_present_any = ["language", "usage_type"])]
        id: Option<String>,
        #[command(flatten)]
        filter: FilterArgs,
    },
    /// Say how templates stand in for each other: what is not named stays. Without options, show it.
    Languages(LanguagesArgs),
}

#[derive(Debug, Args)]
pub(super) struct LanguagesArgs {
    #[command(flatten)]
    tenant: TenantArgs,
    /// The language of a message without a template in its own.
    #[arg(long)]
    fallback: Option<String>,
    /// Which templates speak for a message's locale; those of exactly its tag at first.
    #[arg(long = "match", value_enum)]
    matching: Option<Fallback>,
    /// Drop what is not named here.
    #[arg(long)]
    replace: bool,
}

impl LanguagesArgs {
    async fn run(self) -> anyhow::Result<Value> {
        let (client, path) = (
            Client::new(&self.tenant.server).await?,
            self.tenant.path("languages"),
        );
        let matching = self.matching.map(|matching| match matching {
            Fallback::Exact => "exact",
            Fallback::Parents => "parents",
        });
        let given = named([
            ("fallback_language", self.fallback.map(Value::from)),
            ("language_fallback", matching.map(Value::from)),
        ]);
        if given == json!({}) && !self.replace {
            return client.call("GET", &path, None).await;
        }
        let kept = ["fallback_language", "language_fallback"];
        let instead = self.replace.then(|| json!({}));
        client.change(&path, &kept, instead, given).await
    }
}

pub(super) async fn run(command: TemplateCommand, output: Output) -> anyhow::Result<ExitCode> {
    let (tenant, method, path, body) = match command {
        TemplateCommand::Put { shelf, file } => {
            let path = shelf.channel.path().to_owned();
            (shelf.tenant, "PUT", path, Some(read(&file)?))
        }
        TemplateCommand::List { shelf, filter } => {
            let path = format!("{}{}", shelf.channel.path(), filter.query());
            (shelf.tenant, "GET", path, None)
        }
        TemplateCommand::Delete { shelf, id, filter } => {
            let below = match id {
                Some(id) => format!("/{}", segment(&id)),
                None => filter.query(),
            };
            let path = format!("{}{below}", shelf.channel.path());
            (shelf.tenant, "DELETE", path, None)
        }
        TemplateCommand::Languages(languages) => {
            output::result(output, &languages.run().await?);
            return Ok(ExitCode::SUCCESS);
        }
    };
    let answer = Client::new(&tenant.server)
        .await?
        .call(method, &tenant.path(&path), body.as_ref())
        .await?;
    output::result(output, &answer);
    Ok(ExitCode::SUCCESS)
}
