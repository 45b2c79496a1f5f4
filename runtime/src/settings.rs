//! Settings: checked against the connector's schema, and parted from their secrets.

use std::collections::BTreeMap;

use jsonschema::error::ValidationErrorKind;
use jsonschema::{Draft, Validator};
use serde::Serialize;
use serde_json::Value;

use crate::about::{SecretGrant, printable};
use crate::secret::Secret;

mod binding;
mod bounds;
mod exposed;
mod placeholder;
mod unknown;

pub use binding::{Asked, Binding, BoundSecret, texts};
pub use exposed::exposed;
pub use placeholder::{FillError, Place, PlaceError, Placeholders, PreparedSettings};
pub use unknown::unknown_fields;

/// A place in the settings that breaks the schema. Holds no value of the settings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingsProblem {
    /// JSON pointer into the settings.
    pub pointer: String,
    /// The shape that was expected.
    pub message: String,
}

/// Why a connector's settings schema cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// It does not describe an object.
    #[error("the settings schema must have \"type\": \"object\" at its top")]
    NotObject,
    /// It is no valid JSON Schema 2020-12, or refers to another document.
    #[error("the settings schema is not valid: {0}")]
    Invalid(String),
    /// Each of its regular expressions is kept compiled.
    #[error("the settings schema may have 64 patterns")]
    Patterns,
    /// A reference that leaves the document, or from which there is no way back.
    #[error(
        "the settings schema's references must be JSON pointers such as #/$defs/name, without a circle, and without $id or $dynamicRef"
    )]
    Reference,
    /// With its references unfolded it takes too long to check anything against it.
    #[error("the settings schema may hold 20,000 values, with its references unfolded")]
    Large,
    /// Anything but a text would be kept and shown like any other setting.
    #[error("the settings schema marks as writeOnly what is no text: give it \"type\": \"string\"")]
    SecretType,
    /// A secret that would be kept and shown like any other setting.
    #[error(
        "the settings schema marks as writeOnly what is not reached by properties, items, allOf, anyOf, oneOf, then and else alone"
    )]
    HiddenSecret,
}

/// Values of settings times those of their schema, up to which every wrong place is told; the largest schema of ours has 306.
const COLLECTED_MAX: usize = 1_000_000;
/// The same, up to which anything is checked.
const CHECKED_MAX: usize = 5_000_000;

/// Secrets of one integration: a placeholder names its own with two digits.
const SECRETS_MAX: usize = 100;

/// Bytes of one secret: an RSA key of 4096 bits has a fifth of it.
pub const SECRET_BYTES_MAX: usize = 16 << 10;
/// Bytes of all secrets of one integration. Each is looked for in some twenty forms in whatever a provider answers.
pub const SECRETS_BYTES_MAX: usize = 64 << 10;

/// A connector's settings schema, compiled once for each component.
#[derive(Debug)]
pub struct SettingsSchema {
    schema: Value,
    validator: Validator,
    /// JSON values in it, its references unfolded.
    size: usize,
}

