//! Senders, as the peer's connector kit reads and writes them: `Name <address>`, never quoted.

use std::fmt;

use crate::failure::one_line;
use crate::message::Message;
use crate::template::render_with;

/// A mail address, and the name that stands before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// `local@domain`, not validated: that is the provider's.
    pub address: String,
    /// Empty where there is none.
    pub name: String,
}

impl Mailbox {
    /// A mailbox of both parts, without what would end a header or an address.
    #[must_use]
    pub fn new(address: &str, name: &str) -> Self {
        Self {
            address: bare(address),
            name: bare(name),
        }
    }

    /// Reads `Name <address>`, an address alone, or a display name alone, which keeps the given
    /// `address`. An empty text is the given `address` and `name`.
    #[must_use]
    pub fn parse(text: &str, address: &str, name: &str) -> Self {
        let text = without_controls(text);
        match split(&text) {
            _ if text.is_empty() => Self::new(address, name),
            Some((name, own)) if bare(own).is_empty() => Self::new(address, name),
            Some((name, own)) => Self::new(own, name),
            None if text.contains('@') && !text.contains(char::is_whitespace) => {
                Self::new(&text, "")
            }
            None => Self::new(address, &text),
        }
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            f.write_str(&self.address)
        } else {
            write!(f, "{} <{}>", self.name, self.address)
        }
    }
}

impl Message {
    /// Who sends: the overriding text's `send_from` with its variables filled in, else the
    /// settings' own `address` and `name`.
    #[must_use]
    pub fn sender(&self, address: &str, name: &str) -> Mailbox {
        let content = self.content.as_ref();
        let send_from = content.and_then(|content| content.send_from.as_deref());
        self.mailbox(send_from.unwrap_or_default(), address, name)
    }

    /// The overriding text's `send_from` with its variables filled in, on one line: an address is there only where
    /// the text itself has one.
    #[must_use]
    pub fn send_from(&self) -> Option<String> {
        let send_from = self.content.as_ref()?.send_from.as_deref()?;
        if !has_variable(send_from) {
            return Some(one_line(send_from));
        }
        let sender = self.mailbox(send_from, "", "");
        match sender.address.is_empty() {
            true => Some(sender.name).filter(|name| !name.is_empty()),
            false => Some(sender.to_string()),
        }
    }

    /// Whether the overriding text's `send_from` has variables.
    #[must_use]
    pub fn fills_sender(&self) -> bool {
        let send_from = self
            .content
            .as_ref()
            .and_then(|content| content.send_from.as_deref());
        send_from.is_some_and(has_variable)
    }

    /// Where answers go, where the overriding text says so with an address of its own.
    #[must_use]
    pub fn reply_to(&self) -> Option<String> {
        let reply_to = self.content.as_ref()?.reply_to.as_deref()?;
        let reply_to = match has_variable(reply_to) {
            false => without_controls(reply_to),
            true => {
                let mailbox = self.mailbox(reply_to, "", "");
                match mailbox.address.is_empty() {
                    true => return None,
                    false => mailbox.to_string(),
                }
            }
        };
        Some(reply_to).filter(|text| !text.is_empty())
    }

    /// [`Mailbox::parse`] of a text with variables. It is read first and filled in then, and in the name alone: a
    /// value that stands for an address, or a part of one, leaves the given `address` in its place.
    fn mailbox(&self, template: &str, address: &str, name: &str) -> Mailbox {
        let read = Mailbox::parse(template, address, name);
        if !has_variable(template) {
            return read;
        }
        let own = Mailbox::new(address, name);
        let display = bare(&render_with(&read.name, &self.payload, |value| {
            words(&value)
        }));
        let foreign = has_variable(&read.address);
        Mailbox {
            address: if foreign { own.address } else { read.address },
            name: if display.is_empty() {
                own.name
            } else {
                display
            },
        }
    }
}

fn has_variable(text: &str) -> bool {
    text.contains("{{")
}

/// A value in a display name: what means something in an address, ends a line or hides in it is a space there.
fn words(value: &str) -> String {
    let apart = |c: char| {
        c.is_control()
            || c.is_whitespace()
            || "<>()[]\\,;:\"@＠﹫".contains(c)
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let words = value.split(apart).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The text without control characters, trimmed: what a header takes. They are deleted, where
/// [`one_line`](crate::one_line) puts a space.
#[must_use]
pub fn without_controls(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_ascii_control()).collect();
    text.trim().to_owned()
}

fn bare(text: &str) -> String {
    without_controls(&text.replace(['<', '>'], ""))
}

/// Name and address of `Name <address>`. The address begins at the first `<` behind any other `>`.
fn split(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_suffix('>')?;
    let behind = inner.rfind('>').map_or(0, |at| at + 1);
    let open = behind + inner.get(behind..)?.find('<')?;
    Some((inner.get(..open)?, inner.get(open + 1..)?))
}
