//! An integration's secrets as their row holds them: sealed with what each was given for, and for that row alone.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use aws_lc_rs::digest::SHA256;
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, SqliteConnection};
use zeroize::Zeroizing;

use super::{StoreError, row};
use crate::about::SecretGrant;
use crate::id::{ConnectorId, Digest, IntegrationId, TenantId};
use crate::secret::{DataKey, Secret};
use crate::settings::{Binding, BoundSecret};

/// Where the layout before bound secrets said that an integration's secrets belong.
pub(super) fn unbound_place(tenant: &TenantId, id: &IntegrationId) -> String {
    format!("tenant/{tenant}/integration/{id}")
}

/// What an integration's secrets are sealed for: this row as it stands, and no other.
pub(super) struct Row<'r> {
    pub(super) tenant: &'r TenantId,
    pub(super) id: &'r IntegrationId,
    pub(super) digest: Digest,
    pub(super) settings: &'r str,
    pub(super) revision: i64,
}

impl Row<'_> {
    /// Where the secrets belong.
    pub(super) fn place(&self) -> String {
        let name = unbound_place(self.tenant, self.id);
        let mut place = format!("{name}/{}/{}/", self.revision, self.digest);
        let settings = aws_lc_rs::digest::digest(&SHA256, self.settings.as_bytes());
        for byte in settings.as_ref() {
            let _ = write!(place, "{byte:02x}");
        }
        place
    }
}

/// Where the secrets of an integration's row belong.
pub(super) fn place_of(row: &SqliteRow) -> Result<String, StoreError> {
    let (tenant, id) = (row::parsed(row, "tenant")?, row::parsed(row, "id")?);
    if !row.try_get::<bool, _>("bound")? {
        return Ok(unbound_place(&tenant, &id));
    }
    let row = Row {
        tenant: &tenant,
        id: &id,
        digest: digest(row)?,
        settings: row.try_get("settings")?,
        revision: row.try_get("revision")?,
    };
    Ok(row.place())
}

/// The component of an integration's row.
pub(super) fn digest(row: &SqliteRow) -> Result<Digest, StoreError> {
    let digest: &[u8] = row.try_get("digest")?;
    Ok(Digest::from_bytes(
        digest.try_into().map_err(StoreError::corrupt)?,
    ))
}

/// Where those before the last rotation belong.
pub(super) fn earlier(place: &str) -> String {
    format!("{place}/earlier")
}

/// A secret as it is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed<'s> {
    secret: Cow<'s, str>,
    bound_to: Cow<'s, Binding>,
}

/// Seals secrets with what they were given for.
pub(super) fn seal(
    key: &DataKey,
    place: &str,
    secrets: &BTreeMap<String, BoundSecret>,
) -> Result<Vec<u8>, StoreError> {
    let plain: BTreeMap<&str, Sealed<'_>> = secrets
        .iter()
        .map(|(pointer, bound)| {
            let secret = Cow::Borrowed(bound.secret.expose());
            let bound_to = Cow::Borrowed(&bound.bound_to);
            (pointer.as_str(), Sealed { secret, bound_to })
        })
        .collect();
    let plain = Zeroizing::new(serde_json::to_vec(&plain)?);
    Ok(key.seal(place, &plain)?)
}

/// Seals the secrets of an integration anew that an earlier generation of `key` sealed: its revision stays, and
/// with it the place. Answers whether one had.
pub(super) async fn seal_anew(
    db: &mut SqliteConnection,
    key: &DataKey,
    tenant: &str,
    id: &str,
) -> Result<bool, StoreError> {
    let row =
        sqlx::query("SELECT * FROM integration WHERE tenant = ? AND id = ? AND key_generation < ?")
            .bind(tenant.to_owned())
            .bind(id.to_owned())
            .bind(key.generation())
            .fetch_optional(&mut *db)
            .await?;
    let Some(row) = row else { return Ok(false) };
    let place = place_of(&row)?;
    let replaced: Option<&[u8]> = row.try_get("earlier_secrets")?;
    let replaced = replaced.map(|sealed| key.seal_anew(&earlier(&place), sealed));
    sqlx::query(
        "UPDATE integration SET secrets = ?, earlier_secrets = ?, key_generation = ? \
         WHERE tenant = ? AND id = ?",
    )
    .bind(key.seal_anew(&place, row.try_get("secrets")?)?)
    .bind(replaced.transpose()?)
    .bind(key.generation())
    .bind(tenant.to_owned())
    .bind(id.to_owned())
    .execute(db)
    .await?;
    Ok(true)
}

/// Opens what [`seal`] made.
pub(super) fn open(
    key: &DataKey,
    place: &str,
    sealed: &[u8],
) -> Result<BTreeMap<String, BoundSecret>, StoreError> {
    let plain = key.open(place, sealed)?;
    let secrets: BTreeMap<String, Sealed<'_>> = serde_json::from_slice(&plain)?;
    let bound = |(pointer, sealed): (String, Sealed<'_>)| {
        let secret = Secret::new(sealed.secret.into_owned());
        let bound_to = sealed.bound_to.into_owned();
        (pointer, BoundSecret { secret, bound_to })
    };
    Ok(secrets.into_iter().map(bound).collect())
}

/// Opens secrets of the layout before: what they were given for is not known, so they go nowhere.
pub(super) fn open_unbound(
    key: &DataKey,
    place: &str,
    sealed: &[u8],
    connector: &ConnectorId,
) -> Result<BTreeMap<String, BoundSecret>, StoreError> {
    let plain = key.open(place, sealed)?;
    let secrets: BTreeMap<String, String> = serde_json::from_slice(&plain)?;
    let bound = |(pointer, text)| {
        let bound_to = Binding {
            connector: connector.clone(),
            hosts: BTreeSet::new(),
            grant: SecretGrant::default(),
        };
        let secret = Secret::new(text);
        (pointer, BoundSecret { secret, bound_to })
    };
    Ok(secrets.into_iter().map(bound).collect())
}
