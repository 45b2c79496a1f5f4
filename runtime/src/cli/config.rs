//! `sendbox config check`.

use std::path::Path;
use std::process::ExitCode;

use clap::Subcommand;
use serde_json::{Value, json};

use super::{ConfigArgs, Output, output};
use crate::config::{ConfigError, Loaded};
use crate::egress::Egress;

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every value and where it comes from; exits 78 when something is wrong.
    Check(ConfigArgs),
}

impl ConfigArgs {
    /// Layers file, environment and flags, and reads what egress is made of: whatever passes here, `serve` starts on.
    pub(super) fn load(&self) -> Result<Loaded, ConfigError> {
        let mut flags = Vec::new();
        if let Some(listen) = &self.listen {
            flags.push(("server.listen", listen.clone()));
        }
        if let Some(data) = &self.data {
            let folder = data.to_str().ok_or_else(|| ConfigError::Value {
                key: "store.folder".to_owned(),
                origin: "--data".to_owned(),
                message: "the path is not UTF-8".to_owned(),
            })?;
            flags.push(("store.folder", folder.to_owned()));
        }
        // Compose writes a variable that is not set as an empty one.
        let file = self.config.as_ref().filter(|file| !file.is_empty());
        let loaded = Loaded::load(file.map(Path::new), std::env::vars_os(), &flags)?;
        Egress::new(&loaded.config.egress)?;
        Ok(loaded)
    }
}

pub(super) fn run(command: ConfigCommand, output: Output) -> anyhow::Result<ExitCode> {
    let ConfigCommand::Check(args) = command;
    let loaded = args.load()?;
    let mut values = Vec::new();
    flatten(&serde_json::to_value(&loaded.config)?, "", &mut values);
    for (key, value) in values {
        let origin = loaded.origins.get(&key).map_or("default", String::as_str);
        match output {
            Output::Text => output::line(&format!("{key} = {value}  ({origin})")),
            Output::Json => output::result(
                output,
                &json!({ "key": key, "value": value, "origin": origin }),
            ),
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn flatten(value: &Value, prefix: &str, out: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (name, value) in fields {
                let key = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(value, &key, out);
            }
        }
        other => out.push((prefix.to_owned(), other.clone())),
    }
}
