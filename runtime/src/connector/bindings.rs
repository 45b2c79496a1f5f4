//! The contract's types and traits, made from `wit/`. They do not leave [`connector`](crate::connector).

#[expect(clippy::all, clippy::restriction, reason = "generated from wit/")]
mod generated {
    wasmtime::component::bindgen!({
        path: "../wit",
        world: "connector",
        imports: {
            default: trappable,
            "sendbox:connector/http.send": async | trappable,
            "sendbox:connector/smtp.submit": async | trappable,
        },
        exports: { default: async },
        with: { "sendbox:connector/signing.key": super::super::host_signing::SigningKey },
    });
}

pub(super) use generated::sendbox::connector::{handover, http, log, signing, smtp, types};
pub(super) use generated::{Connector, ConnectorPre};
