//! The recorded pure functions of the peer's connector kit.
#![expect(clippy::unwrap_used, reason = "a row of another shape ends the test")]

use sendbox_guest::testing::vectors;
use sendbox_guest::{Payload, Template, template, usage};
use serde_json::Value;

fn rendered(row: &Value) -> String {
    let payload = Payload::parse(&row["payload"].to_string()).ok().unwrap();
    template::render(row["template"].as_str().unwrap(), &payload)
}

#[test]
fn templates_render_as_the_peer_renders_them() {
    for row in vectors("render.jsonl") {
        if row["name"] == "quirk_prototype_keys" {
            assert_eq!(
                rendered(&row),
                row["template"],
                "inherited names count as missing"
            );
            continue;
        }
        assert_eq!(rendered(&row), row["expect"], "{}", row["id"]);
    }
}

#[test]
fn numbers_render_as_the_peer_renders_them() {
    for row in vectors("number-format.jsonl") {
        assert_eq!(rendered(&row), row["expect"], "{}", row["id"]);
    }
}

struct Row<'a>(&'a Value);

impl Template for Row<'_> {
    fn usage_type(&self) -> &str {
        self.0["usageType"].as_str().unwrap()
    }
}

#[test]
fn templates_are_chosen_as_the_peer_chooses_them() {
    for row in vectors("template-choice.jsonl") {
        let usage_type = row["args"][0].as_str().unwrap();
        let templates = row["args"][1]["templates"].as_array();
        let templates: Vec<_> = templates.into_iter().flatten().map(Row).collect();
        let chosen = usage::choose(&templates, usage_type).map_or(&Value::Null, |row| row.0);
        assert_eq!(chosen, &row["expect"], "{}", row["id"]);
    }
}
