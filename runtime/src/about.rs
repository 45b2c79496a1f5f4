//! What a connector says of itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::ConnectorId;
use crate::message::Channel;

/// A connector's answer to `describe`, checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ConnectorInfo {
    /// Its name.
    pub id: ConnectorId,
    /// The channel it serves.
    pub channel: Channel,
    /// Its semantic version.
    pub version: String,
    /// Names by BCP 47 tag; the first is the default.
    pub titles: Vec<(String, String)>,
    /// Descriptions by BCP 47 tag.
    pub descriptions: Vec<(String, String)>,
    /// JSON Schema 2020-12 of the settings.
    pub settings_schema: Value,
    /// Hosts that it asks to reach.
    pub hosts: Vec<String>,
    /// Where secrets may be placed besides headers and credentials.
    pub secret_grants: Vec<SecretGrant>,
    /// How to set it up, in Markdown.
    pub readme: String,
}

impl ConnectorInfo {
    /// The first field in which two answers differ.
    #[must_use]
    pub fn differs_in(&self, other: &Self) -> Option<&'static str> {
        let differs = [
            ("id", self.id != other.id),
            ("channel", self.channel != other.channel),
            ("version", self.version != other.version),
            ("hosts", self.hosts != other.hosts),
            ("secret-grants", self.secret_grants != other.secret_grants),
            (
                "settings-schema",
                self.settings_schema != other.settings_schema,
            ),
            ("titles", self.titles != other.titles),
            ("descriptions", self.descriptions != other.descriptions),
            ("readme", self.readme != other.readme),
        ];
        let mut differs = differs.into_iter();
        differs.find_map(|(field, differs)| differs.then_some(field))
    }
}

/// A place outside headers and credentials that a secret may go to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretGrant {
    /// JSON pointer of the secret in the settings.
    pub setting: String,
    /// In the query of a URL.
    pub query: bool,
    /// In a body.
    pub body: bool,
    /// As key material for signatures.
    pub signing: bool,
    /// How often such a key is derived before it signs, by the settings schema's `x-derivations`. A key does
    /// either at each step, never both: what HMAC-SHA-256 signs is also what it derives.
    #[serde(default)]
    pub derivations: u32,
}

/// Characters of a text that a connector's author wrote into a refusal's words.
const PRINTABLE_MAX: usize = 1_000;

/// Whether a character takes no place, or turns the direction of what stands around it: Unicode's format
/// characters, line and paragraph separators, fillers and variation selectors. It makes a text look like another.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'
        | '\u{891}' | '\u{8e2}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}'
        | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// A text that holds what a connector's author wrote, as it may stand on a line of a terminal.
pub(crate) fn printable(text: &str) -> String {
    let shown = |c: char| {
        if c.is_control() || is_invisible(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    text.chars().take(PRINTABLE_MAX).map(shown).collect()
}
