//! The contract's own imports.

use sendbox_guest::sign::{Algorithm, Key};
use sendbox_guest::wasm::sendbox::connector::http::{Credential, Request, send};
use sendbox_guest::wasm::sendbox::connector::log::{Level, log};
use sendbox_guest::wasm::sendbox::connector::smtp::{
    Auth, Envelope, Login, Security, Server, submit,
};

use crate::component::{Call, MOST};

const URL: &str = "https://echo.example.com/";
/// Bytes that a record of texts takes beside them: there are no more of them in a call than fit by that.
const PAIR: usize = 64;

pub(crate) const CALLS: &[Call] = &[
    ("sendbox:connector/log log one line", |_| {
        log(Level::Info, &"x".repeat(MOST))
    }),
    ("sendbox:connector/log log blank lines", |_| {
        log(Level::Info, &"\n".repeat(MOST))
    }),
    ("sendbox:connector/log log short lines", |_| {
        log(Level::Info, &"x\n".repeat(MOST / 2))
    }),
    ("sendbox:connector/log log control characters", |_| {
        log(Level::Info, &"\u{1}".repeat(MOST))
    }),
    ("sendbox:connector/log log the recipient", |_| {
        log(Level::Info, &"14155552671 ".repeat(MOST / 12));
    }),
    ("sendbox:connector/http send a long method", |_| {
        http(Request {
            method: "G".repeat(MOST),
            ..get()
        })
    }),
    ("sendbox:connector/http send a long url", |_| {
        http(Request {
            url: long(URL, MOST),
            ..get()
        })
    }),
    (
        "sendbox:connector/http send a url of placeholders",
        |secret| {
            http(Request {
                url: format!("{URL}?{}", fill(secret)),
                ..get()
            });
        },
    ),
    ("sendbox:connector/http send many headers", |_| {
        let headers = vec![("a".to_owned(), String::new()); MOST / PAIR];
        http(Request { headers, ..get() });
    }),
    ("sendbox:connector/http send a long header", |_| {
        http(Request {
            headers: vec![("a".into(), "x".repeat(MOST))],
            ..get()
        });
    }),
    (
        "sendbox:connector/http send a long name of a header",
        |_| {
            http(Request {
                headers: vec![("x".repeat(MOST), "x".into())],
                ..get()
            });
        },
    ),
    (
        "sendbox:connector/http send a header of placeholders",
        |secret| {
            http(Request {
                headers: vec![("a".into(), fill(secret))],
                ..get()
            });
        },
    ),
    (
        "sendbox:connector/http send a hundred headers of placeholders",
        |secret| {
            let value = secret.repeat(400);
            http(Request {
                headers: vec![("a".into(), value); 100],
                ..get()
            });
        },
    ),
    (
        "sendbox:connector/http send a bearer of placeholders",
        |secret| {
            http(Request {
                credential: Credential::Bearer(fill(secret)),
                ..get()
            });
        },
    ),
    (
        "sendbox:connector/http send basic of placeholders",
        |secret| {
            let half = secret.repeat(MOST / 2 / secret.len());
            http(Request {
                credential: Credential::Basic((half.clone(), half)),
                ..get()
            });
        },
    ),
    (
        "sendbox:connector/http send an own header of placeholders",
        |secret| {
            http(Request {
                credential: Credential::Header(("a".into(), fill(secret))),
                ..get()
            });
        },
    ),
    ("sendbox:connector/http send a large body", |_| {
        http(Request {
            body: vec![b'x'; MOST],
            ..post("text/plain")
        })
    }),
    (
        "sendbox:connector/http send a body of placeholders",
        |secret| {
            http(Request {
                body: fill(secret).into(),
                ..post("text/plain")
            });
        },
    ),
    (
        "sendbox:connector/http send json of placeholders",
        |secret| {
            http(Request {
                body: fill(secret).into(),
                ..post("application/json")
            });
        },
    ),
    (
        "sendbox:connector/http send a form of placeholders",
        |secret| {
            http(Request {
                body: fill(secret).into(),
                ..post("application/x-www-form-urlencoded")
            });
        },
    ),
    (
        "sendbox:connector/http send a body of half placeholders",
        |secret| {
            let half = secret.split_at(secret.len() - 2).0;
            http(Request {
                body: half.repeat(MOST / half.len()).into(),
                ..post("text/plain")
            });
        },
    ),
    ("sendbox:connector/smtp submit a long host", |_| {
        smtp(
            Server {
                host: "a".repeat(MOST),
                ..server(Auth::None)
            },
            vec![recipient()],
            vec![],
        );
    }),
    ("sendbox:connector/smtp submit a host of dots", |_| {
        smtp(
            Server {
                host: "a.".repeat(MOST / 2),
                ..server(Auth::None)
            },
            vec![recipient()],
            vec![],
        );
    }),
    ("sendbox:connector/smtp submit a long name for TLS", |_| {
        let server_name = Some("a.".repeat(MOST / 2));
        smtp(
            Server {
                server_name,
                ..server(Auth::None)
            },
            vec![recipient()],
            vec![],
        );
    }),
    ("sendbox:connector/smtp submit a long name for EHLO", |_| {
        let name = Some("a.".repeat(MOST / 2));
        smtp(
            Server {
                name,
                ..server(Auth::None)
            },
            vec![recipient()],
            vec![],
        );
    }),
    ("sendbox:connector/smtp submit a long local address", |_| {
        let local_address = Some("1".repeat(MOST));
        smtp(
            Server {
                local_address,
                ..server(Auth::None)
            },
            vec![recipient()],
            vec![],
        );
    }),
    (
        "sendbox:connector/smtp submit a login of placeholders",
        |secret| {
            let half = secret.repeat(MOST / 2 / secret.len());
            let login = Login {
                user: half.clone(),
                password: half,
                mechanism: None,
            };
            smtp(server(Auth::Login(login)), vec![recipient()], vec![]);
        },
    ),
    (
        "sendbox:connector/smtp submit a token of placeholders",
        |secret| {
            smtp(
                server(Auth::Oauth2(("user".into(), fill(secret)))),
                vec![recipient()],
                vec![],
            );
        },
    ),
    ("sendbox:connector/smtp submit a long mechanism", |_| {
        let mechanism = Some("A".repeat(MOST));
        let login = Login {
            user: "user".into(),
            password: "password".into(),
            mechanism,
        };
        smtp(server(Auth::Login(login)), vec![recipient()], vec![]);
    }),
    ("sendbox:connector/smtp submit many recipients", |_| {
        smtp(server(Auth::None), vec![recipient(); MOST / PAIR], vec![]);
    }),
    ("sendbox:connector/smtp submit a long recipient", |_| {
        smtp(
            server(Auth::None),
            vec![format!("{}@example.com", "a".repeat(MOST))],
            vec![],
        );
    }),
    ("sendbox:connector/smtp submit dots", |_| {
        smtp(
            server(Auth::None),
            vec![recipient()],
            b".\n".repeat(1 << 19),
        )
    }),
    ("sendbox:connector/smtp submit line ends", |_| {
        smtp(server(Auth::None), vec![recipient()], b"\n".repeat(1 << 20))
    }),
    ("sendbox:connector/smtp submit too much", |_| {
        smtp(server(Auth::None), vec![recipient()], vec![b'x'; MOST])
    }),
    ("sendbox:connector/signing key a long prefix", |secret| {
        drop(Key::from_secret(&"x".repeat(MOST), secret, ""));
    }),
    ("sendbox:connector/signing key a long secret", |secret| {
        drop(Key::from_secret("", &fill(secret), ""))
    }),
    ("sendbox:connector/signing sign much by HMAC", |secret| {
        sign(secret, Algorithm::HmacSha256, MOST)
    }),
    (
        "sendbox:connector/signing sign much by HMAC-SHA-1",
        |secret| sign(secret, Algorithm::HmacSha1, MOST),
    ),
    ("sendbox:connector/signing sign much by RSA", |secret| {
        sign(secret, Algorithm::RsaSha256, MOST)
    }),
    ("sendbox:connector/signing derive from much", |secret| {
        if let Ok(key) = Key::from_secret("", secret, "") {
            drop(key.derive(&vec![b'x'; MOST]));
        }
    }),
    ("sendbox:connector/signing keep keys", |secret| {
        let keys = std::iter::repeat_with(|| Key::from_secret("", secret, ""));
        drop(keys.take(10_000).collect::<Vec<_>>());
    }),
];

