//! What an operator has to approve before a connector may be used: where it goes, where secrets go, what it needs.

use serde::Serialize;

use crate::about::{ConnectorInfo, SecretGrant};
use crate::connector::{Needs, Power};
use crate::id::Digest;
use crate::settings::secret_places;

/// What an uploaded connector asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Approval {
    /// `id version`
    pub connector: String,
    /// SHA-256 of its component: what is approved, whatever is built later.
    pub digest: Digest,
    /// What it may do.
    pub powers: Vec<Power>,
    /// Hosts that it asks to reach.
    pub hosts: Vec<String>,
    /// Its secrets, and where each may be placed.
    pub secrets: Vec<SecretPlaces>,
    /// Bytes of the component.
    pub size: u64,
    /// Which pool its instances come from, in the server's word.
    pub class: String,
    /// What it starts with.
    pub needs: Needs,
    /// What is granted at most under the default limits.
    pub granted: Needs,
}

/// A secret and where it may be placed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretPlaces {
    /// JSON pointer into the settings.
    pub setting: String,
    /// Its title.
    pub title: String,
    /// In words; headers and credentials are open to every secret.
    pub places: Vec<&'static str>,
}

impl Approval {
    /// Of what an upload was found to be.
    #[must_use]
    pub fn of(
        info: &ConnectorInfo,
        digest: Digest,
        size: u64,
        class: String,
        powers: Vec<Power>,
        needs: Needs,
    ) -> Self {
        let secret = |(setting, title): (String, String)| {
            let mut grants = info.secret_grants.iter();
            let grant = grants.find(|grant| grant.setting == setting);
            SecretPlaces {
                places: places(grant),
                setting,
                title,
            }
        };
        Self {
            connector: format!("{} {}", info.id, info.version),
            digest,
            powers,
            hosts: info.hosts.clone(),
            secrets: secret_places(&info.settings_schema)
                .into_iter()
                .map(secret)
                .collect(),
            size,
            class,
            needs,
            granted: Needs::granted(),
        }
    }

    /// One line for each thing, for people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            format!("connector  {}", self.connector),
            format!("digest     {}", self.digest),
        ];
        for power in &self.powers {
            let Power { import, does } = power;
            lines.push(format!("power      {import}: {does}"));
        }
        if self.powers.is_empty() {
            lines.push("power      none".to_owned());
        }
        for host in &self.hosts {
            lines.push(format!("host       {host}{}", of_settings(host)));
        }
        if self.hosts.is_empty() {
            lines.push("host       none".to_owned());
        }
        for secret in &self.secrets {
            let title = match secret.title.as_str() {
                "" => String::new(),
                title => format!(" ({title})"),
            };
            let places = secret.places.join(", ");
            lines.push(format!("secret     {}{title}: {places}", secret.setting));
        }
        let (needs, granted) = (&self.needs, &self.granted);
        let size = self.size.div_ceil(1 << 10);
        lines.push(format!("size       {size} KiB, class {}", self.class));
        lines.push(format!(
            "memory     {} KiB to start with, of {} KiB; in {} of {} memories",
            needs.memory_bytes >> 10,
            granted.memory_bytes >> 10,
            needs.memories,
            granted.memories
        ));
        lines.push(format!(
            "tables     {} elements, of {}; in {} of {} tables",
            needs.table_elements, granted.table_elements, needs.tables, granted.tables
        ));
        lines.push(format!(
            "instances  {} of {}",
            needs.core_instances, granted.core_instances
        ));
        lines
    }
}

fn of_settings(host: &str) -> &'static str {
    match host.contains("{settings:") {
        true => " (whatever a tenant's settings name, within the egress policy)",
        false => "",
    }
}

fn places(grant: Option<&SecretGrant>) -> Vec<&'static str> {
    let mut places = vec!["headers and credentials"];
    let Some(grant) = grant else { return places };
    for (granted, place) in [
        (grant.query, "the URL's query"),
        (grant.body, "the body"),
        (grant.signing, "a key that signs"),
    ] {
        if granted {
            places.push(place);
        }
    }
    places
}
