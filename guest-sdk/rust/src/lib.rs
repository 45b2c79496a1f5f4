//! What the author of a Sendbox connector imports.
//!
//! A connector implements [`Connector`]: what it is, its settings, how a message becomes a request,
//! and how a response becomes a receipt or a failure. [`connector!`] makes a component of it. The
//! middle is free of I/O, so its tests run natively: the feature `testing` adds a kit for them.
//!
//! Secrets in the settings are opaque placeholders here; the host fills them in on the way out.

pub mod aliyun;
mod codes;
mod connector;
mod date;
pub mod endpoint;
#[cfg_attr(
    not(feature = "html"),
    allow(unreachable_pub, reason = "html has it for connectors")
)]
mod escape;
mod failure;
pub mod handover;
#[cfg(feature = "html")]
pub mod html;
pub mod http;
#[cfg(feature = "html")]
pub mod letter;
mod mail;
pub mod mailbox;
mod message;
#[cfg(feature = "mime")]
pub mod mime;
pub mod names;
mod number;
mod payload;
pub mod settings;
pub mod sign;
pub mod sms;
#[cfg(feature = "smtp")]
pub mod smtp;
pub mod template;
#[cfg(all(feature = "testing", not(target_family = "wasm")))]
pub mod testing;
pub mod usage;
pub mod webhook;

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod wasm;

pub use codes::Codes;
pub use connector::{About, Channel, Connector, Receipt, SecretGrant, send};
pub use failure::{Failure, FailureKind, one_line};
pub use http::{Credential, HttpError, Request, Response};
pub use mail::MailTemplate;
pub use mailbox::Mailbox;
pub use message::{Content, ContentType, Message};
pub use payload::Payload;
pub use usage::{CodeTemplate, Template, Templates};

/// What a connector's package says of it: version, settings schema and readme, for `..package!()` at
/// the end of an [`About`].
#[macro_export]
macro_rules! package {
    () => {
        $crate::About {
            version: env!("CARGO_PKG_VERSION"),
            settings_schema: include_str!(concat!(
                env!("CARGO_MANIFEST_DIR"),
                "/settings.schema.json"
            )),
            readme: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")),
            ..$crate::About::NOTHING
        }
    };
}

/// The table `codes.txt` beside a connector's manifest, as [`Codes`].
#[macro_export]
macro_rules! codes {
    () => {
        $crate::Codes::new(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/codes.txt"
        )))
    };
}

/// Exports a [`Connector`] as a component. Does nothing outside WebAssembly, where the exported
/// names do not link.
#[macro_export]
macro_rules! connector {
    ($connector:ty) => {
        $crate::component!(
            <$connector as $crate::Connector>::ABOUT,
            $crate::wasm::send::<$connector>
        );
    };
}

/// Exports a [`smtp::Submitter`] as a component, as [`connector!`] does a [`Connector`].
#[cfg(feature = "smtp")]
#[macro_export]
macro_rules! submitter {
    ($submitter:ty) => {
        $crate::component!(
            <$submitter as $crate::smtp::Submitter>::ABOUT,
            $crate::wasm::smtp::submit::<$submitter>
        );
    };
}

/// Exports a [`handover::Composer`] as a component, as [`connector!`] does a [`Connector`].
#[macro_export]
macro_rules! composer {
    ($composer:ty) => {
        $crate::component!(
            <$composer as $crate::handover::Composer>::ABOUT,
            $crate::wasm::handover::compose::<$composer>
        );
    };
}

/// The component behind [`connector!`], [`submitter!`] and [`composer!`].
#[macro_export]
#[doc(hidden)]
macro_rules! component {
    ($about:expr, $send:expr) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "the component's exports are C functions")]
        const _: () = {
            struct Component;

            impl $crate::wasm::guest::Guest for Component {
                fn describe() -> $crate::wasm::guest::ConnectorInfo {
                    $crate::wasm::describe(&$about)
                }

                fn send(
                    settings: ::std::string::String,
                    message: $crate::wasm::guest::Message,
                ) -> ::std::result::Result<
                    $crate::wasm::guest::Receipt,
                    $crate::wasm::guest::Failure,
                > {
                    $send(&settings, message)
                }
            }

    $crate::wasm::export!(Component with_types_in $crate::wasm);
        };
    };
}
