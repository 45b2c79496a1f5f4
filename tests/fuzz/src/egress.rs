//! A guest's request and a provider's response, over the way out with everything but its sockets.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use percent_encoding::percent_decode_str;
use sendbox::about::SecretGrant;
use sendbox::egress::{
    Answer, Author, Capture, CapturedRequest, Ceiling, Credential, EgressConfig, EgressError,
    EgressPolicy, EgressScope, HostPattern, HttpRequest, HttpResponse, Transport,
};
use sendbox::limits::Limits;
use sendbox::secret::Secret;
use sendbox::settings::{Placeholders, PreparedSettings};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;
use url::{Host, Url};

use crate::fields::Fields;
use crate::words::{Canary, one_line};

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().enable_time().build().unwrap();
}

/// The operator opens every name and every port, and no address by its number.
static CEILING: LazyLock<Arc<Ceiling>> = LazyLock::new(|| {
    let config = json!({
        "allowed_hosts": ["*"],
        "plaintext_hosts": ["*"],
        "ports": ["1-65535"],
        "special_names": ["test"],
    });
    let config: EgressConfig = serde_json::from_value(config).unwrap();
    Arc::new(Ceiling::new(&config).unwrap())
});

/// Headers that the host alone writes.
const OWN: [&str; 4] = ["host", "accept-encoding", "user-agent", "content-length"];

pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.with(|runtime| runtime.block_on(future))
}

/// The way out of one send whose connector asks for the host of `url`.
pub(crate) fn scope(
    url: &str,
    capture: &Arc<Capture>,
    placeholders: &Placeholders,
) -> Option<EgressScope> {
    let hosts = ["{settings:/url}".to_owned()];
    let policy = EgressPolicy::new(&CEILING, None, &hosts, &json!({ "url": url })).ok()?;
    Some(EgressScope::new(
        Transport::Capture(Arc::clone(capture)),
        "acme".parse().unwrap(),
        "mail".parse().unwrap(),
        1,
        None,
        Arc::new(policy),
        placeholders.clone(),
        Arc::new(Limits::default()),
        Instant::now() + Duration::from_secs(15),
        None,
    ))
}

/// A placeholder of `secret` that may go everywhere, and what fills it in.
pub(crate) fn placeholder(secret: &str) -> (String, Placeholders) {
    let grant = SecretGrant {
        setting: "/key".to_owned(),
        query: true,
        body: true,
        signing: true,
        derivations: 0,
    };
    let secrets = BTreeMap::from([("/key".to_owned(), Secret::new(secret.to_owned()))]);
    let prepared = PreparedSettings::new(json!({ "key": null }), &secrets, &[grant]);
    let (text, placeholders) = prepared.fill([0xa7; 16]);
    let settings: Value = serde_json::from_str(&text).unwrap();
    (settings["key"].as_str().unwrap().to_owned(), placeholders)
}

/// Holds a request and its response to what is promised of them. `{K}` is a secret: in a response, in all its forms.
pub fn check(data: &[u8]) {
    let mut fields = Fields::of(data);
    let secret = fields.text();
    let (key, placeholders) = placeholder(&secret);
    let url = fields.text();
    let with = |text: String| text.replace("{K}", &key);
    let request = HttpRequest {
        url: with(url.clone()),
        method: fields.text(),
        headers: fields
            .pairs()
            .into_iter()
            .map(|(n, v)| (with(n), with(v)))
            .collect(),
        credential: credential(fields.choice(), with(fields.text()), with(fields.text())),
        body: with(fields.text()).into(),
        timeout: None,
    };
    let canary = Canary::new(&secret);
    let forms = [secret.as_bytes()]
        .into_iter()
        .chain(canary.forms().iter().map(Vec::as_slice));
    let forms = forms.collect::<Vec<_>>().join(&b'|');
    let echoed = |text: String| text.replace("{K}", &String::from_utf8_lossy(&forms));
    let headers = fields.pairs().into_iter();
    let answer = Answer::Response {
        status: 200,
        headers: headers
            .map(|(name, value)| (name.replace("{K}", &secret), echoed(value)))
            .collect(),
        body: echoed(fields.text()).into(),
    };
    pattern(&url);
    let capture = Arc::new(Capture::new(vec![answer]));
    let Some(scope) = scope(&url, &capture, &placeholders) else {
        return;
    };
    let result = block_on(scope.http(request.clone()));
    match capture.requests().as_slice() {
        [] => refused(&result),
        [sent] => left(&request, sent),
        more => panic!("{} requests", more.len()),
    }
    if let Ok(response) = result {
        answered(&response, &canary, &key);
    }
}

