//! Secrets that older versions kept: sealed anew with what they may be used for, and looked for where they were
//! kept in clear.

use std::collections::{BTreeSet, HashMap};

use serde_json::Value;

use crate::egress::expanded_hosts;
use crate::id::{Digest, IntegrationId, TenantId};
use crate::settings::{Asked, secret_places, unknown_fields};
use crate::store::{Store, StoreError};
use crate::tenant::{ConnectorVersion, Integration};

/// Binds every secret that an older version sealed for its integration alone to what the integration asks for
/// now. Each integration is a change of its own: after an interruption the next start goes on. Secrets of one
/// that cannot be bound stay, and are used nowhere.
///
/// # Errors
/// Those of the store.
pub(super) async fn bind(store: &Store) -> Result<(), StoreError> {
    for (tenant, id) in store.unbound_integrations().await? {
        let Some(mut integration) = store.integration(&tenant, &id).await? else {
            continue;
        };
        let version = store.connector(integration.digest).await?;
        match bind_one(&mut integration, version.as_ref()) {
            Ok(()) => {
                store.put_integration(&integration).await?;
            }
            Err(why) => tracing::error!(
                %tenant, integration = %id, why,
                "the secrets of an older version cannot be used: write the integration again, with its secrets"
            ),
        }
    }
    Ok(())
}

fn bind_one(
    integration: &mut Integration,
    version: Option<&ConnectorVersion>,
) -> Result<(), String> {
    let info = &version.ok_or("its connector's version is gone")?.info;
    let hosts = expanded_hosts(&info.hosts, &integration.settings);
    let asked = Asked {
        info,
        hosts: hosts.map_err(|error| error.to_string())?,
    };
    let secrets = integration.secrets.iter_mut();
    for (pointer, bound) in secrets.chain(&mut integration.earlier_secrets) {
        bound.bound_to = asked.of(pointer);
    }
    Ok(())
}

/// Names, in the log, each integration whose settings hold in clear what some connector calls a secret, at a
/// place that its own connector does not know: an older version could leave it there when an integration got
/// another connector.
///
/// # Errors
/// Those of the store.
pub(super) async fn find_exposed(store: &Store) -> Result<(), StoreError> {
    let versions = store.connectors(None, usize::MAX).await?;
    let places: BTreeSet<String> = versions
        .iter()
        .flat_map(|version| secret_places(&version.info.settings_schema))
        .map(|(pointer, _)| pointer)
        .collect();
    let schemas: HashMap<Digest, &Value> = versions
        .iter()
        .map(|version| (version.digest, &version.info.settings_schema))
        .collect();
    let mut last: Option<(TenantId, IntegrationId)> = None;
    loop {
        let page = store.settings_after(last.as_ref()).await?;
        for ((tenant, id), digest, settings) in &page {
            let Some(schema) = schemas.get(digest) else {
                continue;
            };
            let exposed = exposed(schema, settings, &places);
            if !exposed.is_empty() {
                tracing::warn!(
                    %tenant, integration = %id, settings = exposed.join(", "),
                    "settings hold in clear what a connector calls a secret: change that secret at its provider, and write the integration without it"
                );
            }
        }
        match page.into_iter().next_back() {
            Some((name, ..)) => last = Some(name),
            None => return Ok(()),
        }
    }
}

/// Texts at places of secrets, below fields that the schema does not know.
fn exposed(schema: &Value, settings: &Value, places: &BTreeSet<String>) -> Vec<String> {
    let unknown = unknown_fields(schema, settings);
    let is_unknown = |place: &str| {
        unknown.iter().any(|field| {
            let below = place.strip_prefix(field.pointer.as_str());
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        })
    };
    let is_text = |place: &str| {
        let text = settings.pointer(place).and_then(Value::as_str);
        text.is_some_and(|text| !text.is_empty())
    };
    let found = places
        .iter()
        .filter(|place| is_text(place) && is_unknown(place));
    found.cloned().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_text_counts_where_a_secret_would_stand_and_the_schema_knows_nothing() {
        let schema = json!({"type": "object", "properties": {
            "host": {"type": "string"}, "apiKey": {"type": "string"}, "auth": {"properties": {"user": {"type": "string"}}}
        }});
        let places = [
            "/apiKey",
            "/authorization",
            "/auth/pass",
            "/keys/-",
            "/old/deep",
        ];
        let places = places.map(str::to_owned).into_iter().collect();
        let found = |settings: Value| exposed(&schema, &settings, &places);
        assert_eq!(
            found(
                json!({"apiKey": "public here", "authorization": "Bearer x", "auth": {"user": "u", "pass": "p"}})
            ),
            ["/auth/pass", "/authorization"]
        );
        assert_eq!(found(json!({"old": {"deep": "x"}})), ["/old/deep"]);
        assert!(
            found(json!({"host": "h", "authorization": "", "auth": {"pass": null}})).is_empty()
        );
    }
}
