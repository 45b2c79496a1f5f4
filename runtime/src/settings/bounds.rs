//! What a schema may cost, and that no secret goes past it: whoever uploads a connector writes it.

use std::collections::HashMap;

use jsonschema::{FancyRegex, PatternOptions};
use serde_json::Value;

use super::SchemaError;

/// Regular expressions of one schema: each is kept compiled.
const PATTERNS_MAX: usize = 64;
/// Bytes of one when it is compiled. The largest of ours takes a tenth.
const PATTERN_BYTES: usize = 256 << 10;
/// Steps back of one while it reads one text. Ours take none, or one for each letter.
const STEPS_BACK: usize = 20_000;

/// JSON values of one schema, its references unfolded.
const SIZE_MAX: usize = 20_000;
/// References behind one another.
const CHAIN_MAX: usize = 64;

/// Keywords whose value is no schema.
const VALUES: [&str; 4] = ["const", "default", "enum", "examples"];

/// How regular expressions are bounded.
pub(super) fn patterns() -> PatternOptions<FancyRegex> {
    PatternOptions::fancy_regex()
        .backtrack_limit(STEPS_BACK)
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES)
}

/// JSON values in a schema, its references unfolded. Refuses what is out of bounds, and a secret where
/// [`split`](super::SettingsSchema::split) does not find it: it would be kept and shown like any other setting.
pub(super) fn check(schema: &Value) -> Result<usize, SchemaError> {
    let found = Found::of(schema);
    if found.patterns > PATTERNS_MAX {
        return Err(SchemaError::Patterns);
    }
    if found.rebased {
        return Err(SchemaError::Reference);
    }
    let mut sizes = Sizes {
        schema,
        known: HashMap::new(),
        open: Vec::new(),
    };
    let size = sizes.unfolded(&found)?;
    let to_secret =
        |name: &&str| target(schema, name).is_none_or(|target| Found::of(target).secrets > 0);
    if found.no_text {
        return Err(SchemaError::SecretType);
    }
    if found.astray || (found.secrets > 0 && found.references.iter().any(to_secret)) {
        return Err(SchemaError::HiddenSecret);
    }
    Ok(size)
}

/// JSON values in `value`, itself included.
pub(super) fn values(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(values).sum::<usize>() + 1,
        Value::Object(fields) => fields.values().map(values).sum::<usize>() + 1,
        _ => 1,
    }
}

/// What a reference points at, where that is a JSON pointer into the same document.
fn target<'s>(schema: &'s Value, reference: &str) -> Option<&'s Value> {
    schema.pointer(
        reference
            .strip_prefix('#')
            .filter(|at| at.starts_with('/'))?,
    )
}

/// How large references are.
struct Sizes<'s> {
    schema: &'s Value,
    known: HashMap<&'s str, usize>,
    /// Those that led here.
    open: Vec<&'s str>,
}

impl<'s> Sizes<'s> {
    fn unfolded(&mut self, found: &Found<'s>) -> Result<usize, SchemaError> {
        let mut size = found.size;
        for reference in &found.references {
            size = size.saturating_add(self.of(reference)?);
            if size > SIZE_MAX {
                return Err(SchemaError::Large);
            }
        }
        match size > SIZE_MAX {
            true => Err(SchemaError::Large),
            false => Ok(size),
        }
    }

    fn of(&mut self, reference: &'s str) -> Result<usize, SchemaError> {
        if let Some(size) = self.known.get(reference) {
            return Ok(*size);
        }
        if self.open.contains(&reference) || self.open.len() >= CHAIN_MAX {
            return Err(SchemaError::Reference);
        }
        let target = target(self.schema, reference).ok_or(SchemaError::Reference)?;
        self.open.push(reference);
        let size = self.unfolded(&Found::of(target))?;
        self.open.pop();
        self.known.insert(reference, size);
        Ok(size)
    }
}

/// What stands in a schema.
#[derive(Default)]
struct Found<'s> {
    size: usize,
    patterns: usize,
    secrets: usize,
    references: Vec<&'s str>,
    /// A secret is something else than a text.
    no_text: bool,
    /// A secret stands where none is looked for.
    astray: bool,
    /// References are read against another base than the document.
    rebased: bool,
}

impl<'s> Found<'s> {
    fn of(schema: &'s Value) -> Self {
        let mut found = Self {
            size: values(schema),
            ..Self::default()
        };
        found.read(schema, true);
        found
    }

    /// `reached`: secrets are looked for here.
    fn read(&mut self, schema: &'s Value, reached: bool) {
        let Some(keywords) = schema.as_object() else {
            return self.read_all(schema, false);
        };
        if keywords.get("writeOnly") == Some(&Value::Bool(true)) {
            self.secrets += 1;
            self.no_text |= keywords.get("type").and_then(Value::as_str) != Some("string");
            self.astray |= !reached;
        }
        for (keyword, value) in keywords {
            match keyword.as_str() {
                "$ref" => self.references.extend(value.as_str()),
                "$id" | "$dynamicRef" => self.rebased = true,
                "pattern" => self.patterns += 1,
                "patternProperties" => {
                    self.patterns += value.as_object().map_or(0, serde_json::Map::len);
                    self.read_all(value, false);
                }
                "properties" | "allOf" | "anyOf" | "oneOf" => self.read_all(value, reached),
                "items" | "then" | "else" => self.read(value, reached),
                "$defs" | "definitions" | "dependentSchemas" => self.read_all(value, false),
                name if VALUES.contains(&name) || name.starts_with("x-") => {}
                _ => self.read(value, false),
            }
        }
    }

    /// A list of schemas, or schemas by name.
    fn read_all(&mut self, schemas: &'s Value, reached: bool) {
        match schemas {
            Value::Array(list) => list.iter().for_each(|schema| self.read(schema, reached)),
            Value::Object(named) => named.values().for_each(|schema| self.read(schema, reached)),
            _ => {}
        }
    }
}
