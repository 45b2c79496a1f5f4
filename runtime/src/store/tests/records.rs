//! Records: what is put comes back, and what is in use stays.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::*;
use crate::about::{ConnectorInfo, SecretGrant};
use crate::attempt::Transition;
use crate::id::TenantId;
use crate::secret::Secret;
use crate::settings::{Binding, BoundSecret};
use crate::source::{EgressPool, EgressSource, Proxy, ProxyKind, WarmUp, WeightedSource};
use crate::template::Languages;
use crate::tenant::{ApiKey, ConnectorVersion, Integration, IntegrationState, Role, Route, Tenant};

pub(super) fn tenant() -> Tenant {
    Tenant {
        id: "acme".parse().unwrap(),
        title: "Acme".into(),
        egress_pool: Some("main".parse().unwrap()),
        allowed_hosts: Some(vec!["*.example.com".into()]),
        created_at: NOW,
    }
}

pub(super) fn source() -> EgressSource {
    EgressSource {
        name: "first".parse().unwrap(),
        address: "192.0.2.1".parse().unwrap(),
        ehlo_name: Some("out.example.com".into()),
        proxy: Some(Proxy {
            kind: ProxyKind::Socks5,
            address: "10.0.0.5:1080".parse().unwrap(),
            user: Some("sendbox".into()),
            password: Some(Secret::new("hunter2".into())),
        }),
        warm_up: Some(WarmUp {
            began_at: Some(NOW),
            per_day: vec![2, 4],
            per_hour: Vec::new(),
        }),
    }
}

fn pool() -> EgressPool {
    EgressPool {
        name: "main".parse().unwrap(),
        sources: vec![WeightedSource {
            source: source().name,
            weight: 3,
        }],
    }
}

pub(super) fn connector() -> (ConnectorVersion, Vec<u8>) {
    let bytes = b"component".to_vec();
    let version = ConnectorVersion {
        digest: Digest::of(&bytes),
        size: bytes.len() as u64,
        info: ConnectorInfo {
            id: "some-mail".parse().unwrap(),
            channel: Channel::Email,
            version: "1.0.0".into(),
            titles: vec![("en".into(), "Some mail".into())],
            descriptions: Vec::new(),
            settings_schema: json!({"type": "object", "properties": {"z": {}, "a": {}}}),
            hosts: vec!["api.example.com".into()],
            secret_grants: Vec::new(),
            readme: String::new(),
        },
        uploaded_at: NOW,
    };
    (version, bytes)
}

fn bound(secret: &str) -> BoundSecret {
    let bound_to = Binding {
        connector: connector().0.info.id,
        hosts: BTreeSet::from(["api.example.com".to_owned()]),
        grant: SecretGrant {
            setting: "/a/token".to_owned(),
            body: true,
            ..SecretGrant::default()
        },
    };
    let secret = Secret::new(secret.to_owned());
    BoundSecret { secret, bound_to }
}

pub(super) fn integration() -> Integration {
    Integration {
        id: "mail".parse().unwrap(),
        tenant: tenant().id,
        connector: connector().0.info.id,
        digest: connector().0.digest,
        state: IntegrationState::Active,
        settings: json!({"z": 1, "a": {"from": "x@example.com"}}),
        secrets: BTreeMap::from([("/a/token".to_owned(), bound("hunter2"))]),
        earlier_secrets: BTreeMap::from([("/a/token".to_owned(), bound("hunter1"))]),
        egress_pool: Some(pool().name),
        revision: 0,
        updated_at: NOW,
    }
}

fn route() -> Route {
    Route {
        channel: Channel::Email,
        integrations: vec![integration().id],
    }
}

pub(super) async fn put_all(store: &Store) {
    let (version, bytes) = connector();
    store.put_source(&source(), 0).await.unwrap();
    store.put_pool(&pool()).await.unwrap();
    store.put_tenant(&tenant()).await.unwrap();
    store.put_connector(&version, &bytes).await.unwrap();
    store.put_integration(&integration()).await.unwrap();
    store.put_route(&tenant().id, &route()).await.unwrap();
}

