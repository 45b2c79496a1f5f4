//! Language tags, and which template speaks for which of them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use icu_locale::fallback::{LocaleFallbackConfig, LocaleFallbacker};
use icu_locale::{LanguageIdentifier, LocaleExpander};
use serde::{Deserialize, Serialize};

use super::TemplateKey;
use crate::id::IdError;
use crate::message::UsageType;

/// A language tag as its author writes it: the shape of BCP 47, not its registry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LanguageTag(Arc<str>);

impl LanguageTag {
    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What CLDR reads in it, in canonical letters; none for a tag that it cannot read.
    fn read(&self) -> Option<LanguageIdentifier> {
        let locale: icu_locale::Locale = self.0.replace('_', "-").parse().ok()?;
        Some(locale.id)
    }
}

impl FromStr for LanguageTag {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        let part = |part: &str| {
            (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        // RFC 5646, section 4.4.1: 35 characters hold every tag that is not an extension's.
        if text.len() <= 35 && text.split(['-', '_']).all(part) {
            Ok(Self(text.into()))
        } else {
            Err(IdError {
                what: "language tag",
                shape: "of at most 35 letters, digits and '-', such as de or zh-CN",
            })
        }
    }
}

impl TryFrom<String> for LanguageTag {
    type Error = IdError;
    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<LanguageTag> for String {
    fn from(tag: LanguageTag) -> String {
        tag.0.as_ref().to_owned()
    }
}

impl fmt::Display for LanguageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which templates speak for a message's locale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LanguageFallback {
    /// Those of exactly its tag, letter by letter: Logto's rule.
    #[default]
    Exact,
    /// Also those of the tags above it: zh-Hant and zh for zh-HK, es-419 and es for es-MX.
    Parents,
}

/// How a tenant's templates stand in for each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Languages {
    /// The language of a message without a template in its own.
    pub fallback_language: LanguageTag,
    /// Which templates speak for a message's locale.
    pub language_fallback: LanguageFallback,
}

impl Default for Languages {
    fn default() -> Self {
        Self {
            fallback_language: LanguageTag("en".into()),
            language_fallback: LanguageFallback::Exact,
        }
    }
}

impl Languages {
    /// The templates of `stock` for a message, the best first. In Logto's order: the message's usage
    /// type in its locale, then in the fallback language, then `Generic` in the fallback language;
    /// `Generic` in the locale is none of them.
    #[must_use]
    pub fn choose<'a>(
        &self,
        stock: &'a [TemplateKey],
        locale: Option<&LanguageTag>,
        usage_type: UsageType,
    ) -> Vec<&'a TemplateKey> {
        let of = |usage_type| stock.iter().filter(move |key| key.usage_type == usage_type);
        let own: Vec<_> = of(usage_type).collect();
        let generic: Vec<_> = of(UsageType::Generic).collect();
        let fallback = &self.fallback_language;
        let steps = match self.language_fallback {
            LanguageFallback::Exact => [
                locale.and_then(|tag| spelled(&own, tag)),
                spelled(&own, fallback),
                spelled(&generic, fallback),
            ],
            LanguageFallback::Parents => {
                let nearest = |tag: &LanguageTag| {
                    let lineage = lineage(&tag.read()?);
                    lineage.iter().find_map(|tag| alike(&own, tag))
                };
                let same = |keys: &[&'a TemplateKey]| alike(keys, &fallback.read()?);
                [
                    locale.and_then(|tag| spelled(&own, tag).or_else(|| nearest(tag))),
                    spelled(&own, fallback).or_else(|| same(&own)),
                    spelled(&generic, fallback).or_else(|| same(&generic)),
                ]
            }
        };
        steps.into_iter().flatten().collect()
    }
}

/// The template of exactly this tag.
fn spelled<'a>(keys: &[&'a TemplateKey], tag: &LanguageTag) -> Option<&'a TemplateKey> {
    keys.iter().copied().find(|key| key.language_tag == *tag)
}

/// The template of this language: of the tag in any letters, else of one that means the same, as
/// zh-TW means zh-Hant.
fn alike<'a>(keys: &[&'a TemplateKey], tag: &LanguageIdentifier) -> Option<&'a TemplateKey> {
    let with = |same: &dyn Fn(LanguageIdentifier) -> bool| {
        let mut keys = keys.iter().copied();
        keys.find(|key| key.language_tag.read().is_some_and(same))
    };
    let whole = maximized(tag.clone());
    with(&|other| other == *tag).or_else(|| with(&|other| maximized(other) == whole))
}

/// A tag with the script and region that it leaves to the reader.
fn maximized(mut tag: LanguageIdentifier) -> LanguageIdentifier {
    LocaleExpander::new_common().maximize(&mut tag);
    tag
}

