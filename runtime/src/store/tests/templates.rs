//! Templates: replaced in place, all or none, and gone with their tenant.

use serde_json::json;

use super::records::tenant;
use super::*;
use crate::id::TemplateId;
use crate::store::{TEMPLATES_BYTES_MAX, TEMPLATES_MAX};
use crate::template::{
    CONTENT_MAX, Details, LanguageFallback, Languages, Template, TemplateFilter, TemplateKey,
};
use crate::tenant::Tenant;

/// `de/SignIn`, `de/Generic`, …
fn key(text: &str) -> TemplateKey {
    let (language, usage) = text.split_once('/').unwrap();
    TemplateKey {
        language_tag: language.parse().unwrap(),
        usage_type: UsageType::parse(usage).unwrap(),
    }
}

fn text(content: &str) -> Details {
    let fields = json!({ "subject": "S", "content": content, "sendFrom": "Acme" });
    Details::parse(Channel::Email, fields.as_object().unwrap().clone()).unwrap()
}

async fn home() -> Home {
    let home = Home::new().await;
    for id in ["acme", "globex"] {
        let tenant = Tenant {
            id: id.parse().unwrap(),
            egress_pool: None,
            ..tenant()
        };
        home.store.put_tenant(&tenant).await.unwrap();
    }
    home
}

async fn put(store: &Store, keys: &[&str], content: &str) -> Result<Vec<Template>, StoreError> {
    let texts = keys.iter().map(|name| (key(name), text(content)));
    let (acme, texts) = (tenant().id, texts.collect());
    store.put_templates(&acme, Channel::Email, texts, NOW).await
}

async fn all(store: &Store) -> Vec<Template> {
    let (acme, every) = (tenant().id, TemplateFilter::default());
    let templates = store.templates(&acme, Channel::Email, &every);
    templates.await.unwrap()
}

#[tokio::test]
async fn a_template_that_is_put_again_keeps_its_name_and_its_birthday() {
    let home = home().await;
    let (store, acme) = (&home.store, tenant().id);
    let first = put(store, &["en/SignIn", "de/SignIn"], "one")
        .await
        .unwrap();
    let before = store.tenant_generation(&acme);
    let again = vec![(key("de/SignIn"), text("two"))];
    let again = store.put_templates(&acme, Channel::Email, again, later(60));
    let again = again.await.unwrap();
    assert!(
        store.tenant_generation(&acme) > before,
        "who keeps templates looks again"
    );
    assert_eq!((again[0].id, again[0].created_at), (first[1].id, NOW));
    let home = home.after_kill().await;
    let kept = all(&home.store).await;
    assert_eq!(
        kept,
        [again[0].clone(), first[0].clone()],
        "by language tag"
    );
    assert_eq!(kept[0].details, text("two"));
}

#[tokio::test]
async fn templates_belong_to_one_tenant_and_channel() {
    let home = home().await;
    let (store, acme, globex) = (&home.store, tenant().id, "globex".parse().unwrap());
    let id = put(store, &["en/SignIn"], "one").await.unwrap()[0].id;
    for (tenant, channel) in [(&globex, Channel::Email), (&acme, Channel::Sms)] {
        let every = TemplateFilter::default();
        assert_eq!(store.template(tenant, channel, id).await.unwrap(), None);
        assert_eq!(store.template_keys(tenant, channel).await.unwrap(), []);
        let key = key("en/SignIn");
        let details = store.template_details(tenant, channel, &key);
        assert_eq!(details.await.unwrap(), None);
        assert!(!store.delete_template(tenant, channel, id).await.unwrap());
        let edit = store.edit_template(tenant, channel, id, |_| Ok::<_, ()>(text("two")));
        assert_eq!(edit.await.unwrap(), None);
        let deleted = store.delete_templates(tenant, channel, &every);
        assert_eq!(deleted.await.unwrap(), 0);
    }
    assert_eq!(all(store).await[0].details, text("one"));
    let stranger = "stranger".parse().unwrap();
    let texts = vec![(key("en/SignIn"), text("one"))];
    let refused = store.put_templates(&stranger, Channel::Email, texts, NOW);
    assert!(matches!(refused.await, Err(StoreError::Missing(_))));
}