impl SettingsSchema {
    /// Compiles a JSON Schema 2020-12 that stands alone.
    ///
    /// # Errors
    /// [`SchemaError`] for anything else.
    pub fn new(schema: &Value) -> Result<Self, SchemaError> {
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err(SchemaError::NotObject);
        }
        let size = bounds::check(schema)?;
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(bounds::patterns())
            .offline()
            .build(schema)
            .map_err(|error| SchemaError::Invalid(printable(&error.masked().to_string())))?;
        Ok(Self {
            schema: schema.clone(),
            validator,
            size,
        })
    }

    /// Every place of `settings` that breaks the schema, at most 16; none when they hold. Of settings whose size
    /// times the schema's is large, the first place alone.
    #[must_use]
    pub fn problems(&self, settings: &Value) -> Vec<SettingsProblem> {
        let problem = |error: jsonschema::ValidationError<'_>| {
            let mut pointer = error.instance_path().to_string();
            if let ValidationErrorKind::Required {
                property: Value::String(name),
            } = error.kind()
            {
                pointer = format!("{pointer}/{}", escape(name));
            }
            SettingsProblem {
                pointer,
                message: printable(&error.masked_with("the value").to_string()),
            }
        };
        let whole = |message: String| {
            vec![SettingsProblem {
                pointer: String::new(),
                message,
            }]
        };
        let work = bounds::values(settings).saturating_mul(self.size);
        if work > CHECKED_MAX {
            return whole("holds too many values to be checked against this schema".to_owned());
        }
        if self.split(settings.clone()).1.len() > SECRETS_MAX {
            return whole(format!("may hold {SECRETS_MAX} secrets"));
        }
        // The validator collects every wrong place before it shows the first.
        if work > COLLECTED_MAX {
            let first = self.validator.validate(settings).err();
            return first.map(problem).into_iter().collect();
        }
        let problems = self.validator.iter_errors(settings);
        problems.take(16).map(problem).collect()
    }

    /// As [`unknown_fields`]. What breaks the schema is told by [`SettingsSchema::problems`], which comes first: it
    /// bounds the work.
    #[must_use]
    pub fn unknown_fields(&self, settings: &Value) -> Vec<SettingsProblem> {
        unknown_fields(&self.schema, settings)
    }

    /// The same of settings that somebody writes, whose secrets may have [`SECRET_BYTES_MAX`] bytes each and
    /// [`SECRETS_BYTES_MAX`] together. Settings that are stored already are used whatever their secrets' size.
    #[must_use]
    pub fn problems_when_written(&self, settings: &Value) -> Vec<SettingsProblem> {
        let too_large = oversized(&self.split(settings.clone()).1);
        match too_large.is_empty() {
            true => self.problems(settings),
            false => too_large,
        }
    }

    /// Parts settings from their secrets: each text that the schema marks `writeOnly` becomes `null`
    /// and is returned under its JSON pointer.
    #[must_use]
    pub fn split(&self, mut settings: Value) -> (Value, BTreeMap<String, Secret>) {
        let mut secrets = BTreeMap::new();
        take_secrets(&self.schema, &mut settings, "", &mut secrets);
        (settings, secrets)
    }
}

/// The secrets that are larger than one may be, and of those that are too much together the largest.
fn oversized(secrets: &BTreeMap<String, Secret>) -> Vec<SettingsProblem> {
    let size = |secret: &Secret| secret.expose().len();
    let problem = |pointer: &String, message: String| SettingsProblem {
        pointer: pointer.clone(),
        message,
    };
    let large = secrets
        .iter()
        .filter(|(_, secret)| size(secret) > SECRET_BYTES_MAX);
    let mut problems: Vec<_> = large
        .map(|(pointer, secret)| {
            let words = format!(
                "is a secret of {} bytes, and {SECRET_BYTES_MAX} are allowed",
                size(secret)
            );
            problem(pointer, words)
        })
        .collect();
    let sum: usize = secrets.values().map(size).sum();
    if problems.is_empty()
        && sum > SECRETS_BYTES_MAX
        && let Some((pointer, _)) = secrets.iter().max_by_key(|(_, secret)| size(secret))
    {
        let words = format!(
            "is one of secrets that have {sum} bytes together, and {SECRETS_BYTES_MAX} are allowed"
        );
        problems.push(problem(pointer, words));
    }
    problems
}

