//! Fields that a settings schema does not know. JSON Schema lets them stand; here they are refused at a write,
//! because what no schema knows nobody keeps as a secret.

use serde_json::{Map, Value};

use super::{SettingsProblem, escape};

/// Places that are told at once.
const PROBLEMS_MAX: usize = 16;
/// Keywords whose value is a list of schemas for the same place.
const BRANCHES: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords whose value is a schema for the same place.
const BRANCH: [&str; 3] = ["if", "then", "else"];

/// Fields of `settings` that `schema` does not name, at most 16. An object of which the schema names no field takes
/// any, as does one with `patternProperties`, or with `additionalProperties` other than `false`. The schema is one
/// that [`SettingsSchema`](super::SettingsSchema) takes: its references lead in no circle.
#[must_use]
pub fn unknown_fields(schema: &Value, settings: &Value) -> Vec<SettingsProblem> {
    let mut reader = Reader {
        root: schema,
        problems: Vec::new(),
    };
    reader.read(&reader.here(&[schema]), settings, "");
    reader.problems
}

struct Reader<'s> {
    root: &'s Value,
    problems: Vec<SettingsProblem>,
}

impl<'s> Reader<'s> {
    /// Everything that speaks of the place that `schemas` are for.
    fn here(&self, schemas: &[&'s Value]) -> Vec<&'s Map<String, Value>> {
        let mut found = Vec::new();
        let mut open: Vec<&Value> = schemas.to_vec();
        while let Some(schema) = open.pop() {
            let Some(keywords) = schema.as_object() else {
                continue;
            };
            found.push(keywords);
            let lists = BRANCHES
                .iter()
                .filter_map(|name| keywords.get(*name)?.as_array());
            open.extend(lists.flatten());
            open.extend(BRANCH.iter().filter_map(|name| keywords.get(*name)));
            let dependent = keywords.get("dependentSchemas").and_then(Value::as_object);
            open.extend(dependent.into_iter().flat_map(Map::values));
            let reference = keywords.get("$ref").and_then(Value::as_str);
            open.extend(
                reference
                    .and_then(|reference| reference.strip_prefix('#'))
                    .and_then(|pointer| self.root.pointer(pointer)),
            );
        }
        found
    }

    fn read(&mut self, schemas: &[&'s Map<String, Value>], value: &Value, pointer: &str) {
        match value {
            Value::Object(fields) => self.read_fields(schemas, fields, pointer),
            Value::Array(items) => {
                let items_of = |schema: &&'s Map<String, Value>| schema.get("items");
                let listed: Vec<_> = schemas.iter().filter_map(items_of).collect();
                let schemas = self.here(&listed);
                for (index, item) in items.iter().enumerate() {
                    self.read(&schemas, item, &format!("{pointer}/{index}"));
                }
            }
            _ => {}
        }
    }

    fn read_fields(
        &mut self,
        schemas: &[&'s Map<String, Value>],
        fields: &Map<String, Value>,
        pointer: &str,
    ) {
        let properties = |schema: &&'s Map<String, Value>| schema.get("properties")?.as_object();
        let named: Vec<_> = schemas.iter().filter_map(properties).collect();
        let is_open = |schema: &&&Map<String, Value>| {
            let others = ["additionalProperties", "unevaluatedProperties"].iter();
            schema.contains_key("patternProperties")
                || others
                    .filter_map(|name| schema.get(*name))
                    .any(|others| *others != Value::Bool(false))
        };
        let takes_any = named.is_empty() || schemas.iter().any(|schema| is_open(&schema));
        for (name, value) in fields {
            if self.problems.len() >= PROBLEMS_MAX {
                return;
            }
            let place = format!("{pointer}/{}", escape(name));
            let known: Vec<_> = named.iter().filter_map(|known| known.get(name)).collect();
            if !known.is_empty() {
                self.read(&self.here(&known), value, &place);
            } else if !takes_any {
                self.problems.push(SettingsProblem {
                    pointer: place,
                    message: "is no setting of this connector: leave it out".to_owned(),
                });
            }
        }
    }
}