#[tokio::test]
async fn what_is_put_comes_back() {
    let home = Home::new().await;
    put_all(&home.store).await;
    let home = home.after_kill().await;
    let (store, acme, (version, bytes)) = (&home.store, tenant().id, connector());
    assert_eq!(store.source(&source().name).await.unwrap(), Some(source()));
    assert_eq!(store.sources().await.unwrap(), [source()]);
    assert_eq!(store.pool(&pool().name).await.unwrap(), Some(pool()));
    assert_eq!(store.pools().await.unwrap(), [pool()]);
    assert_eq!(store.tenant(&acme).await.unwrap(), Some(tenant()));
    assert_eq!(store.tenants(None, 9).await.unwrap(), [tenant()]);
    assert_eq!(
        store.connector(version.digest).await.unwrap().as_ref(),
        Some(&version)
    );
    assert_eq!(store.component(version.digest).await.unwrap(), Some(bytes));
    assert_eq!(store.connectors(None, 9).await.unwrap(), [version]);
    // The source had the first.
    let saved = Integration {
        revision: 2,
        ..integration()
    };
    let found = store.integration(&acme, &saved.id).await.unwrap().unwrap();
    assert_eq!(
        found.settings.to_string(),
        saved.settings.to_string(),
        "keys in their order"
    );
    assert_eq!(found, saved);
    assert_eq!(store.integrations(&acme).await.unwrap(), [saved]);
    assert_eq!(
        store.route(&acme, Channel::Email).await.unwrap(),
        Some(route())
    );
    assert_eq!(store.route(&acme, Channel::Sms).await.unwrap(), None);
    let other = "other".parse().unwrap();
    assert!(
        store
            .integration(&other, &integration().id)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_revision_never_comes_back() {
    let home = Home::new().await;
    put_all(&home.store).await;
    let generation = home.store.tenant_generation(&tenant().id);
    let seen = |revision| Integration {
        revision,
        ..integration()
    };
    let changed = |result: Result<Integration, StoreError>| {
        assert!(matches!(result, Err(StoreError::Changed(_))), "{result:?}");
    };
    let second = home.store.put_integration(&seen(2)).await.unwrap();
    assert_eq!(second.revision, 3);
    // Whoever read it before, or took it for new, writes over nothing.
    changed(home.store.put_integration(&seen(2)).await);
    changed(home.store.put_integration(&seen(0)).await);
    assert!(home.store.tenant_generation(&tenant().id) > generation);
    home.store
        .delete_route(&tenant().id, Channel::Email)
        .await
        .unwrap();
    assert!(
        home.store
            .delete_integration(&tenant().id, &integration().id)
            .await
            .unwrap()
    );
    assert!(
        !home
            .store
            .delete_integration(&tenant().id, &integration().id)
            .await
            .unwrap()
    );
    changed(home.store.put_integration(&seen(3)).await);
    let again = home.store.put_integration(&seen(0)).await.unwrap();
    assert_eq!(again.revision, 4);
}

#[tokio::test]
async fn a_source_is_written_by_whoever_saw_it_last() {
    let home = Home::new().await;
    let put = async |seen| home.store.put_source(&source(), seen).await;
    put(0).await.unwrap();
    assert!(matches!(put(0).await, Err(StoreError::Changed(_))));
    let read = home.store.source_with_revision(&source().name).await;
    let (found, revision) = read.unwrap().unwrap();
    assert_eq!(found, source());
    put(revision).await.unwrap();
    assert!(matches!(put(revision).await, Err(StoreError::Changed(_))));
    home.store.delete_source(&source().name).await.unwrap();
    assert!(matches!(
        put(revision + 1).await,
        Err(StoreError::Changed(_))
    ));
}

#[tokio::test]
async fn what_is_in_use_is_not_deleted() {
    let home = Home::new().await;
    put_all(&home.store).await;
    let (store, acme, digest) = (&home.store, tenant().id, connector().0.digest);
    let in_use = |result: Result<bool, StoreError>, user: &str| match result {
        Err(StoreError::InUse { by, .. }) => assert_eq!(by, user),
        other => panic!("{other:?}"),
    };
    in_use(
        store.delete_source(&source().name).await,
        "egress pool main",
    );
    in_use(store.delete_pool(&pool().name).await, "tenant acme");
    in_use(
        store.delete_connector(digest).await,
        "integration acme/mail",
    );
    in_use(
        store.delete_integration(&acme, &integration().id).await,
        "the route for email",
    );
    in_use(store.delete_tenant(&acme).await, "integration mail");

    assert!(store.delete_route(&acme, Channel::Email).await.unwrap());
    assert!(
        store
            .delete_integration(&acme, &integration().id)
            .await
            .unwrap()
    );
    assert!(store.delete_connector(digest).await.unwrap());
    assert_eq!(store.component(digest).await.unwrap(), None);
    let claim = claimed(store, &message("acme")).await;
    in_use(
        store.delete_tenant(&acme).await,
        "a message that is not finished",
    );
    store
        .record(&claim, &accepted(&claim, NOW), &Transition::Sent)
        .await
        .unwrap();
    assert!(store.delete_tenant(&acme).await.unwrap());
    assert!(
        store
            .message(&acme, claim.message.id)
            .await
            .unwrap()
            .is_none()
    );
    assert!(store.attempts(claim.message.id).await.unwrap().is_empty());
    assert!(store.delete_pool(&pool().name).await.unwrap());
    assert!(store.delete_source(&source().name).await.unwrap());
}

#[tokio::test]
async fn a_record_refers_only_to_what_exists() {
    let home = Home::new().await;
    let store = &home.store;
    let missing = |error: StoreError| match error {
        StoreError::Missing(what) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        missing(store.put_pool(&pool()).await.unwrap_err()),
        "egress source first"
    );
    assert_eq!(
        missing(store.put_tenant(&tenant()).await.unwrap_err()),
        "egress pool main"
    );
    assert_eq!(
        missing(store.put_integration(&integration()).await.unwrap_err()),
        "tenant acme"
    );
    let plain = Tenant {
        egress_pool: None,
        ..tenant()
    };
    store.put_tenant(&plain).await.unwrap();
    let error = store.put_route(&plain.id, &route()).await.unwrap_err();
    assert_eq!(missing(error), "integration mail");
    let direct = Integration {
        egress_pool: None,
        ..integration()
    };
    let error = store.put_integration(&direct).await.unwrap_err();
    assert!(missing(error).starts_with("connector version "));
}

#[tokio::test]
async fn a_component_is_stored_once_and_checked_when_read() {
    let home = Home::new().await;
    let (version, bytes) = connector();
    assert!(home.store.put_connector(&version, &bytes).await.unwrap());
    assert!(!home.store.put_connector(&version, &bytes).await.unwrap());
    let mut next = version.clone();
    (next.digest, next.uploaded_at) = (Digest::of(b"next"), later(1));
    home.store.put_connector(&next, b"next").await.unwrap();
    let versions = home
        .store
        .connector_versions(&version.info.id)
        .await
        .unwrap();
    assert_eq!(versions, [next.clone(), version], "the latest first");
    let mut wrong = next;
    wrong.digest = Digest::of(b"other");
    home.store.put_connector(&wrong, b"not it").await.unwrap();
    assert!(matches!(
        home.store.component(wrong.digest).await,
        Err(StoreError::Corrupt(_))
    ));
}

#[tokio::test]
async fn a_key_is_found_by_its_public_part_and_ends_for_its_tenant_only() {
    let home = Home::new().await;
    home.store
        .put_tenant(&Tenant {
            egress_pool: None,
            ..tenant()
        })
        .await
        .unwrap();
    let acme = tenant().id;
    let key = ApiKey {
        id: "0123456789abcdef".into(),
        role: Role::Sender,
        tenant: Some(acme.clone()),
        title: "ci".into(),
        hash: [7; 32],
        created_at: NOW,
        revoked_at: None,
    };
    let operator = ApiKey {
        id: "fedcba9876543210".into(),
        role: Role::Operator,
        tenant: None,
        hash: [8; 32],
        ..key.clone()
    };
    home.store.put_api_key(&key).await.unwrap();
    home.store.put_api_key(&operator).await.unwrap();
    assert_eq!(
        home.store.api_key(&operator.id).await.unwrap().as_deref(),
        Some(&operator)
    );
    assert_eq!(
        home.store.api_keys(Some(&acme)).await.unwrap(),
        std::slice::from_ref(&key)
    );
    assert!(
        !home
            .store
            .revoke_api_key(Some(&"other".parse().unwrap()), &key.id, NOW)
            .await
            .unwrap()
    );
    assert!(
        home.store
            .revoke_api_key(Some(&acme), &key.id, later(1))
            .await
            .unwrap()
    );
    assert!(
        !home
            .store
            .revoke_api_key(Some(&acme), &key.id, later(2))
            .await
            .unwrap()
    );
    let found = home.store.api_key(&key.id).await.unwrap().unwrap();
    assert_eq!(found.revoked_at, Some(later(1)));
}

#[tokio::test]
async fn a_generation_grows_with_what_changed_a_row_of_its_own() {
    let home = Home::new().await;
    let store = &home.store;
    put_all(store).await;
    let (acme, other): (TenantId, TenantId) = (tenant().id, "other".parse().unwrap());
    store
        .put_tenant(&Tenant {
            id: other.clone(),
            ..tenant()
        })
        .await
        .unwrap();
    let now = || {
        let tenants = [&acme, &other].map(|tenant| store.tenant_generation(tenant));
        (tenants[0], tenants[1], store.shared_generation())
    };
    let (first, second, shared) = now();
    // What is not there, what is refused: nothing changed.
    assert!(!store.delete_route(&other, Channel::Sms).await.unwrap());
    let missing = "nothing".parse().unwrap();
    assert!(!store.delete_integration(&other, &missing).await.unwrap());
    let in_use = store.delete_integration(&acme, &integration().id).await;
    assert!(
        matches!(in_use, Err(StoreError::InUse { .. })),
        "{in_use:?}"
    );
    let refused = store.put_route(&other, &route()).await;
    assert!(
        matches!(refused, Err(StoreError::Missing(_))),
        "{refused:?}"
    );
    assert!(!store.delete_email_service().await.unwrap());
    assert_eq!(now(), (first, second, shared));
    store
        .put_languages(&other, &Languages::default())
        .await
        .unwrap();
    assert_eq!(now(), (first, second + 1, shared));
    assert!(store.delete_route(&acme, Channel::Email).await.unwrap());
    assert_eq!(now(), (first + 1, second + 1, shared));
    store.put_source(&source(), 1).await.unwrap();
    assert_eq!(now(), (first + 1, second + 1, shared + 1));
    assert!(store.delete_tenant(&other).await.unwrap());
    assert!(
        store.tenant_generation(&other) > second + 1,
        "a new one of its name starts anew"
    );
}
