//! The names that a text may hold, and what a name must not be: an address to click on.

use serde_json::Value;

use crate::message::Message;

/// A longer name, in characters, is taken for a text of somebody else's.
const NAME_MAX: usize = 64;

/// The names that a message carries, by the word that stands for each in the texts.
pub struct Names([(&'static str, Option<String>); 4]);

impl Names {
    /// Tenants and their users choose these names: one that holds an address or is too long is left
    /// out, and the text without it is taken.
    #[must_use]
    pub fn of(message: &Message, sender: Option<&str>) -> Self {
        let find = |object: &str, fields: [&str; 2]| {
            let object = message.payload.get(object)?;
            fields
                .into_iter()
                .find_map(|field| name(object.get(field)?))
        };
        let application = find("application", ["displayName", "name"]);
        Self([
            (
                "application",
                application.or_else(|| sender.map(str::to_owned)),
            ),
            ("organization", find("organization", ["name", "name"])),
            ("inviter", find("inviter", ["name", "username"])),
            ("user", find("user", ["name", "username"])),
        ])
    }

    /// The name behind a word.
    #[must_use]
    pub fn get(&self, word: &str) -> Option<&str> {
        let mut names = self.0.iter();
        let (_, name) = names.find(|(known, _)| *known == word)?;
        name.as_deref()
    }

    /// The first wording all of whose names are known.
    #[must_use]
    pub fn first(&self, wordings: &[String]) -> String {
        let filled = wordings.iter().find_map(|wording| self.fill(wording));
        filled.unwrap_or_default()
    }

    fn fill(&self, wording: &str) -> Option<String> {
        let mut parts = wording.split('{');
        let mut text = parts.next()?.to_owned();
        for part in parts {
            let (word, rest) = part.split_once('}')?;
            let name = self.get(word)?;
            text.push_str(name);
            // "Acme Inc." may end a sentence.
            let ended = name.ends_with('.').then(|| rest.strip_prefix('.'));
            text.push_str(ended.flatten().unwrap_or(rest));
        }
        Some(text)
    }
}

fn name(value: &Value) -> Option<String> {
    // Turns the direction of writing around, and a name into an address.
    let turns = |c: char| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let name = display_name(value.as_str()?)?;
    let fits = name.chars().count() <= NAME_MAX && !name.contains(turns);
    (fits && !has_link(&name)).then_some(name)
}

/// A name without control characters, those above ASCII included, or nothing where none is left.
#[must_use]
pub fn display_name(text: &str) -> Option<String> {
    let parts = text.split(char::is_control).map(str::trim);
    let parts: Vec<_> = parts.filter(|part| !part.is_empty()).collect();
    Some(parts.join(" ")).filter(|name| !name.is_empty())
}

/// Whether a text holds a URL as Logto sees one: `http://`, `https://`, `www.`, or a name with a dot and
/// one to six letters or digits behind it. `S.A.` and `e.g.` are none: a dot follows each letter.
///
/// <https://github.com/logto-io/logto/issues/8589>, read 2026-11-21. The settings' schema says the same.
#[must_use]
pub fn has_link(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let foreign = |c: char| !(c.is_ascii_alphanumeric() || "_#%+.:=@~-".contains(c));
    text.contains("http://") || text.contains("https://") || text.split(foreign).any(is_host)
}

fn is_host(word: &str) -> bool {
    let dots = word.match_indices('.').filter(|(at, _)| *at > 0);
    let mut halves = dots.map(|(at, _)| word.split_at(at));
    halves.any(|(before, behind)| {
        let behind = behind.strip_prefix('.').unwrap_or(behind);
        let end = behind.find(|c: char| !c.is_ascii_alphanumeric());
        let (label, next) = behind.split_at(end.unwrap_or(behind.len()));
        let initial = next.starts_with('.')
            && label.len() == 1
            && label.starts_with(|c: char| c.is_ascii_alphabetic());
        let short = (1..=6).contains(&label.len()) && !next.starts_with('_');
        (short && !initial) || (before.ends_with("www") && !label.is_empty())
    })
}

/// Whether a text is a URL of this scheme of which a mail program will open exactly what it shows: a host without a user before it, and
/// neither blanks nor backslashes, which are corrected in different ways.
#[must_use]
pub fn is_url(text: &str, scheme: &str) -> bool {
    let Some((before, rest)) = text.split_once("://") else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    before.eq_ignore_ascii_case(scheme)
        && !host.is_empty()
        && !host.contains('@')
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\')
}
