//! The keys that seal records: one data key for each tenant, wrapped by the host's sealing keys.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use serde::Serialize;
use sqlx::{Connection, Row, SqliteConnection};

use super::data_keys::{HOST, find, find_or_make, owner, part_mac_keys, rewrap_some};
use super::tenants::require_tenant;
use super::{Store, StoreError, before, pools};
use crate::id::TenantId;
use crate::secret::{DataKey, KeyId, KeyRing, MacKey, SealError};
use crate::time::Timestamp;

/// A sealing key as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SealingKeyState {
    /// Its id.
    pub id: KeyId,
    /// Whether it wraps what is wrapped anew.
    pub current: bool,
    /// How many owners' data keys it wraps. An earlier key that wraps none may be removed.
    pub data_keys: u64,
}

/// The keys of an open store.
pub(super) struct Keys {
    ring: RwLock<Arc<KeyRing>>,
    tenants: RwLock<Loaded>,
    host: RwLock<Arc<DataKey>>,
    /// What idempotency keys were made with before there were data keys, and until when one of them matters.
    pub(super) before: Option<(MacKey, Timestamp)>,
    /// Held while the ring changes.
    change: tokio::sync::Mutex<()>,
    /// Held while data keys are renewed.
    pub(super) renewing: tokio::sync::Mutex<()>,
}

/// Data keys in memory.
#[derive(Default)]
struct Loaded {
    keys: HashMap<TenantId, Arc<DataKey>>,
    /// How often a tenant's key was forgotten: what was read before is not kept.
    forgotten: u64,
    /// Tenants that were deleted since the start. One of the same name may have been made since.
    deleted: HashSet<TenantId>,
}

impl Keys {
    pub(super) fn ring(&self) -> Arc<KeyRing> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&ring)
    }

    /// The host's own data key.
    pub(super) fn host(&self) -> Arc<DataKey> {
        let host = self.host.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&host)
    }

    /// The key in memory; else how often one was forgotten by now.
    pub(super) fn known(&self, tenant: &TenantId) -> Result<Arc<DataKey>, u64> {
        let loaded = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        let key = loaded.keys.get(tenant).cloned();
        key.ok_or(loaded.forgotten)
    }

    /// Keeps a key that was read, unless one was forgotten since `seen`: it may be the very one.
    pub(super) fn keep(&self, tenant: &TenantId, key: DataKey, seen: u64) -> Option<Arc<DataKey>> {
        let mut loaded = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        if loaded.forgotten != seen {
            return None;
        }
        // Who came first is kept: both are the same key, and a renewal may have been in between.
        let key = loaded.keys.entry(tenant.clone()).or_insert(Arc::new(key));
        Some(Arc::clone(key))
    }

    /// From now on a tenant's key, or the host's, seals with the generation of `key`. What the one in memory
    /// opened opens on.
    pub(super) fn renewed(&self, tenant: Option<&TenantId>, key: DataKey) -> Arc<DataKey> {
        let Some(tenant) = tenant else {
            let mut host = self.host.write().unwrap_or_else(PoisonError::into_inner);
            *host = Arc::new(key.opening_all_of(&host));
            return Arc::clone(&host);
        };
        let mut loaded = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        let key = match loaded.keys.get(tenant) {
            Some(before) => key.opening_all_of(before),
            None => key,
        };
        let key = Arc::new(key);
        loaded.keys.insert(tenant.clone(), Arc::clone(&key));
        key
    }

    /// Forgets the key of a tenant that is gone.
    pub(super) fn forget(&self, tenant: &TenantId) {
        let mut loaded = self.tenants.write().unwrap_or_else(PoisonError::into_inner);
        loaded.keys.remove(tenant);
        loaded.forgotten += 1;
        loaded.deleted.insert(tenant.clone());
    }

    /// The tenant's key as it stands when a change takes its turn, of which `key` is what was read before. What
    /// waited is sealed with the generation of then, and that may be gone.
    ///
    /// # Errors
    /// [`StoreError::Missing`] where `key` is not the tenant's own any more.
    pub(super) async fn in_turn(
        &self,
        db: &mut SqliteConnection,
        tenant: &TenantId,
        key: &Arc<DataKey>,
    ) -> Result<Arc<DataKey>, StoreError> {
        const SAME: &[&[u8]] = &[b"the same key"];
        let known = self.known(tenant).ok();
        // What is in memory may have been read between a deletion's turn and its commit.
        let own = match known.filter(|_| !self.was_deleted(tenant)) {
            Some(own) if Arc::ptr_eq(&own, key) => return Ok(own),
            Some(own) => Some(own),
            None => {
                let own = find(db, &self.ring(), &owner(tenant.as_str())).await?;
                own.map(Arc::new)
            }
        };
        own.filter(|own| own.mac(SAME) == key.mac(SAME))
            .ok_or_else(|| StoreError::Missing(format!("tenant {tenant}")))
    }

    /// Whether a tenant of that name was deleted since the start.
    pub(super) fn was_deleted(&self, tenant: &TenantId) -> bool {
        let loaded = self.tenants.read().unwrap_or_else(PoisonError::into_inner);
        !loaded.deleted.is_empty() && loaded.deleted.contains(tenant)
    }
}

