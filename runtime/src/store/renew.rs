//! Renewal of data keys: a new generation seals from now on, what earlier ones sealed is sealed anew, a few rows
//! in a turn, and then the earlier ones go. Each step stands for itself: what was interrupted goes on with the next
//! renewal.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::{Row, SqliteConnection};

use super::data_keys::{begin, date_some, drop_earlier, find, stands, undated};
use super::{Store, StoreError, bound, pools, row};
use crate::fault;
use crate::id::TenantId;
use crate::secret::DataKey;
use crate::time::Timestamp;

/// Data keys that are listed at once.
const LOOK: i64 = 100;
/// Records that one turn seals anew: sends take their turn in between.
const AT_ONCE: usize = 50;

/// A data key as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DataKeyState {
    /// Whose it is: `host`, or `tenant/` and its name.
    pub owner: String,
    /// The generation that seals; 1 was never renewed.
    pub generation: i64,
    /// When that was made; none where nobody knows.
    pub made_at: Option<Timestamp>,
    /// How many earlier generations are still needed.
    pub earlier: u64,
}

/// What a renewal has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Renewed {
    /// Data keys whose earlier generations are gone.
    pub data_keys: u64,
    /// Records that were sealed anew.
    pub records: u64,
    /// Data keys that still need an earlier generation: a record does not open, and the log names it.
    pub unfinished: u64,
}

/// One data key on its way to its newest generation.
#[derive(Clone)]
struct Renewal {
    owner: Arc<str>,
    /// None: the host's.
    tenant: Option<TenantId>,
    key: Arc<DataKey>,
}

/// A record that holds something sealed.
#[derive(Clone, Debug)]
enum Sealed {
    Source(String),
    Integration(String),
    Message(Vec<u8>),
}