/// As many placeholders as fit.
fn fill(secret: &str) -> String {
    secret.repeat(MOST / secret.len())
}

fn long(start: &str, length: usize) -> String {
    format!("{start}{}", "x".repeat(length))
}

fn get() -> Request {
    Request {
        method: "GET".into(),
        url: URL.into(),
        headers: vec![],
        body: vec![],
        credential: Credential::None,
        timeout: None,
    }
}

fn post(content_type: &str) -> Request {
    Request {
        method: "POST".into(),
        headers: vec![("content-type".into(), content_type.into())],
        ..get()
    }
}

fn http(request: Request) {
    drop(send(&request));
}

fn recipient() -> String {
    "a@example.com".into()
}

fn server(auth: Auth) -> Server {
    Server {
        host: "echo.example.com".into(),
        port: 465,
        security: Security::Tls,
        server_name: None,
        auth,
        name: None,
        local_address: None,
        connect_timeout: None,
        command_timeout: None,
    }
}

fn smtp(server: Server, rcpt_to: Vec<String>, data: Vec<u8>) {
    let envelope = Envelope {
        mail_from: "b@example.com".into(),
        rcpt_to,
    };
    drop(submit(&server, &envelope, &data));
}

fn sign(secret: &str, algorithm: Algorithm, length: usize) {
    if let Ok(key) = Key::from_secret("", secret, "") {
        drop(key.sign(algorithm, &vec![b'x'; length]));
    }
}
