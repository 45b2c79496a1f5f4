//! A provider's own codes and words, and what they mean: a table that each connector keeps beside its
//! source.
//!
//! One rule a line: kind, patterns parted by commas, words for people, with `|` between them. The first
//! rule that fits decides. A pattern is a code, the beginning of codes before a `*`, or in quotation
//! marks what the provider's words contain, letters of ASCII in upper or lower case: those of all
//! languages would make each connector 10 KiB larger. A status code and a colon before it bind it to
//! that status. Lines that begin with `#` are comments.

use crate::failure::{Failure, FailureKind};
use crate::http::Response;

/// A table of rules, by [`codes!`](crate::codes!).
#[derive(Debug, Clone, Copy)]
pub struct Codes(&'static str);

/// One rule: a kind, its patterns, and for people what they stand for.
struct Rule {
    kind: FailureKind,
    patterns: &'static str,
}

impl Codes {
    /// The table in a text.
    #[must_use]
    pub const fn new(table: &'static str) -> Self {
        Self(table)
    }

    /// What the table says of a refusal by its status code, the provider's code and its words.
    #[must_use]
    pub fn kind(self, status: u16, code: &str, words: &str) -> Option<FailureKind> {
        let words = words.to_ascii_lowercase();
        let mut rules = self.rules();
        let rule = rules.find(|rule| rule.fits(status, code, &words))?;
        Some(rule.kind)
    }

    fn rules(self) -> impl Iterator<Item = Rule> {
        let lines = self.0.lines().filter(|line| !line.starts_with('#'));
        lines.filter_map(|line| {
            let mut cells = line.split('|').map(str::trim);
            let kind = FailureKind::of_name(cells.next()?)?;
            let patterns = cells.next()?;
            Some(Rule { kind, patterns })
        })
    }
}

impl Rule {
    fn fits(&self, status: u16, code: &str, words: &str) -> bool {
        let mut patterns = self.patterns.split(',').map(str::trim);
        patterns.any(|pattern| {
            let bound = pattern.split_once(':');
            let bound = bound.and_then(|(bound, rest)| Some((bound.parse::<u16>().ok()?, rest)));
            let (bound, pattern) = match bound {
                Some((bound, pattern)) => (bound == status, pattern),
                None => (true, pattern),
            };
            let part = pattern.strip_prefix('"');
            let part = part.and_then(|part| part.strip_suffix('"'));
            bound
                && match (part, pattern.strip_suffix('*')) {
                    (Some(part), _) => words.contains(&part.to_ascii_lowercase()),
                    (None, Some(beginning)) => code.starts_with(beginning),
                    (None, None) => code == pattern,
                }
        })
    }
}

impl Failure {
    /// A refusal under the provider's own code, inside whichever response: the table decides, else the
    /// status code. A code that nobody knows is not held against the recipient.
    #[must_use]
    pub fn by_code(
        response: &Response,
        codes: Codes,
        code: impl ToString,
        words: Option<String>,
    ) -> Self {
        let code = code.to_string();
        let known = codes.kind(response.status, &code, words.as_deref().unwrap_or_default());
        let kind = known.unwrap_or(match response.status {
            200..300 | 400 | 422 => FailureKind::InvalidSettings,
            status => FailureKind::of_status(status),
        });
        Self::of_provider(response, kind, code, words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FailureKind::{InvalidSettings, Rejected, Throttled, Unauthorized, Unknown};

    const TABLE: Codes = Codes::new(
        "# a comment\n\
         throttled | 429, 401:\"Credits exceeded\", Limit.* | quota\n\
         rejected | 21211, \"to parameter\" | the recipient\n",
    );

    #[test]
    fn codes_their_beginnings_and_words_have_their_kind() {
        for (status, code, words, kind) in [
            (200, "429", "", Some(Throttled)),
            (400, "Limit.Day", "", Some(Throttled)),
            (400, "Limi", "", None),
            (401, "x", "no: credits EXCEEDED", Some(Throttled)),
            (403, "x", "credits exceeded", None),
            (400, "21211", "", Some(Rejected)),
            (400, "2121", "", None),
            (400, "x", "The TO parameter is bad", Some(Rejected)),
        ] {
            assert_eq!(TABLE.kind(status, code, words), kind, "{status} {code}");
        }
    }

    #[test]
    fn a_code_that_nobody_knows_is_not_the_recipients_fault() {
        for (status, kind) in [
            (200, InvalidSettings),
            (400, InvalidSettings),
            (401, Unauthorized),
            (404, InvalidSettings),
            (422, InvalidSettings),
            (500, Unknown),
        ] {
            let response = Response {
                status,
                ..Response::default()
            };
            let failure = Failure::by_code(&response, TABLE, 7, None);
            assert_eq!(failure.kind, kind, "{status}");
            assert_eq!(failure.code.as_deref(), Some("7"));
        }
    }
}
