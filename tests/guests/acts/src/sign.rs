//! Keys made of secrets: their signatures, and what of them can be found in here.

use sendbox_guest::sign::{Algorithm, Key, SignError};

/// The secret of every act's settings, backwards: the text itself is nowhere in this guest.
const SECRET_BACKWARDS: &[u8] = b"2retnuh-2retnuh";

/// Signs in each way, then looks for the secret in all of its own memory. One word for each finding.
pub(crate) fn everything(settings: &str) -> Result<String, String> {
    let secret = setting(settings, "secret");
    let key = Key::from_secret("pre", secret, "suf").map_err(words)?;
    let sha1 = key.sign(Algorithm::HmacSha1, b"data").map_err(words)?;
    let derived = key.derive(b"day").map_err(words)?;
    let sha256 = derived
        .sign(Algorithm::HmacSha256, b"data")
        .map_err(words)?;
    let rsa = key.sign(Algorithm::RsaSha256, b"data").map_err(words);
    let rsa = rsa.err().unwrap_or_default().replace(' ', "-");
    Ok(format!(
        "{} {} {rsa} {}",
        hex(&sha1),
        hex(&sha256),
        occurrences()
    ))
}

/// Asks for keys of what is no secret, or one that may not sign.
pub(crate) fn with_others(settings: &str) -> Result<String, String> {
    let secret = setting(settings, "secret");
    let twice = format!("{secret}{secret}");
    let others = [setting(settings, "ungranted"), "a text", &twice, ""];
    let refused = others.map(|text| {
        let key = Key::from_secret("", text, "").map(|_| ());
        key == Err(SignError::Denied)
    });
    Ok(format!("{refused:?}"))
}

/// Signs until it may no more.
pub(crate) fn without_end(settings: &str) -> Result<String, String> {
    let key = Key::from_secret("", setting(settings, "secret"), "").map_err(words)?;
    for count in 0.. {
        let spent = match count % 2 {
            0 => key.derive(b"x").map(|_| ()),
            _ => key.sign(Algorithm::HmacSha1, b"x").map(|_| ()),
        };
        if let Err(error) = spent {
            return Ok(format!("{count} {error}"));
        }
    }
    Ok(String::new())
}

/// Makes keys and keeps them, without end.
pub(crate) fn keys_without_end(settings: &str) -> Result<String, String> {
    let mut kept = Vec::new();
    loop {
        kept.push(Key::from_secret("", setting(settings, "secret"), "").map_err(words)?);
    }
}

/// A text of the settings, which hold no escapes.
pub(crate) fn setting<'s>(settings: &'s str, name: &str) -> &'s str {
    let start = format!("\"{name}\":\"");
    let rest = settings.split_once(&start).map_or("", |(_, rest)| rest);
    rest.split('"').next().unwrap_or_default()
}

fn words(error: SignError) -> String {
    error.to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How often the secret stands in this guest's linear memory, from its first byte to its last.
#[allow(unsafe_code, reason = "it reads memory that no reference covers")]
fn occurrences() -> usize {
    const PAGE: usize = 64 << 10;
    let end = core::arch::wasm32::memory_size(0) * PAGE;
    let length = SECRET_BACKWARDS.len();
    let stands_at = |start: usize| {
        let places = start..start + length;
        places
            .zip(SECRET_BACKWARDS.iter().rev())
            .all(|(place, byte)| {
                let place = std::ptr::with_exposed_provenance::<u8>(place);
                // SAFETY: the place is below the memory's end, and nothing runs beside this guest.
                unsafe { place.read_volatile() == *byte }
            })
    };
    (1..=end - length).filter(|start| stands_at(*start)).count()
}