#[tokio::test]
async fn what_does_not_fit_changes_nothing() {
    let home = home().await;
    let store = &home.store;
    let tags: Vec<_> = (0..TEMPLATES_MAX)
        .map(|n| format!("de-x-{n}/SignIn"))
        .collect();
    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
    put(store, &tags, "one").await.unwrap();
    let two = ["de-x-0/SignIn", "en/SignIn"];
    let refused = put(store, &two, "two").await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    let kept = all(store).await;
    assert_eq!(kept.len(), TEMPLATES_MAX);
    assert!(kept.iter().all(|template| template.details == text("one")));
    let many = TEMPLATES_BYTES_MAX / CONTENT_MAX;
    let refused = put(store, &tags[..many], &"x".repeat(CONTENT_MAX)).await;
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
}

#[tokio::test]
async fn a_filter_takes_what_both_its_fields_take() {
    let home = home().await;
    let (store, acme) = (&home.store, tenant().id);
    let keys = ["de/Generic", "de/SignIn", "en/SignIn"];
    put(store, &keys, "one").await.unwrap();
    for (language, usage, expected) in [
        (None, None, 3),
        (Some("de"), None, 2),
        (None, Some(UsageType::SignIn), 2),
        (Some("de"), Some(UsageType::SignIn), 1),
        (Some("DE"), None, 0),
    ] {
        let filter = TemplateFilter {
            language_tag: language.map(|tag| tag.parse().unwrap()),
            usage_type: usage,
        };
        let found = store.templates(&acme, Channel::Email, &filter);
        assert_eq!(found.await.unwrap().len(), expected, "{filter:?}");
    }
    let german = TemplateFilter {
        language_tag: Some("de".parse().unwrap()),
        usage_type: None,
    };
    let deleted = store.delete_templates(&acme, Channel::Email, &german);
    assert_eq!(deleted.await.unwrap(), 2);
    assert_eq!(all(store).await.len(), 1);
}

#[tokio::test]
async fn an_edit_sees_what_is_stored_and_a_refused_one_changes_nothing() {
    let home = home().await;
    let (store, acme) = (&home.store, tenant().id);
    let id = put(store, &["en/SignIn"], "one").await.unwrap()[0].id;
    let edit = store.edit_template(&acme, Channel::Email, id, |details| {
        assert_eq!(*details, text("one"));
        Ok::<_, ()>(text("two"))
    });
    let edited = edit.await.unwrap().unwrap().unwrap();
    let refused = store.edit_template(&acme, Channel::Email, id, |_| Err("no"));
    assert_eq!(refused.await.unwrap(), Some(Err("no")));
    assert_eq!(all(store).await, [edited]);
    let unknown = TemplateId::generate();
    let edit = store.edit_template(&acme, Channel::Email, unknown, |_| Ok::<_, ()>(text("two")));
    assert_eq!(edit.await.unwrap(), None);
}

#[tokio::test]
async fn a_tenants_languages_outlive_a_change_of_its_record_and_end_with_it() {
    let home = home().await;
    let (store, acme) = (&home.store, tenant().id);
    assert_eq!(store.languages(&acme).await.unwrap(), Languages::default());
    let languages = Languages {
        fallback_language: "de".parse().unwrap(),
        language_fallback: LanguageFallback::Parents,
    };
    store.put_languages(&acme, &languages).await.unwrap();
    put(store, &["en/SignIn"], "one").await.unwrap();
    let renamed = Tenant {
        title: "Acme, Inc.".into(),
        egress_pool: None,
        ..tenant()
    };
    store.put_tenant(&renamed).await.unwrap();
    assert_eq!(store.languages(&acme).await.unwrap(), languages);
    assert!(store.delete_tenant(&acme).await.unwrap());
    assert_eq!(all(store).await, []);
    let refused = store.put_languages(&acme, &languages).await;
    assert!(matches!(refused, Err(StoreError::Missing(_))));
}