impl Store {
    /// Some data keys by owner, from the one after `cursor` on.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn data_keys(
        &self,
        cursor: Option<&str>,
        limit: usize,
    ) -> Result<Vec<DataKeyState>, StoreError> {
        // SQLite takes the other columns from the row that has the maximum.
        sqlx::query(
            "SELECT owner, max(generation) AS generation, made_at, count(*) - 1 AS earlier FROM data_key \
             WHERE purpose = 'seal' AND owner > ? GROUP BY owner ORDER BY owner LIMIT ?",
        )
        .bind(cursor.unwrap_or_default().to_owned())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.readers())
        .await?
        .iter()
        .map(|row| {
            let made_at: Option<i64> = row.try_get("made_at")?;
            Ok(DataKeyState {
                owner: row.try_get("owner")?,
                generation: row.try_get("generation")?,
                made_at: made_at.filter(|at| *at > 0).map(Timestamp::from_millis),
                earlier: row.try_get("earlier")?,
            })
        })
        .collect()
    }

    /// Renews the data keys that are at least as old as `age`, and goes on with what was interrupted.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]: the rest is for the next renewal.
    pub async fn renew_data_keys(
        &self,
        now: Timestamp,
        age: Duration,
    ) -> Result<Renewed, StoreError> {
        let _one = self.inner.keys.renewing.lock().await;
        while undated(self.readers()).await? {
            let dated = self.writer().write(move |db| Box::pin(date_some(db, now)));
            dated.await?;
        }
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let latest = now.as_millis().saturating_sub(age);
        let (mut after, mut renewed) = (String::new(), Renewed::default());
        loop {
            let owners: Vec<String> = sqlx::query_scalar(
                "SELECT owner FROM data_key WHERE purpose = 'seal' AND owner > ? GROUP BY owner \
                 HAVING max(made_at) <= ? OR count(*) > 1 ORDER BY owner LIMIT ?",
            )
            .bind(after.clone())
            .bind(latest)
            .bind(LOOK)
            .fetch_all(self.readers())
            .await?;
            let Some(last) = owners.last() else {
                return Ok(renewed);
            };
            after.clone_from(last);
            for owner in owners {
                self.renew(owner, now, latest, &mut renewed).await?;
            }
        }
    }

    /// Renews one data key; nothing where its owner is gone.
    async fn renew(
        &self,
        owner: String,
        now: Timestamp,
        latest: i64,
        renewed: &mut Renewed,
    ) -> Result<(), StoreError> {
        let owner: Arc<str> = owner.into();
        let (inner, name) = (Arc::clone(&self.inner), Arc::clone(&owner));
        // On disk before anything is sealed with it.
        let begun = self.writer().change([], move |db| {
            Box::pin(async move { begin(db, &inner.keys.ring(), &name, now, latest).await })
        });
        let Some(generation) = begun.await? else {
            return Ok(());
        };
        fault::pass("renew.begun");
        let Some(renewal) = self.seal_with(owner, generation).await? else {
            return Ok(());
        };
        renewed.records += self.seal_anew(&renewal).await?;
        // From that turn on these only grow fewer.
        if !self.sealed_before(&renewal).await?.is_empty() {
            renewed.unfinished += 1;
            return Ok(());
        }
        let name = Arc::clone(&renewal.owner);
        let dropped = self.writer().write(move |db| {
            Box::pin(async move {
                let dropped = drop_earlier(db, &name, generation).await;
                fault::pass("renew.written");
                dropped
            })
        });
        dropped.await?;
        fault::pass("renew.committed");
        renewed.data_keys += 1;
        Ok(())
    }

    /// From this turn on nothing is sealed with an earlier generation. In memory they stay: who has read a row
    /// before it was sealed anew opens it.
    async fn seal_with(
        &self,
        owner: Arc<str>,
        generation: i64,
    ) -> Result<Option<Renewal>, StoreError> {
        let tenant = owner.strip_prefix("tenant/").map(str::parse).transpose();
        let tenant: Option<TenantId> = tenant.map_err(StoreError::corrupt)?;
        let (inner, of, name) = (Arc::clone(&self.inner), tenant.clone(), Arc::clone(&owner));
        let key = self.writer().write(move |db| {
            Box::pin(async move {
                let found = find(db, &inner.keys.ring(), &name).await?;
                // Another generation is of another tenant that has the name by now.
                let found = found.filter(|key| key.generation() == generation);
                Ok(found.map(|key| inner.keys.renewed(of.as_ref(), key)))
            })
        });
        let key = key.await?;
        Ok(key.map(|key| Renewal { owner, tenant, key }))
    }

    /// What earlier generations sealed.
    async fn sealed_before(&self, renewal: &Renewal) -> Result<Vec<Sealed>, StoreError> {
        let generation = renewal.key.generation();
        let Some(tenant) = &renewal.tenant else {
            let sources = "SELECT name FROM egress_source WHERE key_generation < ?";
            let names = sqlx::query_scalar(sources).bind(generation);
            let names: Vec<String> = names.fetch_all(self.readers()).await?;
            return Ok(names.into_iter().map(Sealed::Source).collect());
        };
        let integrations = "SELECT id FROM integration WHERE tenant = ? AND key_generation < ?";
        let names: Vec<String> = sqlx::query_scalar(integrations)
            .bind(tenant.to_string())
            .bind(generation)
            .fetch_all(self.readers())
            .await?;
        let messages = "SELECT id FROM message INDEXED BY message_due \
             WHERE tenant = ? AND due_at IS NOT NULL AND key_generation < ?";
        let ids: Vec<Vec<u8>> = sqlx::query_scalar(messages)
            .bind(tenant.to_string())
            .bind(generation)
            .fetch_all(self.readers())
            .await?;
        let names = names.into_iter().map(Sealed::Integration);
        Ok(names.chain(ids.into_iter().map(Sealed::Message)).collect())
    }

    /// Seals anew what earlier generations sealed. Answers how many records there were.
    async fn seal_anew(&self, renewal: &Renewal) -> Result<u64, StoreError> {
        let (records, mut sealed) = (self.sealed_before(renewal).await?, 0);
        for some in records.chunks(AT_ONCE) {
            let (some, renewal) = (some.to_vec(), renewal.clone());
            let turn = self.writer().change([], move |db| {
                Box::pin(async move {
                    let sealed = seal_some(db, &renewal, &some).await;
                    fault::pass("reseal.written");
                    sealed
                })
            });
            sealed += turn.await?;
            fault::pass("reseal.committed");
        }
        Ok(sealed)
    }
}

async fn seal_some(
    db: &mut SqliteConnection,
    renewal: &Renewal,
    records: &[Sealed],
) -> Result<u64, StoreError> {
    let (key, mut sealed) = (&renewal.key, 0);
    // A tenant of the same name that was made since has other keys.
    if !stands(db, &renewal.owner, key.generation()).await? {
        return Ok(0);
    }
    let tenant = renewal.tenant.as_ref().map_or("", TenantId::as_str);
    for record in records {
        let done = match record {
            Sealed::Source(name) => pools::seal_anew(db, key, name).await,
            Sealed::Integration(id) => bound::seal_anew(db, key, tenant, id).await,
            Sealed::Message(id) => row::seal_anew(db, key, tenant, id).await,
        };
        match done {
            Ok(done) => sealed += u64::from(done),
            // It opens with no key that there is; its own calls find that out, too.
            Err(error @ StoreError::Corrupt(_)) => {
                tracing::error!(%error, owner = &*renewal.owner, ?record, "a record is not sealed anew, and an earlier key stays");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(sealed)
}
