//! Placeholders: what a guest holds in place of a secret.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;
use zeroize::Zeroizing;

use super::{SECRETS_MAX, grant_for};
use crate::about::SecretGrant;
use crate::redaction::Finder;
use crate::secret::Secret;

/// Where a placeholder stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A header or a credential: open to every secret.
    Header,
    /// The query of a URL.
    Query,
    /// A body.
    Body,
    /// Key material.
    Signing,
    /// Anywhere else: open to none.
    Elsewhere,
}

/// A secret stands where `describe` did not ask to place it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the secret {setting} may not be placed there: the connector's secret grants do not ask for it"
)]
pub struct PlaceError {
    /// JSON pointer of the secret in the settings.
    pub setting: String,
}

/// Why a placeholder is not filled in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// The secret stands where `describe` did not ask to place it.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The secret was given for other hosts.
    #[error("the secret {setting} was not given for this host")]
    Host {
        /// JSON pointer of the secret in the settings.
        setting: String,
    },
    /// More would come out than may.
    #[error("with its secrets filled in it has more than {most} bytes")]
    TooLong {
        /// Bytes that may come out.
        most: usize,
    },
}

/// An integration's settings, ready to be given to a guest: made once for each revision.
pub struct PreparedSettings {
    /// The JSON text, cut where a placeholder goes; one longer than `secrets`.
    parts: Vec<String>,
    held: Arc<Held>,
}

/// The secrets of one integration, and what gives them away.
struct Held {
    secrets: Vec<(Secret, SecretGrant)>,
    finder: Finder,
}

impl Held {
    fn new(secrets: Vec<(Secret, SecretGrant)>) -> Arc<Self> {
        let finder = Finder::of(secrets.iter().map(|(secret, _)| secret.expose()));
        Arc::new(Self { secrets, finder })
    }
}

impl fmt::Debug for PreparedSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PreparedSettings")
            .field("secrets", &self.held.secrets.len())
            .finish_non_exhaustive()
    }
}

impl PreparedSettings {
    /// Prepares parted settings. `grants` are those of the connector's `describe`. Of more secrets than
    /// [`SettingsSchema::problems`](super::SettingsSchema::problems) lets through, the last stay `null`.
    #[must_use]
    pub fn new<'s>(
        mut settings: Value,
        secrets: impl IntoIterator<Item = (&'s String, &'s Secret)>,
        grants: &[SecretGrant],
    ) -> Self {
        let marker = uuid::Uuid::new_v4().simple().to_string();
        let mut found = Vec::new();
        for (index, (pointer, secret)) in secrets.into_iter().take(SECRETS_MAX).enumerate() {
            if let Some(place) = settings.pointer_mut(pointer) {
                *place = Value::String(format!("{marker}-{index}-"));
                found.push((index, pointer, secret));
            }
        }
        let text = settings.to_string();
        let mut places: Vec<_> = found
            .into_iter()
            .filter_map(|(index, pointer, secret)| {
                let token = format!("{marker}-{index}-");
                text.find(&token)
                    .map(|at| (at, token.len(), secret.clone(), grant_for(grants, pointer)))
            })
            .collect();
        places.sort_by_key(|(at, ..)| *at);
        let (mut parts, mut kept, mut from) = (Vec::new(), Vec::new(), 0);
        for (at, length, secret, grant) in places {
            parts.push(text.get(from..at).unwrap_or_default().to_owned());
            kept.push((secret, grant));
            from = at + length;
        }
        parts.push(text.get(from..).unwrap_or_default().to_owned());
        Self {
            parts,
            held: Held::new(kept),
        }
    }

    /// The settings' text with new placeholders, and the placeholders to fill in later.
    /// `nonce` must be random and new for each call.
    #[must_use]
    pub fn fill(&self, nonce: [u8; 16]) -> (String, Placeholders) {
        let prefix = format!("sbx-{}-", uuid::Uuid::from_bytes(nonce).simple());
        let mut text = String::with_capacity(
            self.parts
                .iter()
                .map(|part| part.len() + prefix.len() + 2)
                .sum(),
        );
        for (index, part) in self.parts.iter().enumerate() {
            text.push_str(part);
            if index < self.held.secrets.len() {
                text.push_str(&prefix);
                text.push_str(&format!("{index:02}"));
            }
        }
        (
            text,
            Placeholders {
                prefix,
                held: Arc::clone(&self.held),
            },
        )
    }
}

/// The placeholders of one call, each `sbx-`, 32 hexadecimal digits, `-` and two digits: the same
/// in JSON, in a form and in a URL.
#[derive(Clone)]
pub struct Placeholders {
    prefix: String,
    held: Arc<Held>,
}