impl Store {
    /// The key for what the host itself keeps outside the database.
    #[must_use]
    pub fn host_key(&self) -> Arc<DataKey> {
        self.inner.keys.host()
    }

    /// The sealing keys, the current one last.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn sealing_keys(&self) -> Result<Vec<SealingKeyState>, StoreError> {
        let ring = self.inner.keys.ring();
        let query =
            "SELECT wrapped_by, count(DISTINCT owner) AS number FROM data_key GROUP BY wrapped_by";
        let rows = sqlx::query(query).fetch_all(self.readers()).await?;
        let mut numbers = HashMap::new();
        for row in &rows {
            let number: i64 = row.try_get("number")?;
            let number = u64::try_from(number).unwrap_or_default();
            numbers.insert(KeyId::from_stored(row.try_get("wrapped_by")?), number);
        }
        let state = |id: &KeyId| SealingKeyState {
            current: id == ring.current(),
            data_keys: numbers.get(id).copied().unwrap_or_default(),
            id: id.clone(),
        };
        Ok(ring.ids().map(state).collect())
    }

    /// Makes a new sealing key the current one and wraps every data key with it, a few at a time: sends
    /// go on meanwhile. The earlier keys stay until they are removed. After an interruption the next
    /// start, or the next rotation, wraps the rest.
    ///
    /// # Errors
    /// [`StoreError::KeyFile`] where the new key cannot be kept: then nothing has changed.
    pub async fn rotate_sealing_key(&self) -> Result<Vec<SealingKeyState>, StoreError> {
        let keys = &self.inner.keys;
        let changing = keys.change.lock().await;
        // On disk before anything is wrapped with it.
        self.change_ring(KeyRing::rotated).await?;
        loop {
            let ring = keys.ring();
            let some = self
                .writer()
                .write(move |db| Box::pin(async move { rewrap_some(db, &ring).await }))
                .await?;
            if some == 0 {
                break;
            }
        }
        drop(changing);
        self.sealing_keys().await
    }

    /// Removes an earlier sealing key that wraps nothing any more. Answers whether it was there.
    ///
    /// # Errors
    /// [`StoreError::InUse`] for the current key and one that still wraps a data key,
    /// [`StoreError::KeyFile`] where the file cannot be written.
    pub async fn remove_sealing_key(&self, id: &KeyId) -> Result<bool, StoreError> {
        let _changing = self.inner.keys.change.lock().await;
        let Some(key) = self
            .sealing_keys()
            .await?
            .into_iter()
            .find(|key| key.id == *id)
        else {
            return Ok(false);
        };
        let by = match key {
            SealingKeyState { current: true, .. } => Some("whatever is sealed next".to_owned()),
            SealingKeyState { data_keys: 0, .. } => None,
            SealingKeyState { data_keys, .. } => Some(format!("{data_keys} data keys")),
        };
        if let Some(by) = by {
            let what = format!("sealing key {id}");
            return Err(StoreError::InUse { what, by });
        }
        let id = id.clone();
        self.change_ring(move |ring| ring.without(&id)).await?;
        Ok(true)
    }

    /// Replaces the ring by what `change` has written to disk.
    async fn change_ring<F>(&self, change: F) -> Result<(), StoreError>
    where
        F: FnOnce(&KeyRing) -> Result<KeyRing, SealError> + Send + 'static,
    {
        let keys = &self.inner.keys;
        let ring = keys.ring();
        let changed = tokio::task::spawn_blocking(move || change(&ring)).await;
        let changed = changed
            .map_err(StoreError::unavailable)?
            .map_err(|error| StoreError::KeyFile(error.to_string()))?;
        *keys.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(changed);
        Ok(())
    }

    /// The tenant's data key; a new one where it has none yet.
    pub(super) async fn data_key(&self, tenant: &TenantId) -> Result<Arc<DataKey>, StoreError> {
        loop {
            if let Some(key) = self.stored_data_key(tenant).await? {
                return Ok(key);
            }
            let seen = match self.inner.keys.known(tenant) {
                Ok(key) => return Ok(key),
                Err(seen) => seen,
            };
            let key = self.make_data_key(tenant).await?;
            if let Some(key) = self.inner.keys.keep(tenant, key, seen) {
                return Ok(key);
            }
        }
    }

    async fn make_data_key(&self, tenant: &TenantId) -> Result<DataKey, StoreError> {
        let (inner, tenant) = (self.inner.clone(), tenant.clone());
        // Wrapped where rotations take their turn, too: none of them can miss it.
        self.writer()
            .change([], move |db| {
                Box::pin(async move {
                    if inner.keys.was_deleted(&tenant) {
                        require_tenant(db, &tenant).await?;
                    }
                    find_or_make(db, &inner.keys.ring(), &owner(tenant.as_str())).await
                })
            })
            .await
    }

    /// The data key of a tenant whose records are sealed.
    pub(super) async fn key_of(&self, tenant: &TenantId) -> Result<Arc<DataKey>, StoreError> {
        let key = self.stored_data_key(tenant).await?;
        key.ok_or_else(|| StoreError::corrupt("a tenant's data key is gone"))
    }

    /// The tenant's data key, if it has one.
    async fn stored_data_key(&self, tenant: &TenantId) -> Result<Option<Arc<DataKey>>, StoreError> {
        let keys = &self.inner.keys;
        loop {
            let seen = match keys.known(tenant) {
                Ok(key) => return Ok(Some(key)),
                Err(seen) => seen,
            };
            let found = find(self.readers(), &keys.ring(), &owner(tenant.as_str())).await?;
            let Some(key) = found else { return Ok(None) };
            // One that is not kept may lack what a renewal, too, has done since.
            if let Some(key) = keys.keep(tenant, key, seen) {
                return Ok(Some(key));
            }
        }
    }
}

