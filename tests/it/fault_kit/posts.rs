//! The messages that are posted, and what becomes of each: its key says so to the peers.

use serde_json::json;

/// What a provider makes of a message: the last word of its key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Taken.
    Ok,
    /// Refused once, then taken.
    Once,
    /// Refused again and again, each time until later.
    Busy,
    /// Refused for good.
    Bad,
    /// Taken once the test lets go of it.
    Held,
}

/// A message to be posted.
#[derive(Clone, Copy)]
pub struct Post {
    pub tenant: &'static str,
    pub channel: &'static str,
    pub fate: Fate,
    /// How long it lives.
    pub seconds: u64,
    /// Withdrawn as soon as it can be.
    pub cancel: bool,
}

/// An e-mail of ten minutes that is taken.
pub const PLAIN: Post = Post {
    tenant: "acme",
    channel: "email",
    fate: Fate::Ok,
    seconds: 600,
    cancel: false,
};

/// Every kind of message, by turns: with `guild` the operator's e-mail service sends and counts.
pub fn mixed(number: usize) -> Post {
    let guild = Post {
        tenant: "guild",
        ..PLAIN
    };
    let sms = Post {
        channel: "sms",
        ..PLAIN
    };
    let with = |post: Post, fate| Post { fate, ..post };
    let short = |post: Post| Post { seconds: 1, ..post };
    match number % 10 {
        0 => short(PLAIN),
        1 => sms,
        2 => guild,
        3 => with(PLAIN, Fate::Once),
        4 => short(with(PLAIN, Fate::Busy)),
        5 => with(sms, Fate::Once),
        6 => short(with(guild, Fate::Busy)),
        7 => Post {
            cancel: true,
            ..with(PLAIN, Fate::Busy)
        },
        8 => with(PLAIN, Fate::Bad),
        _ => PLAIN,
    }
}

impl Post {
    pub(super) fn key(self, number: usize) -> String {
        let fate = match self.fate {
            Fate::Ok => "ok",
            Fate::Once => "once",
            Fate::Busy => "busy",
            Fate::Bad => "bad",
            Fate::Held => "held",
        };
        format!("nr-{number:06}-{fate}")
    }

    pub(super) fn body(self, key: &str) -> String {
        let to = match self.channel {
            "sms" => "+15550100".to_owned(),
            _ => format!("{key}@example.com"),
        };
        json!({
            "channel": self.channel, "to": to, "type": "SignIn",
            "payload": { "code": key, "locale": "en" }, "expires_in_seconds": self.seconds,
        })
        .to_string()
    }
}

/// The key in a text that a provider got.
pub(super) fn key_in(text: &str) -> Option<String> {
    let keys = text.match_indices("nr-").map(|(at, _)| {
        let key = text[at..].chars();
        key.take_while(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect()
    });
    keys.into_iter().next()
}
