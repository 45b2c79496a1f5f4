//! What must not be read: found in every form in which somebody may repeat it, and replaced. One layer for
//! what a guest reads of a provider, and for logs, errors and timelines.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::message::{OutgoingMessage, canonical, mask};
use crate::settings::Placeholders;

mod forms;

pub(crate) use forms::forms;
use forms::numbers;

/// Shorter texts are not looked for: in an answer's numbers and words they would be met by chance.
pub const SHORTEST: usize = 6;
/// Codes have four digits and more, and where people read a chance hit does no harm.
const SHORTEST_PRIVATE: usize = 4;

/// Finds every form of many texts in one pass, whose cost grows with what is read and not with them.
pub(crate) struct Finder {
    /// None: there is nothing to find. An automaton that could not be built finds everything.
    search: Option<Option<AhoCorasick>>,
    /// Which text each pattern is a form of.
    owners: Vec<usize>,
    /// Bytes of the longest form.
    longest: usize,
}

impl Finder {
    pub(crate) fn of<'t>(texts: impl Iterator<Item = &'t str>) -> Self {
        let (mut patterns, mut owners) = (Vec::new(), Vec::new());
        for (index, text) in texts.enumerate() {
            let mut forms = forms(text, SHORTEST);
            forms
                .iter_mut()
                .for_each(|form| form.make_ascii_lowercase());
            forms.sort_unstable();
            forms.dedup();
            owners.extend(std::iter::repeat_n(index, forms.len()));
            patterns.extend(forms);
        }
        let built = || {
            AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostLongest)
                // Digits of escapes come in either case, and mixed.
                .ascii_case_insensitive(true)
                // A key in PEM has thousands of states, and a table of them megabytes.
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(&patterns)
                .ok()
        };
        Self {
            search: (!patterns.is_empty()).then(built),
            owners,
            longest: patterns.iter().map(String::len).max().unwrap_or_default(),
        }
    }

    /// Bytes of the longest form of any text.
    pub(crate) const fn longest(&self) -> usize {
        self.longest
    }

    /// `bytes` with every form of each text replaced by what `with` has for it. None: more than `most` bytes would
    /// come out, where that is more than there are.
    pub(crate) fn replace<'b>(
        &self,
        bytes: &'b [u8],
        most: usize,
        with: impl Fn(usize) -> String,
    ) -> Option<Cow<'b, [u8]>> {
        let search = match &self.search {
            None => return Some(Cow::Borrowed(bytes)),
            Some(None) => return Some(Cow::Owned(with(0).into_bytes())),
            Some(Some(search)) => search,
        };
        let most = most.max(bytes.len());
        let (mut out, mut from) = (Vec::new(), 0);
        for found in search.find_iter(bytes) {
            let index = self.owners.get(found.pattern().as_usize());
            out.extend_from_slice(bytes.get(from..found.start()).unwrap_or_default());
            out.extend_from_slice(with(index.copied().unwrap_or_default()).as_bytes());
            from = found.end();
            if out.len() > most {
                return None;
            }
        }
        if from == 0 {
            return Some(Cow::Borrowed(bytes));
        }
        out.extend_from_slice(bytes.get(from..).unwrap_or_default());
        Some(Cow::Owned(out))
    }
}

/// What is kept from the words about one send: its secrets, its recipient, its code and its link.
#[derive(Clone)]
pub struct Redaction {
    secrets: Placeholders,
    message: Option<Arc<Private>>,
}

struct Private {
    recipient: String,
    payload: String,
    /// Each text with what stands for it, and each form of them: made when the first is asked for. None where the
    /// payload, kept from an earlier release, has no one reading: nobody knows which words tell it.
    texts: OnceLock<Option<Vec<(String, String)>>>,
    forms: OnceLock<Option<Vec<(String, String)>>>,
}

/// What stands for words that cannot be told from what they must not tell.
const WITHHELD: &str = "[withheld]";

/// What a payload tells that nobody else may know.
#[derive(Deserialize)]
struct Told<'p> {
    #[serde(borrow)]
    code: Option<&'p RawValue>,
    #[serde(borrow)]
    link: Option<&'p RawValue>,
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redaction(…)")
    }
}

