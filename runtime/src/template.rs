//! Templates: a tenant's own texts, one for each channel, language tag and usage type.
//!
//! Shapes and names are those of Logto's custom e-mail templates
//! (<https://openapi.logto.io/operation/operation-replaceemailtemplates>, read 2026-11-21).

use crate::id::{TemplateId, TenantId};
use crate::message::{Channel, UsageType};
use crate::time::Timestamp;

mod details;
mod language;

pub use details::{CONTENT_MAX, Details, EmailText, FieldProblem, LINE_MAX, SmsText};
pub use language::{LanguageFallback, LanguageTag, Languages};

/// What a template is for, within its tenant and channel.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TemplateKey {
    /// The language of its text.
    pub language_tag: LanguageTag,
    /// The messages that it is for.
    pub usage_type: UsageType,
}

/// A stored template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its identifier, which a change of its text keeps.
    pub id: TemplateId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The messages' channel.
    pub channel: Channel,
    /// What it is for.
    pub key: TemplateKey,
    /// Its text, variables not filled in.
    pub details: Details,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Which templates; a filter without a field takes every one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TemplateFilter {
    /// Those of exactly this tag.
    pub language_tag: Option<LanguageTag>,
    /// Those of this usage type.
    pub usage_type: Option<UsageType>,
}
