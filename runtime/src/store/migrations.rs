//! The steps from an empty file to today's schema, in order. What a step says never changes once it is released:
//! the file remembers its digest.

use std::sync::LazyLock;

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// The name of each file in `migrations/sqlite`, and what it says.
macro_rules! steps {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("../../migrations/sqlite/", $name, ".sql")))),+]
    };
}

const STEPS: [(&str, &str); 15] = steps![
    "0001_first",
    "0002_templates",
    "0003_email_service",
    "0004_egress_sources",
    "0005_data_keys",
    "0006_earlier_secrets",
    "0007_bound_secrets",
    "0008_key_roles",
    "0009_list_filters",
    "0010_spent",
    "0011_origin",
    "0014_queues",
    "0015_key_generations",
    "0016_component_parts",
    "0017_held",
];

pub(super) static MIGRATIONS: LazyLock<Migrator> =
    LazyLock::new(|| Migrator::with_migrations(STEPS.map(step).to_vec()));

fn step((name, sql): (&'static str, &'static str)) -> Migration {
    let (version, title) = name.split_once('_').unwrap_or((name, ""));
    Migration::new(
        version.parse().unwrap_or(0),
        title.replace('_', " ").into(),
        MigrationType::Simple,
        sql.into_sql_str(),
        false,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_a_step_and_each_step_has_a_number_of_its_own() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite");
        let files = std::fs::read_dir(folder).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.collect();
        names.sort();
        assert_eq!(names, STEPS.map(|(name, _)| format!("{name}.sql")));
        let versions: Vec<_> = MIGRATIONS.iter().map(|step| step.version).collect();
        assert!(
            versions.is_sorted_by(|one, next| one < next),
            "{versions:?}"
        );
        assert!(versions.first() > Some(&0));
    }
}
