//! What a tenant is told of a relay that is lent to it: that there is one, and no name or address of it.

use crate::connector::CallReport;
use crate::outcome::{Exchange, Failure, Receipt};

/// What stands in a record in place of the relay's authority, and in words in place of its names.
const RELAY: &str = "[relay]";

/// Takes the relay's names and addresses out of a report.
pub(super) fn make(report: &mut CallReport) {
    let mut names = Vec::new();
    for exchange in &mut report.wire.exchanges {
        take_names(exchange, &mut names);
    }
    // The longest first: a host is a part of its authority.
    names.sort_by_key(|name: &String| std::cmp::Reverse(name.len()));
    names.dedup();
    let said = |text: String| without(&text, &names);
    match &mut report.result {
        Ok(Receipt {
            provider_message_id,
            detail,
        }) => {
            *provider_message_id = provider_message_id.take().map(said);
            *detail = detail.take().map(said);
        }
        Err(Failure { code, message, .. }) => {
            *code = code.take().map(said);
            *message = said(std::mem::take(message));
        }
    }
}

fn take_names(exchange: &mut Exchange, names: &mut Vec<String>) {
    let authority = std::mem::replace(&mut exchange.authority, RELAY.to_owned());
    if let Some((host, _)) = authority.rsplit_once(':') {
        names.push(host.trim_matches(['[', ']']).to_owned());
    }
    names.push(authority);
    if let Some(peer) = exchange.peer.take() {
        tracing::debug!(%peer, "a lent integration's relay");
        names.push(peer.ip().to_string());
    }
    names.retain(|name| !name.is_empty());
}

/// `text` without the names, whatever their case.
fn without(text: &str, names: &[String]) -> String {
    let mut out = text.to_owned();
    for name in names {
        let (name, lower) = (name.to_ascii_lowercase(), out.to_ascii_lowercase());
        let places: Vec<_> = lower.match_indices(&name).map(|(at, _)| at).collect();
        for at in places.into_iter().rev() {
            out.replace_range(at..at + name.len(), RELAY);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_in_any_case_and_the_longest_first() {
        let names = ["mx.relay.test:587", "mx.relay.test", "192.0.2.9"].map(str::to_owned);
        assert_eq!(
            without(
                "by MX.Relay.test:587 (mx.relay.test [192.0.2.9]) ok",
                &names
            ),
            "by [relay] ([relay] [[relay]]) ok"
        );
        assert_eq!(without("250 ok", &names), "250 ok");
        // A name may be a part of what stands for it.
        assert_eq!(without("by Relay", &["relay".to_owned()]), "by [relay]");
    }
}
