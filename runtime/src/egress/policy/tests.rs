//! The name layer's lists, settings in patterns, and what only the operator opens.

use serde_json::json;

use super::*;

fn policy(
    config: EgressConfig,
    tenant: Option<&[&str]>,
    connector: &[&str],
    settings: &Value,
) -> EgressPolicy {
    let owned = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
    let tenant = tenant.map(owned);
    let ceiling = Arc::new(Ceiling::new(&config).unwrap());
    EgressPolicy::new(&ceiling, tenant.as_deref(), &owned(connector), settings).unwrap()
}

fn check(policy: &EgressPolicy, url: &str) -> Result<(), &'static str> {
    policy.check(&Target::parse(url).unwrap())
}

#[test]
fn each_list_only_narrows() {
    let config = EgressConfig {
        allowed_hosts: vec!["*.example.com".into()],
        ..EgressConfig::default()
    };
    let policy = policy(
        config,
        Some(&["a.example.com", "b.example.com", "c.example.org"]),
        &["a.example.com", "d.example.com", "c.example.org"],
        &json!({}),
    );
    assert_eq!(check(&policy, "https://a.example.com/"), Ok(()));
    assert_eq!(
        check(&policy, "https://b.example.com/"),
        Err("host.not-asked-by-connector")
    );
    assert_eq!(
        check(&policy, "https://d.example.com/"),
        Err("host.not-allowed-by-tenant")
    );
    assert_eq!(
        check(&policy, "https://c.example.org/"),
        Err("host.not-allowed-by-operator")
    );
    assert_eq!(
        check(&policy, "https://a.example.com:465/"),
        Err("port.mail")
    );
    assert_eq!(
        check(&policy, "https://a.example.com:8443/"),
        Err("port.not-allowed")
    );
}

#[test]
fn a_connector_asks_for_the_host_of_a_setting() {
    let settings = json!({"endpoint": "https://Hooks.example.com/x?y={{z}}", "host": "mail.example.org", "port": 8443, "region": "eu-1", "empty": ""});
    let config = EgressConfig {
        ports: vec![PortRange::one(443), PortRange::one(8443)],
        ..EgressConfig::default()
    };
    let policy = policy(
        config,
        None,
        &[
            "{settings:/endpoint}",
            "{settings:/host}:{settings:/port}",
            "api.{settings:/region}.example.net",
            "{settings:/empty}",
            "{settings:/missing}",
        ],
        &settings,
    );
    assert_eq!(check(&policy, "https://hooks.example.com/other"), Ok(()));
    assert_eq!(
        check(&policy, "https://hooks.example.com:8443/"),
        Err("host.not-asked-by-connector")
    );
    assert_eq!(check(&policy, "https://mail.example.org:8443/"), Ok(()));
    assert_eq!(check(&policy, "https://api.eu-1.example.net/"), Ok(()));
    assert_eq!(
        check(&policy, "https://api.us-1.example.net/"),
        Err("host.not-asked-by-connector")
    );
}

#[test]
fn a_setting_widens_no_pattern() {
    let ceiling = Arc::new(Ceiling::new(&EgressConfig::default()).unwrap());
    for (pattern, value) in [
        ("api.{settings:/r}.example.net", "evil.example/"),
        ("{settings:/r}", "*"),
        ("{settings:/r}", "*.example.net"),
        ("{settings:/r}.example.net", "*"),
        ("{settings:/r}", "https://u@h.example/"),
        ("{settings:/r", "x"),
    ] {
        let result = EgressPolicy::new(&ceiling, None, &[pattern.to_owned()], &json!({"r": value}));
        assert!(result.is_err(), "{pattern} {value}");
    }
}

#[test]
fn plaintext_special_names_and_literals_are_the_operators_to_open() {
    let closed = policy(
        EgressConfig::default(),
        None,
        &["localhost", "127.0.0.1", "a.example.com"],
        &json!({}),
    );
    assert_eq!(
        check(&closed, "https://localhost/"),
        Err("host.single-label")
    );
    assert_eq!(
        check(&closed, "https://127.0.0.1/"),
        Err("host.address-literal")
    );
    assert_eq!(
        check(&closed, "http://a.example.com/"),
        Err("scheme.plaintext")
    );
    let open = EgressConfig {
        plaintext_hosts: vec![
            "localhost:8025".into(),
            "127.0.0.0/8".into(),
            "a.example.com".into(),
        ],
        special_names: vec!["localhost".into()],
        allow_addresses: vec!["127.0.0.0/8".parse().unwrap()],
        ..EgressConfig::default()
    };
    let open = policy(
        open,
        None,
        &["localhost", "127.0.0.1", "a.example.com"],
        &json!({}),
    );
    assert_eq!(check(&open, "http://localhost:8025/"), Ok(()));
    assert_eq!(
        check(&open, "http://localhost:8026/"),
        Err("scheme.plaintext")
    );
    assert_eq!(check(&open, "http://127.0.0.1/"), Ok(()));
    assert_eq!(
        check(&open, "http://127.0.0.1:8025/"),
        Err("port.not-allowed")
    );
    assert_eq!(check(&open, "http://a.example.com/"), Ok(()));
}
