//! Senders, as the peer's connector kit reads and writes them: `Name <address>`, never quoted.

use std::fmt;

use crate::message::Message;

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
        Mailbox::parse(&self.render(send_from.unwrap_or_default()), address, name)
    }

    /// Where answers go, where the overriding text says so.
    #[must_use]
    pub fn reply_to(&self) -> Option<String> {
        let reply_to = self.content.as_ref()?.reply_to.as_deref()?;
        Some(without_controls(&self.render(reply_to))).filter(|text| !text.is_empty())
    }
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