impl Redaction {
    /// Of a send.
    #[must_use]
    pub fn of(secrets: Placeholders, message: &OutgoingMessage) -> Self {
        let private = Private {
            recipient: message.recipient.clone(),
            payload: message.payload.clone(),
            texts: OnceLock::new(),
            forms: OnceLock::new(),
        };
        Self {
            secrets,
            message: Some(Arc::new(private)),
        }
    }

    /// Of a call without settings and message.
    #[must_use]
    pub fn none() -> Self {
        Self {
            secrets: Placeholders::none(),
            message: None,
        }
    }

    /// `text` as an eye that need not know may see it.
    #[must_use]
    pub fn text(&self, text: &str) -> String {
        match &self.message {
            Some(message) => self.without(text, message.forms()),
            None => self.without(text, Some(&[])),
        }
    }

    /// The same for a provider's name of a message. Nearly every send has one, so recipient, code and link are
    /// looked for as they are and in no other form.
    #[must_use]
    pub fn name(&self, text: &str) -> String {
        match &self.message {
            Some(message) => self.without(text, message.texts()),
            None => self.without(text, Some(&[])),
        }
    }

    /// Bytes of the longest form of what is kept from the words.
    #[must_use]
    pub fn longest(&self) -> usize {
        let forms = self
            .message
            .iter()
            .flat_map(|message| message.forms().unwrap_or_default());
        let longest = forms.map(|(form, _)| form.len()).max();
        self.secrets.longest().max(longest.unwrap_or_default())
    }

    fn without(&self, text: &str, private: Option<&[(String, String)]>) -> String {
        let Some(private) = private else {
            return WITHHELD.to_owned();
        };
        let redacted = self.secrets.redact(text.as_bytes());
        let mut out = String::from_utf8_lossy(&redacted).into_owned();
        for (form, instead) in private {
            if memmem::find(out.as_bytes(), form.as_bytes()).is_some() {
                out = out.replace(form.as_str(), instead);
            }
        }
        out
    }
}

impl Private {
    fn texts(&self) -> Option<&[(String, String)]> {
        let made = self.texts.get_or_init(|| {
            let masked = mask(&self.recipient);
            // As it came, as it is meant, and as connectors write it for their providers.
            let meant = canonical(&self.recipient);
            let bare: String = self
                .recipient
                .chars()
                .filter(char::is_ascii_digit)
                .collect();
            let other = match self.recipient.contains('@') {
                true => self.recipient.to_lowercase(),
                false => bare,
            };
            let spelled = [self.recipient.clone(), other, meant];
            let mut texts: Vec<_> = spelled.map(|text| (text, masked.clone())).into();
            texts.dedup();
            let told: Told<'_> = serde_json::from_str(&self.payload).ok()?;
            for (value, instead) in [(told.link, "[link]"), (told.code, "[code]")] {
                let mut said = Vec::new();
                if let Some(value) = value {
                    texts_of(value, &mut said)?;
                }
                texts.extend(said.into_iter().map(|text| (text, instead.to_owned())));
            }
            texts.retain(|(text, _)| text.len() >= SHORTEST_PRIVATE);
            Some(texts)
        });
        made.as_deref()
    }

    /// The longest first: a code may be a part of the link.
    fn forms(&self) -> Option<&[(String, String)]> {
        let made = self.forms.get_or_init(|| {
            let forms = |(text, instead): &(String, String)| {
                let forms = forms(text, SHORTEST_PRIVATE).into_iter();
                let instead = instead.clone();
                forms.map(move |form| (form, instead.clone()))
            };
            let mut all: Vec<_> = self.texts()?.iter().flat_map(forms).collect();
            all.sort_by_key(|(form, _)| std::cmp::Reverse(form.len()));
            Some(all)
        });
        made.as_deref()
    }
}

