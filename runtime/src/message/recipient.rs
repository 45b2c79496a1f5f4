//! Whom a message is for: checked for its channel, masked for every eye that need not know.

use super::{Channel, MessageError};
use crate::about::is_invisible;

/// An e-mail address or phone number, checked for its channel.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Recipient(String);

impl Recipient {
    /// Checks a recipient. An e-mail address has one mailbox and at most 254 bytes (RFC 5321); a phone
    /// number has 3 to 20 digits, with `+`, blanks, dots, hyphens and parentheses between.
    ///
    /// # Errors
    /// Says what was expected, without the text.
    pub fn parse(channel: Channel, text: &str) -> Result<Self, MessageError> {
        if text.chars().any(char::is_control) {
            return Err(MessageError::new(
                "to",
                "must not contain control characters",
            ));
        }
        if text.contains(unseen) {
            return Err(MessageError::new(
                "to",
                "must not contain invisible characters, or such as turn the direction of writing",
            ));
        }
        match channel {
            Channel::Email => check_mailbox(text)?,
            Channel::Sms => check_phone(text)?,
        }
        Ok(Self(text.to_owned()))
    }

    /// The recipient whole: only for the connector and the store.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whom the text means, however it is spelled: what limits, idempotency keys and redaction go by, and no
    /// connector. Of a mailbox the domain in lower case as DNS has it, and a local part that is quoted without need
    /// bare; of a phone number its digits (E.164), without an international prefix.
    #[must_use]
    pub fn canonical(&self) -> String {
        canonical(&self.0)
    }

    /// The recipient for eyes that need not know it: `f…@logto.io`, `…2671`.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(&self.0)
    }
}

impl std::fmt::Debug for Recipient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.masked())
    }
}

/// A recipient for eyes that need not know it.
pub(crate) fn mask(text: &str) -> String {
    match text.rsplit_once('@') {
        Some((local, domain)) => format!("{}…@{domain}", local.chars().take(1).collect::<String>()),
        None => {
            let digits = text.chars().count();
            let tail: String = text
                .chars()
                .skip(digits.saturating_sub(if digits > 8 { 4 } else { 2 }))
                .collect();
            format!("…{tail}")
        }
    }
}

/// What a recipient means, however it is spelled.
pub(crate) fn canonical(text: &str) -> String {
    match text.trim().rsplit_once('@') {
        Some((local, domain)) => {
            let domain = idna::domain_to_ascii(domain).unwrap_or_else(|_| domain.to_lowercase());
            format!("{}@{domain}", bare(local))
        }
        None => digits(text),
    }
}

/// A quoted local part without its quotation marks, where it needs none (RFC 5321, 4.1.2: both are the same mailbox).
fn bare(local: &str) -> String {
    let quoted = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(quoted) = quoted else {
        return local.to_owned();
    };
    let mut text = String::with_capacity(quoted.len());
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    let atom =
        |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let atoms = text
        .split('.')
        .all(|part| !part.is_empty() && part.chars().all(atom));
    if atoms { text } else { local.to_owned() }
}

fn digits(text: &str) -> String {
    // People write the zero of the trunk in between: +49 (0)151.
    let international = text.trim_start().starts_with(['+', '0']);
    let text = match international {
        true => text.replacen("(0)", "", 1),
        false => text.to_owned(),
    };
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    match digits.strip_prefix("00") {
        Some(rest) if !text.trim_start().starts_with('+') => rest.to_owned(),
        _ => digits,
    }
}

/// What nobody sees in an address, and what stands for a character that was lost.
fn unseen(c: char) -> bool {
    is_invisible(c) || c == char::REPLACEMENT_CHARACTER
}

