//! A new operator's key for whoever holds the machine, when all of them are lost.

use super::{StartError, database, failed};
use crate::api::auth::{Grant, generate};
use crate::config::Config;
use crate::secret::Secret;
use crate::time::Clock;

/// Makes an operator's key in the database of a data folder that no server has open, and answers its text.
/// The keys that there are stay as they are.
///
/// # Errors
/// [`StartError`] while a server runs on the folder, where there is no database, and where it does not open.
pub async fn make_operator_key(config: &Config, clock: Clock) -> Result<Secret, StartError> {
    let what = "a new operator's key";
    let path = config.store.folder.join("sendbox.db");
    // A wrong folder must not become a server's.
    std::fs::metadata(&path).map_err(failed(format!("the database {}", path.display())))?;
    let store = database::open(config).await?;
    let grant = Grant::operator("made on the server's machine".to_owned());
    let made = match generate(grant, clock.now()) {
        Ok((record, text)) => store
            .put_api_key(&record)
            .await
            .map(|()| text)
            .map_err(failed(what)),
        Err(error) => Err(failed(what)(error)),
    };
    store.close().await;
    made
}