impl fmt::Debug for Placeholders {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Placeholders")
            .field("secrets", &self.held.secrets.len())
            .finish_non_exhaustive()
    }
}

impl Placeholders {
    /// No placeholders: for calls without settings.
    #[must_use]
    pub fn none() -> Self {
        Self {
            prefix: "sbx-none-".to_owned(),
            held: Held::new(Vec::new()),
        }
    }

    /// Fills in every placeholder of `text`, which stands at `place`, each secret passed through `escape`. Whether
    /// the secret at a setting's pointer may go to the host that is dialled, `may_go` says. Stops as soon as more
    /// than `most` bytes come out: a guest writes as many placeholders as it likes.
    ///
    /// # Errors
    /// [`FillError`] for a secret that may not stand there, or not go there, and for a text that is longer than
    /// `most` when its secrets are filled in.
    pub fn fill_in<'t>(
        &self,
        text: &'t str,
        place: Place,
        may_go: impl Fn(&str) -> bool,
        most: usize,
        escape: impl Fn(&str) -> String,
    ) -> Result<Cow<'t, str>, FillError> {
        let within = |length: usize| match length <= most {
            true => Ok(()),
            false => Err(FillError::TooLong { most }),
        };
        if !text.contains(&self.prefix) {
            within(text.len())?;
            return Ok(Cow::Borrowed(text));
        }
        let mut out = String::with_capacity(text.len().min(most) + 64);
        let mut rest = text;
        while let Some(at) = rest.find(&self.prefix) {
            let (before, found) = rest.split_at(at);
            within(out.len().saturating_add(before.len()))?;
            out.push_str(before);
            let after = found.get(self.prefix.len()..).unwrap_or_default();
            let index = after
                .get(..2)
                .and_then(|digits| digits.parse::<usize>().ok());
            match index.and_then(|index| self.held.secrets.get(index)) {
                Some((secret, grant)) => {
                    if !allows(grant, place) {
                        let setting = grant.setting.clone();
                        return Err(PlaceError { setting }.into());
                    }
                    if !may_go(&grant.setting) {
                        let setting = grant.setting.clone();
                        return Err(FillError::Host { setting });
                    }
                    // No escape makes a text shorter.
                    within(out.len().saturating_add(secret.expose().len()))?;
                    let escaped = Zeroizing::new(escape(secret.expose()));
                    within(out.len().saturating_add(escaped.len()))?;
                    out.push_str(&escaped);
                    rest = after.get(2..).unwrap_or_default();
                }
                None => {
                    out.push_str(&self.prefix);
                    rest = after;
                }
            }
        }
        within(out.len().saturating_add(rest.len()))?;
        out.push_str(rest);
        Ok(Cow::Owned(out))
    }

    /// Whether a placeholder may stand in `text`.
    #[must_use]
    pub fn stand_in(&self, text: &str) -> bool {
        text.contains(&self.prefix)
    }

    /// The secret that `text` stands for, to make a key of, and how often that key is derived before it
    /// signs. None where the text is no placeholder, or `describe` did not ask to sign with that secret.
    #[must_use]
    pub fn key_material(&self, text: &str) -> Option<(&Secret, u32)> {
        let index = text.strip_prefix(&self.prefix)?;
        let index = index.parse::<usize>().ok().filter(|_| index.len() == 2)?;
        let (secret, grant) = self.held.secrets.get(index)?;
        allows(grant, Place::Signing).then_some((secret, grant.derivations))
    }

    /// Bytes of the longest form that a secret is repeated in.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.held.finder.longest()
    }

    /// `bytes` with every secret replaced by its placeholder, in whichever form it is repeated: what a guest
    /// may read.
    #[must_use]
    pub fn redact<'b>(&self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        self.redact_within(bytes, usize::MAX).unwrap_or_default()
    }

    /// The same; none where more than `most` bytes would come out, and that is more than there are: a placeholder
    /// is longer than a short secret.
    #[must_use]
    pub fn redact_within<'b>(&self, bytes: &'b [u8], most: usize) -> Option<Cow<'b, [u8]>> {
        let placeholder = |index| format!("{}{index:02}", self.prefix);
        self.held.finder.replace(bytes, most, placeholder)
    }
}

fn allows(grant: &SecretGrant, place: Place) -> bool {
    match place {
        Place::Header => true,
        Place::Query => grant.query,
        Place::Body => grant.body,
        Place::Signing => grant.signing,
        Place::Elsewhere => false,
    }
}
