//! What fuzzing asserts of everything that reads bytes from outside: no panic, and more.
//!
//! | module | reads | holds |
//! |---|---|---|
//! | [`upload`] | a component | what is accepted imports only what a connector may; refusals have words |
//! | [`describe`] | an answer to `describe` | what is accepted survives being stored; refusals name the field |
//! | [`settings`] | a schema and settings | nothing but placeholders is left of secrets, and they come back whole |
//! | [`front_door`] | Logto's bodies and templates | what is accepted is what was posted; refusals name the field and no value |
//! | [`egress`] | a guest's request, a provider's response | one reading of a URL, no smuggled header, no secret handed back |
//! | [`smtp`] | a submission, a server's replies | one envelope, one message; replies are one clean line |
//! | [`mime`] | the parts of a mail | another parser reads the same parts back |
//! | [`template`] | a payload, a template, HTML, an address | the same text when read again |
//!
//! Each has one function `check`, which panics where its promise is broken. `tests/fuzz/run` drives them with
//! libFuzzer; `cargo test` holds them to the inputs in `seeds`, which once broke them or show them the way.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a broken promise ends the run"
)]

pub mod describe;
pub mod egress;
mod fields;
pub mod front_door;
pub mod mime;
pub mod settings;
pub mod smtp;
pub mod template;
pub mod upload;
mod words;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    type Check = fn(&[u8]);

    const CHECKS: [(&str, Check); 8] = [
        ("describe", super::describe::check),
        ("egress", super::egress::check),
        ("front_door", super::front_door::check),
        ("mime", super::mime::check),
        ("settings", super::settings::check),
        ("smtp", super::smtp::check),
        ("template", super::template::check),
        ("upload", super::upload::check),
    ];

    #[test]
    fn every_seed_holds_and_every_folder_of_seeds_has_its_check() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        assert_eq!(fs::read_dir(&seeds).unwrap().count(), CHECKS.len());
        for (name, check) in CHECKS {
            let mut inputs: Vec<_> = fs::read_dir(seeds.join(name)).unwrap().collect();
            inputs.sort_by_key(|input| input.as_ref().unwrap().path());
            assert!(inputs.len() >= 3, "{name}");
            for input in inputs {
                let path = input.unwrap().path();
                // The last one that is named is the one that fails.
                println!("{}", path.display());
                check(&fs::read(path).unwrap());
            }
        }
    }
}
