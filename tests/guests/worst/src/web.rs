//! wasi:http.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    Fields, FutureIncomingResponse, IncomingBody, Method, OutgoingBody, OutgoingRequest,
    OutgoingResponse, RequestOptions, Scheme,
};

use crate::component::{Call, MOST};

const HOST: &str = "echo.example.com";
/// Bytes that a header takes beside its texts.
const PAIR: usize = 64;
/// What one set of fields may take.
const FIELDS: usize = 60 << 10;
/// What a body's stream lets be written at once.
const WRITE: usize = 64 << 10;
/// More than the resources that a guest may hold.
const MANY: usize = 300;

pub(crate) const CALLS: &[Call] = &[
    ("wasi:http/types fields from-list many", |_| {
        drop(Fields::from_list(&vec![
            ("a".to_owned(), Vec::new());
            MOST / PAIR
        ]));
    }),
    ("wasi:http/types fields from-list large", |_| {
        drop(Fields::from_list(&[("a".to_owned(), vec![b'x'; MOST])]));
    }),
    ("wasi:http/types fields append", |_| {
        drop(Fields::new().append("a", &vec![b'x'; MOST]))
    }),
    ("wasi:http/types fields append a long name", |_| {
        drop(Fields::new().append(&"a".repeat(MOST), b"x"))
    }),
    ("wasi:http/types fields set", |_| {
        drop(Fields::new().set("a", &vec![b"x".to_vec(); MOST / PAIR]))
    }),
    ("wasi:http/types fields get", |_| {
        let fields = fields();
        let name = "a".repeat(MOST);
        drop((
            fields.get(&name),
            fields.has(&name),
            fields.delete(&name),
            fields.entries(),
        ));
    }),
    ("wasi:http/types fields keep", |_| {
        let first = fields();
        drop((0..MANY).map(|_| first.clone()).collect::<Vec<_>>());
    }),
    ("wasi:http/types request a long method", |_| {
        drop(request().set_method(&Method::Other("A".repeat(MOST))));
    }),
    ("wasi:http/types request a long scheme", |_| {
        drop(request().set_scheme(Some(&Scheme::Other("a".repeat(MOST)))));
    }),
    ("wasi:http/types request a long authority", |_| {
        drop(request().set_authority(Some(&"a".repeat(MOST))))
    }),
    ("wasi:http/types request a long path", |_| {
        drop(request().set_path_with_query(Some(&format!("/{}", "a".repeat(MOST)))));
    }),
    ("wasi:http/types request keep long methods", |_| {
        let long = Method::Other("A".repeat(1 << 20));
        keep(|request| request.set_method(&long));
    }),
    ("wasi:http/types request keep long authorities", |_| {
        let long = "a".repeat(1 << 20);
        keep(|request| request.set_authority(Some(&long)));
    }),
    ("wasi:http/types request keep long paths", |_| {
        let long = format!("/{}", "a".repeat(FIELDS));
        keep(|request| request.set_path_with_query(Some(&long)));
    }),
    ("wasi:http/types request keep bodies", |_| {
        let requests = (0..MANY / 3).map(|_| {
            let request = request();
            let body = request.body().ok();
            if let Some(stream) = body.as_ref().and_then(|body| body.write().ok()) {
                drop(stream.write(&vec![b'x'; WRITE]));
            }
            (request, body)
        });
        drop(requests.collect::<Vec<_>>());
    }),
    ("wasi:http/types response keep", |_| {
        drop(
            (0..MANY / 2)
                .map(|_| OutgoingResponse::new(fields()))
                .collect::<Vec<_>>(),
        );
    }),
    ("wasi:http/types options keep", |_| {
        let options = std::iter::repeat_with(|| {
            let options = RequestOptions::new();
            drop(options.set_connect_timeout(Some(u64::MAX)));
            options
        });
        drop(options.take(MANY).collect::<Vec<_>>());
    }),
    ("wasi:http/outgoing-handler handle", |_| {
        drop(handle(request(), None))
    }),
    ("wasi:http/outgoing-handler handle many with bodies", |_| {
        let begun = (0..MANY / 6).map(|_| begin(16)).collect::<Vec<_>>();
        wait(&begun);
    }),
    ("wasi:http/outgoing-handler handle answers", |_| {
        let begun = begin(0);
        wait(std::slice::from_ref(&begun));
        if let Some(Ok(Ok(response))) = begun.and_then(|begun| begun.get())
            && let Ok(body) = response.consume()
        {
            if let Ok(stream) = body.stream() {
                drop((stream.read(u64::MAX), stream.skip(u64::MAX)));
            }
            drop(IncomingBody::finish(body));
        }
    }),
];

fn fields() -> Fields {
    let fields = Fields::new();
    drop(fields.append("a", &vec![b'x'; FIELDS]));
    fields
}

fn request() -> OutgoingRequest {
    let request = OutgoingRequest::new(Fields::new());
    drop(request.set_method(&Method::Post));
    drop(request.set_scheme(Some(&Scheme::Https)));
    drop(request.set_authority(Some(HOST)));
    drop(request.set_path_with_query(Some("/")));
    request
}

/// Holds as many requests as there may be, each changed.
fn keep<T>(change: impl Fn(&OutgoingRequest) -> T) {
    let requests = (0..MANY).map(|_| {
        let request = request();
        drop(change(&request));
        request
    });
    drop(requests.collect::<Vec<_>>());
}

/// Sends a request with a body of so many writes.
fn begin(writes: usize) -> Option<FutureIncomingResponse> {
    let request = request();
    let body = request.body().ok()?;
    let answer = handle(request, None).ok()?;
    let stream = body.write().ok()?;
    for _ in 0..writes * (WRITE / 4096) {
        if stream.blocking_write_and_flush(&[b'x'; 4096]).is_err() {
            break;
        }
    }
    drop(stream);
    drop(OutgoingBody::finish(body, None));
    Some(answer)
}

fn wait(begun: &[Option<FutureIncomingResponse>]) {
    for answer in begun.iter().flatten() {
        answer.subscribe().block();
    }
}
