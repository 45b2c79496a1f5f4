//! The texts by language, and which language a message is written in.

use sendbox_guest::{Failure, Message, Template};
use serde::Deserialize;
use serde_json::Value;

/// Language tags and their files in `texts/`. English, the first, serves every other language.
pub(crate) const LANGUAGES: [(&str, &str); 10] = [
    ("en", include_str!("../texts/en.json")),
    ("de", include_str!("../texts/de.json")),
    ("es", include_str!("../texts/es.json")),
    ("fr", include_str!("../texts/fr.json")),
    ("ja", include_str!("../texts/ja.json")),
    ("ko", include_str!("../texts/ko.json")),
    ("pt", include_str!("../texts/pt.json")),
    ("tr", include_str!("../texts/tr.json")),
    ("zh-CN", include_str!("../texts/zh-CN.json")),
    ("zh-TW", include_str!("../texts/zh-TW.json")),
];

/// One text in several wordings: the first one whose `{names}` are all known is taken, and the last
/// one has none.
pub(crate) type Wordings = Vec<String>;

/// All texts of a language.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Texts {
    #[serde(skip)]
    pub(crate) language: &'static str,
    pub(crate) greeting: Wordings,
    /// Below a code.
    pub(crate) note: String,
    /// On the button of a link.
    pub(crate) button: String,
    /// Before the same link in full.
    pub(crate) link: String,
    pub(crate) messages: Vec<Text>,
}

/// The texts of a usage type.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Text {
    pub(crate) usage_type: String,
    pub(crate) subject: Wordings,
    pub(crate) lead: Wordings,
    /// What to do if one did not ask for the message.
    pub(crate) ignore: String,
}

impl Template for Text {
    fn usage_type(&self) -> &str {
        &self.usage_type
    }
}

impl Texts {
    /// The texts in the first language that the message asks for and that there is.
    pub(crate) fn of(message: &Message) -> Result<Self, Failure> {
        let wishes = message.payload.get("uiLocales").and_then(Value::as_str);
        let wishes = wishes.unwrap_or_default().split_whitespace();
        let mut wishes = message.locale.as_deref().into_iter().chain(wishes);
        let (language, file) = wishes.find_map(serving).unwrap_or(LANGUAGES[0]);
        let texts = serde_json::from_str(file)
            .map_err(|_| Failure::template_not_found(&message.usage_type))?;
        Ok(Self { language, ..texts })
    }
}

/// The language that serves a BCP 47 tag, if one does. Script and region count in Chinese alone.
fn serving(tag: &str) -> Option<(&'static str, &'static str)> {
    let tag = tag.to_ascii_lowercase().replace('_', "-");
    let has = |wanted: &[&str]| tag.split('-').any(|subtag| wanted.contains(&subtag));
    let language = match tag.split('-').next()? {
        "zh" if has(&["hant"]) || (has(&["tw", "hk", "mo"]) && !has(&["hans"])) => "zh-TW",
        "zh" => "zh-CN",
        primary => primary,
    };
    LANGUAGES.into_iter().find(|(tag, _)| *tag == language)
}
