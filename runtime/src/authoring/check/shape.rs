//! What an upload that is accepted may still be told.

use super::{Finding, Level};
use crate::connector::Inspection;
use crate::settings::secret_places;

/// What is linked with nothing behind it.
const EMPTY: [(&str, &str); 2] = [("wasi:filesystem/", "files"), ("wasi:sockets/", "sockets")];
const HANDOVER: &str = "sendbox:connector/handover@";
/// Of what is granted, in percent.
const NEARLY: u64 = 80;

pub(super) fn findings(inspection: &Inspection) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (package, what) in EMPTY {
        if imports(inspection, package) {
            findings.push(Finding::new(
                Level::Note,
                "import.empty",
                format!(
                    "it imports {}, as its language's runtime does unasked: linked with nothing behind it, every call fails",
                    package.trim_end_matches('/')
                ),
                &format!("nothing, as long as no code of yours needs {what}: read what you need from the settings"),
            ));
        }
    }
    if inspection.info.hosts.is_empty() && !imports(inspection, HANDOVER) {
        findings.push(Finding::new(
            Level::Warning,
            "hosts.none",
            "`describe` asks for no host: every request of it will be denied",
            "name its provider's hosts in `hosts`, or the setting that holds the URL, such as {settings:/endpoint}",
        ));
    }
    findings.extend(secrets(inspection));
    let (needs, granted) = (inspection.needs, crate::connector::Needs::granted());
    for (what, need, most) in [
        ("bytes of memory", needs.memory_bytes, granted.memory_bytes),
        (
            "table elements",
            needs.table_elements,
            granted.table_elements,
        ),
        (
            "core instances",
            needs.core_instances,
            granted.core_instances,
        ),
    ] {
        if need.saturating_mul(100) > most.saturating_mul(NEARLY) {
            findings.push(Finding::new(
                Level::Warning,
                "needs.nearly-all",
                format!("it starts with {need} {what}, and {most} are granted"),
                "leave out libraries that it does not need, or ask the operator for higher limits",
            ));
        }
    }
    findings
}

/// Secrets that nobody would keep secret, and grants for settings that are none.
fn secrets(inspection: &Inspection) -> Vec<Finding> {
    let info = &inspection.info;
    let places = secret_places(&info.settings_schema);
    let grants = info.secret_grants.iter();
    let strays = grants.filter(|grant| !places.iter().any(|(place, _)| *place == grant.setting));
    strays
        .map(|grant| {
            Finding::new(
                Level::Warning,
                "grant.no-secret",
                format!(
                    "`describe` asks to place the secret {}, and the schema has no such secret",
                    grant.setting
                ),
                "mark that setting `writeOnly: true` in the schema, or leave the grant out",
            )
        })
        .collect()
}

/// Whether it imports an interface whose name starts so.
pub(super) fn imports(inspection: &Inspection, start: &str) -> bool {
    let mut imports = inspection.imports.iter();
    imports.any(|name| name.starts_with(start))
}
