//! Which template serves a message: usage types, and the fallback to `Generic`.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use crate::failure::Failure;

/// The usage types that every template list must serve, as the peer's connectors demand.
pub const REQUIRED: [&str; 4] = ["Register", "SignIn", "ForgotPassword", "Generic"];

/// The usage types that there are.
pub const ALL: [&str; 9] = [
    "SignIn",
    "Register",
    "ForgotPassword",
    "OrganizationInvitation",
    "Generic",
    "UserPermissionValidation",
    "BindNewIdentifier",
    "MfaVerification",
    "BindMfa",
];

/// The usage type that stands in for every one without a template of its own.
pub const GENERIC: &str = "Generic";

/// One entry of a template list.
pub trait Template {
    /// One of the nine usage types; other values are kept and never chosen.
    fn usage_type(&self) -> &str;
}

/// A template list that serves at least the [`REQUIRED`] usage types: reading another one fails.
pub struct Templates<T>(Vec<T>);

impl<T: Template> Templates<T> {
    /// The first template for the usage type, else the first for [`GENERIC`].
    ///
    /// # Errors
    /// `template-not-found` where there is neither.
    pub fn choose(&self, usage_type: &str) -> Result<&T, Failure> {
        choose(&self.0, usage_type).ok_or_else(|| Failure::template_not_found(usage_type))
    }

    /// The first template for exactly this usage type, for the peers that do not fall back to
    /// [`GENERIC`].
    ///
    /// # Errors
    /// `template-not-found` where there is none.
    pub fn choose_exact(&self, usage_type: &str) -> Result<&T, Failure> {
        let mut templates = self.0.iter();
        templates
            .find(|template| template.usage_type() == usage_type)
            .ok_or_else(|| Failure::template_not_found(usage_type))
    }
}

impl<'de, T: Template + Deserialize<'de>> Deserialize<'de> for Templates<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let templates = Vec::<T>::deserialize(deserializer)?;
        let missing = Missing(
            REQUIRED
                .into_iter()
                .filter(|required| !templates.iter().any(|t| t.usage_type() == *required))
                .collect(),
        );
        if missing.0.is_empty() {
            Ok(Self(templates))
        } else {
            Err(D::Error::custom(missing))
        }
    }
}

/// Reads a template list whose usage types must all be of [`ALL`], as some of the peer's connectors
/// demand: for `#[serde(deserialize_with)]`.
///
/// # Errors
/// Where a usage type is another one, and where [`Templates`] cannot be read.
pub fn known<'de, T, D>(deserializer: D) -> Result<Templates<T>, D::Error>
where
    T: Template + Deserialize<'de>,
    D: Deserializer<'de>,
{
    let templates = Templates::<T>::deserialize(deserializer)?;
    if templates.0.iter().all(|t| ALL.contains(&t.usage_type())) {
        Ok(templates)
    } else {
        Err(D::Error::custom("an unknown usage type"))
    }
}

/// The first entry for the usage type, else the first for [`GENERIC`].
pub fn choose<'a, T: Template>(templates: &'a [T], usage_type: &str) -> Option<&'a T> {
    let first = |wanted: &str| templates.iter().find(|t| t.usage_type() == wanted);
    first(usage_type).or_else(|| first(GENERIC))
}

/// An entry of a template list that names a template of the provider's.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CodeTemplate {
    /// What the message is for.
    pub usage_type: String,
    /// The provider's name for the template.
    pub template_code: String,
}

impl Template for CodeTemplate {
    fn usage_type(&self) -> &str {
        &self.usage_type
    }
}

struct Missing(Vec<&'static str>);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no template for {}", self.0.join(", "))
    }
}
