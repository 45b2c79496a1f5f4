//! An upload, and what the server does meanwhile.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::time::MissedTickBehavior;

use super::client::Client;
use super::output;
use crate::id::Digest;

/// How often the server is asked.
const EVERY: Duration = Duration::from_secs(2);

/// Uploads a component, and tells on standard error how far its compilation is.
pub(super) async fn upload(client: &Client, bytes: Bytes) -> anyhow::Result<Value> {
    let digest = Digest::of(&bytes).to_string();
    let upload = client.component("/v1/connectors", bytes.to_vec());
    let mut upload = std::pin::pin!(upload);
    let mut turn = tokio::time::interval(EVERY);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    turn.tick().await;
    loop {
        tokio::select! {
            answer = &mut upload => return answer,
            _ = turn.tick() => {}
        }
        // Whether or not it is answered: the upload itself tells what is wrong.
        if let Ok(answer) = client.call("GET", "/v1/compilations", None).await
            && let Some(words) = words(&answer, &digest)
        {
            output::note(&words);
        }
    }
}

/// Where the compilation of `digest` stands, if it is in the server's answer.
fn words(answer: &Value, digest: &str) -> Option<String> {
    let all = answer.get("data")?.as_array()?;
    let place = all
        .iter()
        .position(|one| one.get("digest").and_then(Value::as_str) == Some(digest))?;
    let own = all.get(place)?;
    if own.get("state")? == "waiting" {
        return Some(format!("waiting for {place} other compilations"));
    }
    let seconds = |name: &str| {
        let millis = own.get(name)?.as_u64()?;
        Some(millis / 1_000)
    };
    Some(match (seconds("cpu_ms"), seconds("cpu_most_ms")) {
        (Some(cpu), Some(most)) => format!("compiling: {cpu} s of CPU, of at most {most}"),
        _ => format!("compiling for {} s", seconds("elapsed_ms")?),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::words;

    #[test]
    fn a_compilation_is_told_by_its_place_and_then_by_its_cpu() {
        let answer = json!({ "data": [
            { "digest": "sha256:a", "state": "compiling", "elapsed_ms": 9_000, "cpu_ms": 7_900, "cpu_most_ms": 60_000 },
            { "digest": "sha256:b", "state": "waiting", "elapsed_ms": 4_000, "cpu_ms": null, "cpu_most_ms": null },
        ]});
        let told = |digest| words(&answer, digest);
        assert_eq!(
            told("sha256:a").unwrap(),
            "compiling: 7 s of CPU, of at most 60"
        );
        assert_eq!(
            told("sha256:b").unwrap(),
            "waiting for 1 other compilations"
        );
        assert_eq!(told("sha256:c"), None);
    }
}
