//! A guest that does what its settings say. One component for every act: what a guest does is up
//! to it at each call, so a neighbour may be the same component.

#[cfg(target_family = "wasm")]
mod acts;
#[cfg(target_family = "wasm")]
mod fetch;
#[cfg(target_family = "wasm")]
mod floods;
#[cfg(target_family = "wasm")]
mod sign;

#[cfg(target_family = "wasm")]
#[allow(unsafe_code, reason = "the component's exports are C functions")]
mod component {
    use sendbox_guest::wasm::guest::{ConnectorInfo, Failure, Guest, Message, Receipt};

    struct Acts;

    impl Guest for Acts {
        fn describe() -> ConnectorInfo {
            super::acts::describe()
        }

        fn send(settings: String, _: Message) -> Result<Receipt, Failure> {
            super::acts::perform(&settings)
        }
    }

    sendbox_guest::wasm::export!(Acts with_types_in sendbox_guest::wasm);
}