/// Every text and number of a value, as a guest may write it. None where the value is no JSON.
fn texts_of(value: &RawValue, out: &mut Vec<String>) -> Option<()> {
    match value.get().as_bytes().first()? {
        b'"' => {
            let text: String = serde_json::from_str(value.get()).ok()?;
            // As it stands in a line of its own.
            let line = text.split(|c: char| c.is_control() || c.is_whitespace());
            let line: Vec<_> = line.filter(|word| !word.is_empty()).collect();
            let line = line.join(" ");
            if line != text {
                out.push(line);
            }
            out.push(text);
        }
        b'[' => {
            for item in serde_json::from_str::<Vec<&RawValue>>(value.get()).ok()? {
                texts_of(item, out)?;
            }
        }
        b'{' => {
            let fields: BTreeMap<Cow<'_, str>, &RawValue> =
                serde_json::from_str(value.get()).ok()?;
            for field in fields.into_values() {
                texts_of(field, out)?;
            }
        }
        b'-' | b'0'..=b'9' => numbers(value.get(), out),
        // true, false, null
        _ => {}
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(recipient: &str, payload: &str) -> OutgoingMessage {
        OutgoingMessage {
            recipient: recipient.into(),
            usage_type: "SignIn".into(),
            payload: payload.into(),
            locale: None,
            client_ip: None,
            content: None,
            idempotency_key: "k".into(),
            expires_in: std::time::Duration::ZERO,
        }
    }

    #[test]
    fn one_pass_finds_every_text_and_takes_the_longest_form() {
        let texts = ["hunter2-hunter2", "hunter2-hunter2-and-more", "short"];
        let finder = Finder::of(texts.into_iter());
        let seen = |bytes: &[u8]| {
            let seen = finder.replace(bytes, usize::MAX, |index| format!("[{index}]"));
            String::from_utf8(seen.unwrap().into_owned()).unwrap()
        };
        assert_eq!(
            seen(b"a hunter2-hunter2-and-more, hunter2-hunter2; short"),
            "a [1], [0]; short"
        );
        assert_eq!(
            seen(b"%68%75%6E%74%65%72%32%2d%68%75%6e%74%65%72%32"),
            "[0]"
        );
        let clean = b"nothing to see";
        assert!(matches!(
            finder.replace(clean, 0, |_| String::new()),
            Some(Cow::Borrowed(_))
        ));
        let long = |_| "0123456789012345678901234567890123456789".to_owned();
        let bytes = b"hunter2-hunter2".repeat(100);
        assert!(finder.replace(&bytes, 4_000, long).is_some());
        assert!(finder.replace(&bytes, 3_999, long).is_none());
    }

    #[test]
    fn what_the_code_and_the_link_hold_is_kept_whatever_their_shape() {
        let payload = r#"{"code":[{"first":"271828"},314159],"link":{"url":" https://x.example/?t=t0ken1 "}}"#;
        let words = Redaction::of(Placeholders::none(), &message("a@b.example", payload));
        assert_eq!(
            words.text("271828, 314159 at https://x.example/?t=t0ken1."),
            "[code], [code] at [link]."
        );
    }

    #[test]
    fn words_about_a_message_that_has_no_one_reading_are_withheld() {
        for payload in [
            r#"{"code":"111111","code":"271828"}"#,
            r#"{"code":"2718\ud83d28"}"#,
            "no JSON",
        ] {
            let words = Redaction::of(Placeholders::none(), &message("a@b.example", payload));
            assert_eq!(words.text("sent 271828"), "[withheld]");
            assert_eq!(words.name("id-271828"), "[withheld]");
        }
    }

    #[test]
    fn words_about_a_send_hold_neither_recipient_nor_code_nor_link() {
        let payload = r#"{"code":"271828","link":"https://x.example/?token=271828&a=b","n":1}"#;
        let words = Redaction::of(
            Placeholders::none(),
            &message("Leonhard@Euler.example", payload),
        );
        assert_eq!(
            words.text("550 <leonhard@euler.example> Leonhard%40Euler.example 271828 b64 MjcxODI4"),
            "550 <L…@Euler.example> L…@Euler.example [code] b64 [code]"
        );
        assert_eq!(
            words.text("at https://x.example/?token=271828&amp;a=b"),
            "at [link]"
        );
        assert_eq!(
            words.name("id-271828-Leonhard@Euler.example"),
            "id-[code]-L…@Euler.example"
        );
        let number = Redaction::of(
            Placeholders::none(),
            &message("a@b.example", r#"{"code":271828}"#),
        );
        for written in [
            "271828",
            "271828.0",
            "2.71828e+05",
            "2.71828E5",
            "271,828",
            "271 828",
        ] {
            let text = number.text(&format!("code {written}"));
            assert!(text.starts_with("code [code]"), "{text}");
        }
        let words = Redaction::of(Placeholders::none(), &message("+49 151 12345678", "{}"));
        assert_eq!(
            words.text("4915112345678 is no number"),
            "…5678 is no number"
        );
    }
}