/// A tag and those above it in CLDR, at last its language alone, which CLDR leaves out where the
/// script is another.
fn lineage(tag: &LanguageIdentifier) -> Vec<LanguageIdentifier> {
    let mut tags = vec![tag.clone()];
    let fallbacker = LocaleFallbacker::new().for_config(LocaleFallbackConfig::default());
    let mut steps = fallbacker.fallback_for(tag.into());
    while !steps.get().is_unknown() {
        tags.push(steps.get().into_locale().id);
        steps.step();
    }
    tags.push(tag.language.into());
    tags
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag(text: &str) -> LanguageTag {
        text.parse().unwrap()
    }

    /// `de/SignIn`, `de/Generic`, …
    fn key(text: &str) -> TemplateKey {
        let (language, usage) = text.split_once('/').unwrap();
        TemplateKey {
            language_tag: tag(language),
            usage_type: UsageType::parse(usage).unwrap(),
        }
    }

    fn chosen(mode: LanguageFallback, locale: &str, stock: &str) -> Vec<String> {
        let languages = Languages {
            language_fallback: mode,
            ..Languages::default()
        };
        let stock: Vec<_> = stock.split_whitespace().map(key).collect();
        let locale = (!locale.is_empty()).then(|| tag(locale));
        let keys = languages.choose(&stock, locale.as_ref(), UsageType::SignIn);
        keys.iter()
            .map(|key| format!("{}/{}", key.language_tag, key.usage_type.as_str()))
            .collect()
    }

    #[test]
    fn in_logtos_order_the_locale_comes_before_the_fallback_language_and_its_generic() {
        let exact = |locale, stock| chosen(LanguageFallback::Exact, locale, stock).join(" ");
        let all = "de/Generic de/SignIn en/Generic en/Register en/SignIn fr/SignIn";
        assert_eq!(exact("de", all), "de/SignIn en/SignIn en/Generic");
        assert_eq!(exact("", all), "en/SignIn en/Generic");
        assert_eq!(exact("it", all), "en/SignIn en/Generic");
        assert_eq!(exact("de", "de/Generic"), "", "never (locale, Generic)");
        assert_eq!(exact("de", "de/Generic en/Generic"), "en/Generic");
        assert_eq!(exact("de-AT", "de/SignIn"), "", "exact tags only");
        assert_eq!(exact("DE", "de/SignIn"), "", "letter by letter");
        assert_eq!(exact("de", "en/Register fr/SignIn"), "");
    }

    #[test]
    fn with_parents_the_nearest_language_above_the_locale_speaks_for_it() {
        for (locale, stock, expected) in [
            (
                "zh-HK",
                "zh/SignIn zh-Hant/SignIn zh-HK/SignIn",
                "zh-HK/SignIn",
            ),
            ("zh-HK", "zh/SignIn zh-Hant/SignIn", "zh-Hant/SignIn"),
            ("zh-Hant-HK", "zh/SignIn zh-HK/SignIn", "zh-HK/SignIn"),
            ("zh-HK", "zh/SignIn", "zh/SignIn"),
            ("zh-HK", "zh-CN/SignIn zh-TW/SignIn", "zh-TW/SignIn"),
            ("zh-SG", "zh-CN/SignIn zh-TW/SignIn", "zh-CN/SignIn"),
            ("zh_hk", "ZH-hant/SignIn", "ZH-hant/SignIn"),
            ("es-MX", "es/SignIn es-419/SignIn", "es-419/SignIn"),
            ("pt-AO", "pt-BR/SignIn pt-PT/SignIn", "pt-PT/SignIn"),
            ("pl", "pl-PL/SignIn", "pl-PL/SignIn"),
            ("de-CH-1996", "de/SignIn", "de/SignIn"),
            ("de-AT", "de-CH/SignIn", ""),
            ("de-AT", "de/Generic", ""),
            (
                "de",
                "en-US/SignIn en-US/Generic",
                "en-US/SignIn en-US/Generic",
            ),
            (
                "x-klingon",
                "de/SignIn x-klingon/SignIn",
                "x-klingon/SignIn",
            ),
            ("und", "de/SignIn", ""),
        ] {
            let found = chosen(LanguageFallback::Parents, locale, stock).join(" ");
            assert_eq!(found, expected, "{locale} among {stock}");
        }
    }

    #[test]
    fn a_tag_has_the_shape_of_bcp_47() {
        for right in [
            "en",
            "zh-Hant-HK",
            "pt_BR",
            "x-klingon",
            "sl-rozaj-biske-1994",
        ] {
            assert_eq!(tag(right).as_str(), right);
        }
        for wrong in [
            "",
            "-",
            "de-",
            "de AT",
            "ninechars",
            "dé",
            &"aa-".repeat(12),
        ] {
            assert!(wrong.parse::<LanguageTag>().is_err(), "{wrong}");
        }
    }
}
