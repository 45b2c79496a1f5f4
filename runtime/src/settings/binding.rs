//! What a secret was given for. It is sealed with the secret, so that whoever writes settings later cannot
//! lead the secret anywhere else.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{SettingsProblem, SettingsSchema, grant_for, unescape};
use crate::about::{ConnectorInfo, SecretGrant};
use crate::id::ConnectorId;
use crate::secret::Secret;

/// What a secret may be used for: fixed when the secret is written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The connector that asked for it.
    pub connector: ConnectorId,
    /// Host patterns with the settings of that time filled in. Of an empty list it goes nowhere.
    pub hosts: BTreeSet<String>,
    /// The places besides headers and credentials.
    pub grant: SecretGrant,
}

impl Binding {
    /// Whether all that `asked` may do was allowed when the secret was given.
    #[must_use]
    pub fn covers(&self, asked: &Self) -> bool {
        let (own, other) = (&self.grant, &asked.grant);
        self.connector == asked.connector
            && asked.hosts.is_subset(&self.hosts)
            && (own.query || !other.query)
            && (own.body || !other.body)
            && (!other.signing || (own.signing && own.derivations == other.derivations))
    }

    /// What the secret may do for an integration that asks for `asked`: of both the less. A signature
    /// may be made only where it can lead to no other host.
    #[must_use]
    pub fn narrowed(&self, asked: &Self) -> SecretGrant {
        let (own, other) = (&self.grant, &asked.grant);
        let same = self.connector == asked.connector;
        SecretGrant {
            setting: other.setting.clone(),
            query: same && own.query && other.query,
            body: same && own.body && other.body,
            signing: other.signing && self.covers(asked),
            derivations: other.derivations,
        }
    }
}

/// A secret of an integration, with what it was given for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundSecret {
    /// The secret.
    pub secret: Secret,
    /// What it may be used for.
    pub bound_to: Binding,
}

/// Secrets without what they were given for, as settings are joined with them.
pub fn texts(
    secrets: &BTreeMap<String, BoundSecret>,
) -> impl Iterator<Item = (&String, &Secret)> + Clone {
    secrets
        .iter()
        .map(|(pointer, bound)| (pointer, &bound.secret))
}

/// What a connector asks for with its settings filled in.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The connector.
    pub info: &'a ConnectorInfo,
    /// Its host patterns with the settings filled in.
    pub hosts: BTreeSet<String>,
}

impl Asked<'_> {
    /// What it asks of the secret at `pointer`.
    #[must_use]
    pub fn of(&self, pointer: &str) -> Binding {
        Binding {
            connector: self.info.id.clone(),
            hosts: self.hosts.clone(),
            grant: grant_for(&self.info.secret_grants, pointer),
        }
    }

    /// Binds secrets that are given now.
    #[must_use]
    pub fn bind(&self, given: BTreeMap<String, Secret>) -> BTreeMap<String, BoundSecret> {
        let bind = |(pointer, secret): (String, Secret)| {
            let bound_to = self.of(&pointer);
            (pointer, BoundSecret { secret, bound_to })
        };
        given.into_iter().map(bind).collect()
    }

    /// Adds to `secrets`, which are given now with `settings`, those of `known` that the settings leave out, so
    /// that what was read can be written back. `settings` are parted already; a secret's place becomes `null`.
    /// Nothing is added where the schema marks no secret: no known one comes to stand among the settings.
    ///
    /// # Errors
    /// Each place whose known secret was given for less than what is asked.
    pub fn keep(
        &self,
        schema: &SettingsSchema,
        settings: &mut Value,
        secrets: &mut BTreeMap<String, BoundSecret>,
        known: &BTreeMap<String, BoundSecret>,
    ) -> Result<(), Vec<SettingsProblem>> {
        let mut trial = settings.clone();
        let left_out: Vec<_> = known
            .iter()
            .filter(|(pointer, _)| !secrets.contains_key(*pointer))
            .filter(|(pointer, _)| put_where_left_out(&mut trial, pointer, Value::from("secret")))
            .collect();
        let (_, marked) = schema.split(trial);
        let mut problems = Vec::new();
        for (pointer, bound) in left_out {
            if !marked.contains_key(pointer) {
                continue;
            }
            if bound.bound_to.covers(&self.of(pointer)) {
                put_where_left_out(settings, pointer, Value::Null);
                secrets.insert(pointer.clone(), bound.clone());
            } else {
                problems.push(Self::given_for_less(pointer, &bound.bound_to));
            }
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(problems),
        }
    }

    /// Checks that the secrets before the last rotation, kept beside the newest, may be used as well.
    ///
    /// # Errors
    /// Each that was given for less than what is asked.
    pub fn check_earlier(
        &self,
        earlier: &BTreeMap<String, BoundSecret>,
    ) -> Result<(), Vec<SettingsProblem>> {
        let problem = |(pointer, bound): (&String, &BoundSecret)| {
            let covered = bound.bound_to.covers(&self.of(pointer));
            (!covered).then(|| SettingsProblem {
                pointer: pointer.clone(),
                message:
                    "the secret before the last rotation was given for other hosts: retire it first"
                        .to_owned(),
            })
        };
        let problems: Vec<_> = earlier.iter().filter_map(problem).collect();
        match problems.is_empty() {
            true => Ok(()),
            false => Err(problems),
        }
    }

    fn given_for_less(pointer: &str, bound_to: &Binding) -> SettingsProblem {
        let hosts: Vec<_> = bound_to.hosts.iter().map(String::as_str).collect();
        SettingsProblem {
            pointer: pointer.to_owned(),
            message: format!(
                "the secret kept here was given to {} for {}: give it again for what is written now, or an empty text to forget it",
                bound_to.connector,
                match hosts.is_empty() {
                    true => "no host".to_owned(),
                    false => hosts.join(", "),
                },
            ),
        }
    }
}

/// Puts a value where the settings have none or `null`. Answers whether there is such a place.
fn put_where_left_out(settings: &mut Value, pointer: &str, value: Value) -> bool {
    let Some((parent, name)) = pointer.rsplit_once('/') else {
        return false;
    };
    match settings.pointer_mut(parent) {
        Some(Value::Object(fields)) => {
            let name = unescape(name);
            let is_left_out = fields.get(&name).is_none_or(Value::is_null);
            if is_left_out {
                fields.insert(name, value);
            }
            is_left_out
        }
        Some(Value::Array(items)) => {
            let index = name.parse::<usize>().ok();
            match index.and_then(|index| items.get_mut(index)) {
                Some(item @ Value::Null) => {
                    *item = value;
                    true
                }
                _ => false,
            }
        }
        _ => false,
    }
}