/// Opens the keys of a file, as one change: upgrades the layout that had no data keys, checks that the ring
/// opens all of them, and wraps what an interrupted rotation left.
pub(super) async fn open(db: &mut SqliteConnection, ring: KeyRing) -> Result<Keys, StoreError> {
    let mut transaction = db.begin().await?;
    before::upgrade(&mut transaction, &ring).await?;
    let missing: Vec<String> = sqlx::query_scalar("SELECT DISTINCT wrapped_by FROM data_key")
        .fetch_all(&mut *transaction)
        .await?;
    let held = |id: &String| ring.ids().any(|key| key.as_str() == id);
    if let Some(id) = missing.iter().find(|id| !held(id)) {
        return Err(StoreError::MissingKey(id.clone()));
    }
    part_mac_keys(&mut transaction, &ring, before::OWNER).await?;
    let host = find_or_make(&mut transaction, &ring, HOST).await?;
    pools::bind_passwords(&mut transaction, &host).await?;
    while rewrap_some(&mut transaction, &ring).await? > 0 {}
    let before = before::key(&mut transaction, &ring).await?;
    transaction.commit().await?;
    Ok(Keys {
        ring: RwLock::new(Arc::new(ring)),
        tenants: RwLock::default(),
        host: RwLock::new(Arc::new(host)),
        before,
        change: tokio::sync::Mutex::default(),
        renewing: tokio::sync::Mutex::default(),
    })
}
