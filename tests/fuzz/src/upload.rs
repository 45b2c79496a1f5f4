//! A component, before anything of it is compiled: binary, or as text that is made binary first, and then damaged.

use sendbox::connector::UploadError;
use sendbox::connector::fuzzing::imports;

use crate::fields::Fields;
use crate::words::one_line;

const LIMIT: usize = 1 << 20;

/// Holds an upload to what is promised of it.
pub fn check(data: &[u8]) {
    let component = match data.first() {
        Some(b'(') => {
            let mut fields = Fields::of(data);
            let (text, damage) = (fields.text(), fields.bytes());
            let Ok(mut component) = wat::parse_str(text) else {
                return;
            };
            for place in damage.chunks_exact(2) {
                let at = usize::from(place[0]) % component.len();
                component[at] ^= place[1];
            }
            component
        }
        _ => data.to_vec(),
    };
    match imports(&component, LIMIT) {
        Ok(names) => accepted(&component, &names),
        Err(error) => refused(&error),
    }
}

fn accepted(component: &[u8], names: &[String]) {
    for name in names {
        let own = name.starts_with("sendbox:connector/") && name.ends_with("@0.1.0");
        let wasi = name.starts_with("wasi:") && name.contains("@0.2.");
        assert!(own || wasi, "{name:?} is imported");
        one_line(name);
    }
    let export = b"sendbox:connector/send-message@0.1.0";
    let exports = component.windows(export.len()).any(|text| text == export);
    assert!(exports, "accepted without the export");
    let again = imports(component, component.len());
    assert_eq!(again.as_deref(), Ok(names));
    let size = component.len();
    let limit = size - 1;
    assert_eq!(
        imports(component, limit),
        Err(UploadError::TooLarge { size, limit })
    );
}

fn refused(error: &UploadError) {
    one_line(&error.to_string());
    assert!(error.code().starts_with("upload."), "{}", error.code());
    match error {
        UploadError::TooComplex { found, limit, .. } => assert!(found > limit),
        UploadError::Host(_) | UploadError::Compile(_) => panic!("{error}: nothing was compiled"),
        _ => {}
    }
}
