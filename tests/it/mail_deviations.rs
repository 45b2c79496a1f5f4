//! The connector `smtp` against a real server that deviates: what cannot be taken is said, in time and in
//! the right kind, and what is taken is as it was asked for.

use mail_parser::MessageParser;
use sendbox::connector::CallReport;
use sendbox::outcome::{FailureKind, Progress};
use sendbox_tests::certificates::Authority;
use sendbox_tests::deviant::Deviant;
use serde_json::{Value, json};

use crate::egress_kit::{HOST, Send, live};
use crate::mail_kit::{Bundled, code_for, mail_host, smtp_settings};

/// A server, and how often a mail is sent to whom.
struct Trial {
    deviations: &'static [&'static str],
    settings: Value,
    to: &'static str,
    sends: usize,
}

impl Trial {
    fn new(deviations: &'static [&'static str]) -> Self {
        Self {
            deviations,
            settings: json!({"requireTLS": true}),
            to: "b@y.test",
            sends: 1,
        }
    }

    /// The report of the last send, and all that the server took.
    async fn run(self, smtp: &Bundled) -> (CallReport, Vec<Value>) {
        let authority = Authority::new();
        let server = Deviant::start(&authority, HOST, self.deviations);
        let egress = live(&mail_host(&[server.port], &authority));
        let send = Send {
            source: Some("127.0.0.7".parse().unwrap()),
            ehlo_name: Some("out.x.test"),
            ..Send::default()
        };
        let mut report = None;
        for _ in 0..self.sends {
            let settings =
                smtp_settings(server.port, "Grüße {{code}}", "{{code}} ä", &self.settings);
            let sent = smtp.send(&send, &egress, settings, code_for(self.to)).await;
            report = Some(sent);
        }
        (report.unwrap(), server.taken())
    }
}

/// One mail, whole, under TLS, from its source under its name.
fn is_as_asked_for(taken: &[Value], to: &str) {
    let [mail] = taken else {
        panic!("{} mails", taken.len());
    };
    assert_eq!(mail["from"], "noreply@x.test");
    assert_eq!(mail["to"], json!([to]));
    let session = (&mail["name"], &mail["peer"], &mail["tls"], &mail["user"]);
    let expected = ("out.x.test", "127.0.0.7", true, "apikey");
    assert_eq!(
        session,
        (
            &expected.0.into(),
            &expected.1.into(),
            &true.into(),
            &expected.3.into()
        )
    );
    let parsed = MessageParser::default().parse(mail["data"].as_str().unwrap());
    let parsed = parsed.expect("a mail");
    assert_eq!(parsed.subject(), Some("Grüße 123456"));
    assert_eq!(parsed.body_text(0).unwrap().trim_end(), "123456 ä");
}

#[tokio::test]
async fn a_server_with_harmless_deviations_gets_the_mail_once() {
    if !Deviant::is_there() {
        return;
    }
    let smtp = Bundled::new("smtp").await;
    let token = json!({"type": "OAuth2", "user": "apikey", "accessToken": "good-token"});
    let trials = [
        Trial::new(&[]),
        Trial::new(&["no-8bitmime"]),
        Trial::new(&["odd-offers"]),
        Trial::new(&["odd-thanks"]),
        Trial {
            settings: json!({"requireTLS": true, "auth": token}),
            ..Trial::new(&[])
        },
        Trial {
            to: "jörg@y.test",
            ..Trial::new(&["smtputf8"])
        },
        // The second try, which the schedule makes.
        Trial {
            sends: 2,
            ..Trial::new(&["greylists"])
        },
    ];
    for trial in trials {
        let (deviations, to) = (trial.deviations, trial.to);
        let (report, taken) = trial.run(&smtp).await;
        assert!(report.result.is_ok(), "{deviations:?}: {:?}", report.result);
        is_as_asked_for(&taken, to);
        let options = taken[0]["options"].to_string();
        assert_eq!(
            options.contains("SMTPUTF8"),
            deviations == ["smtputf8"],
            "{options}"
        );
        assert!(
            deviations != ["no-8bitmime"] || !options.contains("BODY"),
            "{options}"
        );
    }
}

#[tokio::test]
async fn a_server_that_cannot_take_the_mail_gets_nothing_and_the_failure_says_why() {
    use FailureKind::{InvalidSettings, Rejected, Throttled, Unauthorized, Unavailable, Unknown};
    use Progress::{Answered, Complete, Incomplete, NotConnected};
    if !Deviant::is_there() {
        return;
    }
    let smtp = Bundled::new("smtp").await;
    let with = |settings: Value, deviations| Trial {
        settings,
        ..Trial::new(deviations)
    };
    let token = json!({"type": "OAuth2", "user": "apikey", "accessToken": "bad-token"});
    let to_jorg = Trial {
        to: "jörg@y.test",
        ..Trial::new(&[])
    };
    for (trial, kind, words, progress) in [
        (
            Trial::new(&["no-starttls"]),
            Unavailable,
            "STARTTLS",
            NotConnected,
        ),
        // Without a demand for TLS either: credentials do not leave in clear.
        (
            with(json!({}), &["no-starttls", "auth-in-clear"]),
            Unavailable,
            "STARTTLS",
            NotConnected,
        ),
        (
            Trial::new(&["small"]),
            InvalidSettings,
            "SIZE",
            NotConnected,
        ),
        (to_jorg, InvalidSettings, "SMTPUTF8", NotConnected),
        (
            with(json!({"auth": token}), &[]),
            Unauthorized,
            "535",
            NotConnected,
        ),
        (
            Trial::new(&["odd-refusal"]),
            Rejected,
            "5.1.1 no 4.2.2 such user",
            Answered,
        ),
        (
            Trial::new(&["full"]),
            Throttled,
            "452 5.7.999 quota",
            Answered,
        ),
        (
            Trial::new(&["greylists"]),
            Unavailable,
            "451 4.7.1 Greylisted",
            Answered,
        ),
        (
            Trial::new(&["drops-at-data"]),
            Unavailable,
            "no session",
            Incomplete,
        ),
        (
            Trial::new(&["drops-at-dot"]),
            Unknown,
            "before its answer",
            Complete,
        ),
    ] {
        let deviations = trial.deviations;
        let (report, taken) = trial.run(&smtp).await;
        let failure = report.result.expect_err("a failure");
        assert_eq!(failure.kind, kind, "{deviations:?}: {}", failure.message);
        assert!(
            failure.message.contains(words),
            "{deviations:?}: {}",
            failure.message
        );
        assert_eq!(
            report.wire.exchanges[0].progress, progress,
            "{deviations:?}"
        );
        assert_eq!(taken, Vec::<Value>::new(), "{deviations:?}");
    }
}
