//! Whom a message is for: checked for its channel, masked for every eye that need not know.

use super::{Channel, MessageError};

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
    fn a_masked_recipient_keeps_too_little_to_send_to() {
        assert_eq!(mask("foo@logto.io"), "f…@logto.io");
        assert_eq!(mask("14155552671"), "…2671");
        assert_eq!(mask("12345"), "…45");
    }
}
