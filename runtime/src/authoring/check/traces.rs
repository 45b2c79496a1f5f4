//! What a send left behind, as texts, and what in them looks like chance or a time.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;

use crate::replay::{ReplayResult, ReplayedOutcome};

/// Headers that the host writes.
const HOSTS_OWN: [&str; 5] = [
    "host",
    "accept-encoding",
    "user-agent",
    "content-length",
    // Made of credentials, in base64 for the most part.
    "authorization",
];
/// Letters and digits in a row that no word has.
const RANDOM_MIN: usize = 10;
/// Digits among them.
const DIGITS_MIN: usize = 2;
/// Longer runs are something encoded.
const RANDOM_MAX: usize = 64;
/// `hh:mm:ss`
const TIME: usize = 8;

/// Texts of one send, each with its place.
pub(super) struct Traces(Vec<(String, String)>);

impl Traces {
    /// Of what was sent, handed over, answered and logged.
    pub(super) fn of(result: &ReplayResult) -> Self {
        let mut texts = Vec::new();
        for (index, request) in result.requests.iter().enumerate() {
            let place = |part: &str| format!("request {}, {part}", index + 1);
            let url = plain(&request.url);
            texts.push((place("URL"), format!("{} {url}", request.method)));
            for (name, value) in &request.headers {
                if !HOSTS_OWN.contains(&name.as_str()) {
                    texts.push((place(name), value.clone()));
                }
            }
            let body = plain(&String::from_utf8_lossy(&request.body));
            texts.push((place("body"), body));
        }
        for (index, mail) in result.smtp.iter().enumerate() {
            let place = |part: &str| format!("mail {}, {part}", index + 1);
            for (name, value) in &mail.headers {
                texts.push((place(name), value.clone()));
            }
            texts.extend(mail.text.clone().map(|text| (place("text"), text)));
        }
        if let Some(content) = &result.content {
            texts.push(("handed-over subject".to_owned(), content.subject.clone()));
            texts.push(("handed-over body".to_owned(), content.body.clone()));
        }
        texts.push(("outcome".to_owned(), words(&result.outcome)));
        texts.push(("log".to_owned(), result.log.join("\n")));
        Self(texts)
    }

    /// Whether two sends left the same.
    pub(super) fn same(&self, other: &Self) -> bool {
        self.0 == other.0
    }

    /// The first place where two sends differ.
    pub(super) fn difference<'a>(&'a self, other: &Self) -> Option<&'a str> {
        if self.same(other) {
            return None;
        }
        let mut pairs = self.0.iter().zip(&other.0);
        let differing = pairs.find(|(mine, theirs)| mine != theirs);
        Some(differing.map_or("the number of requests", |((place, _), _)| place))
    }

    /// Whether any of the texts holds `text`.
    fn hold(&self, text: &str) -> bool {
        self.0.iter().any(|(_, own)| own.contains(text))
    }

    /// What looks drawn or taken from a clock here and stands in each of `others` too, with its place.
    pub(super) fn repeated(&self, others: &[&Self]) -> Vec<(String, String)> {
        let mut seen = BTreeSet::new();
        let mut repeated = Vec::new();
        for (place, text) in &self.0 {
            for word in striking(text) {
                if seen.insert(word) && others.iter().all(|other| other.hold(word)) {
                    repeated.push((place.clone(), word.to_owned()));
                }
            }
        }
        repeated
    }
}

/// Without the escapes of URLs and forms, whose digits are no part of a value.
fn plain(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn words(outcome: &ReplayedOutcome) -> String {
    match outcome {
        ReplayedOutcome::Receipt { receipt, .. } => format!(
            "{} {}",
            receipt.provider_message_id.as_deref().unwrap_or_default(),
            receipt.detail.as_deref().unwrap_or_default()
        ),
        ReplayedOutcome::Failure { code, message, .. } => {
            format!("{} {message}", code.as_deref().unwrap_or_default())
        }
    }
}

/// Runs of letters and digits with enough digits to be drawn or counted, and times of the day.
fn striking(text: &str) -> impl Iterator<Item = &str> {
    let runs = text.split(|c: char| !c.is_ascii_alphanumeric());
    let runs = runs.filter(|run| {
        let digits = run.bytes().filter(u8::is_ascii_digit).count();
        (RANDOM_MIN..=RANDOM_MAX).contains(&run.len()) && digits >= DIGITS_MIN
    });
    let times = text.split(|c: char| !(c.is_ascii_digit() || c == ':'));
    let times = times.filter(|run| run.len() == TIME && run.matches(':').count() == 2);
    runs.chain(times)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_numbers_and_times_strike_and_words_do_not() {
        let text = "at 2026-11-21T17:54:16Z boundary=Part3f2a9b8c 0.7263746283 1767323045678 \
                    verification-template e4f1a2b3-0000-4000-8000-9f8e7d6c5b4a code 123456";
        let found: Vec<_> = striking(text).collect();
        assert_eq!(
            found,
            [
                "Part3f2a9b8c",
                "7263746283",
                "1767323045678",
                "9f8e7d6c5b4a",
                "17:54:16"
            ]
        );
    }

    #[test]
    fn what_stands_in_every_send_is_repeated() {
        let traces = |body: &str| Traces(vec![("request 1, body".to_owned(), body.to_owned())]);
        let first = traces("id=3f2a9b8c7d6e nonce=aaaa1111bbbb");
        let others = [traces("id=3f2a9b8c7d6e nonce=cccc2222dddd")];
        let repeated = first.repeated(&others.each_ref());
        let expected = ("request 1, body".to_owned(), "3f2a9b8c7d6e".to_owned());
        assert_eq!(repeated, [expected]);
        assert!(!first.same(&others[0]));
        assert_eq!(first.difference(&others[0]), Some("request 1, body"));
    }
}