/// Puts secrets back into the settings they were parted from. A pointer that no longer exists is skipped.
#[must_use]
pub fn join<'s>(
    mut settings: Value,
    secrets: impl IntoIterator<Item = (&'s String, &'s Secret)>,
) -> Value {
    for (pointer, secret) in secrets {
        if let Some(place) = settings.pointer_mut(pointer) {
            *place = Value::String(secret.expose().to_owned());
        }
    }
    settings
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn unescape(name: &str) -> String {
    name.replace("~1", "/").replace("~0", "~")
}

fn take_secrets(
    schema: &Value,
    value: &mut Value,
    pointer: &str,
    out: &mut BTreeMap<String, Secret>,
) {
    if schema.get("writeOnly") == Some(&Value::Bool(true))
        && let Value::String(text) = value
        // An empty text hides nothing, and to a connector it means "not given".
        && !text.is_empty()
    {
        out.insert(pointer.to_owned(), Secret::new(std::mem::take(text)));
        *value = Value::Null;
        return;
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        for branch in schema
            .get(keyword)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            take_secrets(branch, value, pointer, out);
        }
    }
    for branch in ["then", "else"]
        .into_iter()
        .filter_map(|keyword| schema.get(keyword))
    {
        take_secrets(branch, value, pointer, out);
    }
    match value {
        Value::Object(fields) => {
            let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
                return;
            };
            for (name, schema) in properties {
                if let Some(field) = fields.get_mut(name) {
                    take_secrets(schema, field, &format!("{pointer}/{}", escape(name)), out);
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items") else {
                return;
            };
            for (index, item) in items.iter_mut().enumerate() {
                take_secrets(schema, item, &format!("{pointer}/{index}"), out);
            }
        }
        _ => {}
    }
}

/// The secrets that a settings schema has, by JSON pointer (`-` for the items of a list), with their titles.
#[must_use]
pub fn secret_places(schema: &Value) -> Vec<(String, String)> {
    let mut places = Vec::new();
    find_secrets(schema, "", &mut places);
    places.sort();
    places.dedup();
    places
}

fn find_secrets(schema: &Value, pointer: &str, out: &mut Vec<(String, String)>) {
    if schema.get("writeOnly") == Some(&Value::Bool(true)) {
        let title = schema.get("title").and_then(Value::as_str);
        out.push((pointer.to_owned(), title.unwrap_or_default().to_owned()));
    }
    let branches = ["allOf", "anyOf", "oneOf"].into_iter();
    let branches = branches.filter_map(|keyword| schema.get(keyword)?.as_array());
    let branches = branches.flatten().chain(schema.get("then"));
    for branch in branches.chain(schema.get("else")) {
        find_secrets(branch, pointer, out);
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, property) in properties.into_iter().flatten() {
        find_secrets(property, &format!("{pointer}/{}", escape(name)), out);
    }
    if let Some(items) = schema.get("items") {
        find_secrets(items, &format!("{pointer}/-"), out);
    }
}

/// The keyword of a settings schema that says how often a key made of a secret is derived before it signs.
const DERIVATIONS: &str = "x-derivations";
/// No signature scheme in use derives more often.
const DERIVATIONS_MAX: u64 = 8;

/// How often a key made of the secret at `pointer` is derived before it signs: 0 where the schema does not say.
/// None where it says nothing that makes sense.
#[must_use]
pub fn derivations(schema: &Value, pointer: &str) -> Option<u32> {
    let path: Vec<_> = pointer.split('/').skip(1).collect();
    let Some(said) = annotation(schema, &path) else {
        return Some(0);
    };
    let count = said.as_u64().filter(|count| *count <= DERIVATIONS_MAX)?;
    u32::try_from(count).ok()
}

fn annotation<'s>(schema: &'s Value, path: &[&str]) -> Option<&'s Value> {
    let branches = ["allOf", "anyOf", "oneOf"].into_iter();
    let branches = branches.filter_map(|keyword| schema.get(keyword)?.as_array());
    let mut branches = branches
        .flatten()
        .chain(schema.get("then"))
        .chain(schema.get("else"));
    let here = match path.split_first() {
        None => schema.get(DERIVATIONS),
        Some((name, rest)) => {
            let name = unescape(name);
            let field = schema.get("properties").and_then(|all| all.get(&name));
            let field = field.or_else(|| schema.get("items"));
            field.and_then(|field| annotation(field, rest))
        }
    };
    here.or_else(|| branches.find_map(|branch| annotation(branch, path)))
}

/// The places that a secret may go to.
fn grant_for(grants: &[SecretGrant], pointer: &str) -> SecretGrant {
    let granted = grants
        .iter()
        .find(|grant| grant.setting == pointer)
        .cloned();
    granted.unwrap_or_else(|| SecretGrant {
        setting: pointer.to_owned(),
        ..SecretGrant::default()
    })
}

#[cfg(test)]
mod tests;