fn credential(choice: u8, first: String, second: String) -> Credential {
    match choice & 3 {
        0 => Credential::None,
        1 => Credential::Basic(first, second),
        2 => Credential::Bearer(first),
        _ => Credential::Header(first, second),
    }
}

/// A pattern that is accepted is the same when it is read again, and no tenant's opens a private address.
fn pattern(text: &str) {
    for author in [Author::Operator, Author::Tenant, Author::Connector] {
        match HostPattern::parse(text, author) {
            Ok(pattern) => {
                let again = HostPattern::parse(&pattern.to_string(), author);
                assert_eq!(again.as_ref(), Ok(&pattern), "{text:?}");
            }
            Err(error) => one_line(&error.to_string()),
        }
    }
}

fn refused(result: &Result<HttpResponse, EgressError>) {
    let error = result.as_ref().unwrap_err();
    one_line(&error.to_string());
    let stopped = matches!(
        error,
        EgressError::Denied { .. } | EgressError::Invalid(_) | EgressError::Limit { .. }
    );
    assert!(stopped, "{error:?}");
}

/// What left is one request to the one host that a browser would read in the guest's URL.
fn left(request: &HttpRequest, sent: &CapturedRequest) {
    let read = Url::parse(&sent.url).expect("a URL that left is one");
    assert!(matches!(read.host(), Some(Host::Domain(_))), "{}", sent.url);
    assert_eq!(read.as_str(), Url::parse(read.as_str()).unwrap().as_str());
    let asked = request.url.split('?').next().unwrap_or_default();
    let asked = Url::parse(asked).expect("a URL that was accepted is one");
    // The dot at a name's end says that it is whole, which each name here is.
    let host = asked.host_str().map(|h| h.strip_suffix('.').unwrap_or(h));
    assert_eq!(
        (asked.scheme(), host, asked.port(), asked.path()),
        (read.scheme(), read.host_str(), read.port(), read.path()),
        "{} for {}",
        sent.url,
        request.url
    );
    assert!(asked.username().is_empty() && asked.password().is_none());
    let path = sent
        .url
        .splitn(4, '/')
        .nth(3)
        .unwrap()
        .split('?')
        .next()
        .unwrap();
    assert_eq!(
        decoded(read.path().trim_start_matches('/')),
        decoded(path),
        "{}",
        sent.url
    );
    headers(request, sent, &read);
}

/// No header says another host or length than the host's, and none ends its line.
fn headers(request: &HttpRequest, sent: &CapturedRequest, read: &Url) {
    let named = |name: &str| {
        sent.headers
            .iter()
            .filter(|(own, _)| own == name)
            .map(|(_, v)| v.as_str())
            .collect::<Vec<_>>()
    };
    let authority = read.port().map_or(String::new(), |port| format!(":{port}"));
    assert_eq!(
        named("host"),
        [format!("{}{authority}", read.host_str().unwrap())]
    );
    assert_eq!(named("accept-encoding"), ["identity"]);
    assert!(!named("user-agent").is_empty());
    for length in named("content-length") {
        assert_eq!(length, sent.body.len().to_string());
    }
    assert!(sent.body.is_empty() || named("content-length").len() == 1);
    for hop in [
        "transfer-encoding",
        "connection",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "keep-alive",
        "proxy-authorization",
    ] {
        assert!(named(hop).is_empty(), "{hop}");
    }
    for (name, value) in &sent.headers {
        assert!(
            !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_graphic() && byte != b':'),
            "{name:?}"
        );
        assert!(!value.contains(['\r', '\n', '\0']), "{value:?}");
        let asked = request
            .headers
            .iter()
            .any(|(own, _)| own.eq_ignore_ascii_case(name));
        let own = OWN.contains(&name.as_str()) || request.credential != Credential::None;
        assert!(asked || own, "{name} comes from nowhere");
    }
}

/// Bytes of a path: browsers encode more of them than others do.
fn decoded(path: &str) -> Vec<u8> {
    percent_decode_str(path).collect()
}

/// What a guest reads holds no secret.
fn answered(response: &HttpResponse, canary: &Canary, key: &str) {
    let mark = key.as_bytes();
    canary.is_not_in(&response.body, mark);
    for (name, value) in &response.headers {
        canary.is_not_in(name.as_bytes(), mark);
        canary.is_not_in(value.as_bytes(), mark);
    }
}
