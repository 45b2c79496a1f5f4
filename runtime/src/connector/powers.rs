//! What a component may do beyond computing, read off its imports: what an operator approves.

use serde::{Deserialize, Serialize};

/// One power.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Power {
    /// The import that gives it.
    pub import: String,
    /// What can be done with it, in words.
    pub does: String,
}

/// Interfaces by their names without a version, and what each lets a connector do.
const KNOWN: [(&str, &str); 6] = [
    (
        "sendbox:connector/http",
        "sends requests to its hosts, with secrets in headers and credentials",
    ),
    (
        "wasi:http/outgoing-handler",
        "sends requests to its hosts, with secrets in headers",
    ),
    (
        "sendbox:connector/smtp",
        "submits mail at its hosts, and signs in there with secrets",
    ),
    (
        "sendbox:connector/signing",
        "signs with keys made of the secrets that are granted for it",
    ),
    (
        "sendbox:connector/handover",
        "writes mail that leaves through the operator's e-mail service, where that names it",
    ),
    (
        "sendbox:connector/log",
        "writes lines into the tenant's timeline",
    ),
];

/// Interfaces that lead nowhere: types, clocks, chance, streams of the timeline; files and sockets with nothing
/// behind them.
const HARMLESS: [&str; 8] = [
    "sendbox:connector/types",
    "wasi:http/types",
    "wasi:io/",
    "wasi:clocks/",
    "wasi:random/",
    "wasi:cli/",
    "wasi:filesystem/",
    "wasi:sockets/",
];

/// The powers that imports give, in the imports' order. One that is not known is shown as it is.
pub(super) fn of(imports: &[String]) -> Vec<Power> {
    let powers = imports.iter().filter_map(|import| {
        let (name, _) = import.rsplit_once('@').unwrap_or((import, ""));
        let known = KNOWN.iter().find(|(known, _)| *known == name);
        let does = match known {
            Some((_, does)) => *does,
            None if HARMLESS.iter().any(|one| name.starts_with(one)) => return None,
            None => "is not known to this server",
        };
        Some(Power {
            import: import.clone(),
            does: does.to_owned(),
        })
    });
    powers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_import_is_a_power_or_leads_nowhere() {
        let imports = [
            "sendbox:connector/types@0.1.0",
            "sendbox:connector/handover@0.1.0",
            "wasi:http/outgoing-handler@0.2.8",
            "wasi:http/types@0.2.8",
            "wasi:cli/stderr@0.2.8",
            "sendbox:connector/later@0.1.0",
        ];
        let found = of(&imports.map(str::to_owned));
        let found: Vec<_> = found.iter().map(|power| power.import.as_str()).collect();
        assert_eq!(found, [imports[1], imports[2], imports[5]]);
    }
}