fn check_mailbox(text: &str) -> Result<(), MessageError> {
    let wrong = |problem: &str| Err(MessageError::new("to", problem));
    if text.len() > 254 {
        return wrong("must be an e-mail address of at most 254 bytes");
    }
    let Some((local, domain)) = text.rsplit_once('@') else {
        return wrong("must be an e-mail address, such as name@example.com");
    };
    let quoted = local.len() >= 2 && local.starts_with('"') && local.ends_with('"');
    let special = |c: char| c.is_whitespace() || "<>(),;:[]\\\"@".contains(c);
    if local.is_empty() || local.len() > 64 || (!quoted && local.contains(special)) {
        return wrong(
            "must be one e-mail address, such as name@example.com, without a display name",
        );
    }
    if domain.is_empty()
        || domain.starts_with('.')
        || domain.ends_with('.')
        || domain.contains(special)
    {
        return wrong("must be an e-mail address with a domain, such as name@example.com");
    }
    Ok(())
}

fn check_phone(text: &str) -> Result<(), MessageError> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let allowed = text
        .char_indices()
        .all(|(at, c)| c.is_ascii_digit() || " .-()".contains(c) || (c == '+' && at == 0));
    if allowed && (3..=20).contains(&digits) && text.len() <= 32 {
        Ok(())
    } else {
        Err(MessageError::new(
            "to",
            "must be a phone number of 3 to 20 digits, such as 14155552671",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_checked_for_their_channel() {
        for good in [
            "foo@logto.io",
            "\"a b\"@example.com",
            "jörg@exämple.com",
            "A.B+c@X.org",
        ] {
            assert!(Recipient::parse(Channel::Email, good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "foo",
            "@x.org",
            "a@",
            "a@b\r\nBcc: c@d",
            "a@b,c@d",
            "Foo <a@b.c>",
            "a b@c.d",
            "a\u{0}@b.c",
            "a\u{202e}@b.c",
            "a\u{200b}@b.c",
            "\u{2067}a@b.c",
            "a@b\u{2069}.c",
            "a@b.c\u{feff}",
            "a\u{ad}@b.c",
            "a\u{85}@b.c",
            "\"a\u{200d}b\"@b.c",
            "a\u{fffd}@b.c",
            "a\u{e0041}@b.c",
            "a@b.c\u{fe0f}",
        ] {
            assert!(Recipient::parse(Channel::Email, bad).is_err(), "{bad}");
        }
        for good in ["14155552671", "+49 151 12345678", "(415) 555-2671"] {
            assert!(Recipient::parse(Channel::Sms, good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "12",
            "1415555+2671",
            "abc",
            "1415\n5552671",
            "123456789012345678901",
        ] {
            assert!(Recipient::parse(Channel::Sms, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_recipient_has_one_canonical_form_and_two_have_two() {
        let same = [
            vec![
                "4915112345678",
                "+49 151 12345678",
                "0049-151-12345678",
                "+49 (0)151 12345678",
                " (49) 151.12345678",
            ],
            vec![
                "ann@example.com",
                "ann@EXAMPLE.com",
                "\"ann\"@example.com",
                "\"a\\nn\"@Example.Com",
            ],
            vec![
                "ann@b\u{fc}cher.example",
                "ann@xn--bcher-kva.example",
                "ann@B\u{dc}CHER.example",
            ],
            vec!["Ann@example.com"],
            vec!["\"a b\"@example.com"],
            vec!["015112345678"],
        ];
        let mut seen = std::collections::BTreeSet::new();
        for spellings in same {
            let forms: std::collections::BTreeSet<_> =
                spellings.iter().map(|text| canonical(text)).collect();
            assert_eq!(forms.len(), 1, "{spellings:?}: {forms:?}");
            assert!(seen.insert(forms), "{spellings:?}");
        }
    }

    #[test]
    fn a_masked_recipient_keeps_too_little_to_send_to() {
        assert_eq!(mask("foo@logto.io"), "f…@logto.io");
        assert_eq!(mask("14155552671"), "…2671");
        assert_eq!(mask("12345"), "…45");
    }
}
