//! The service's own tables: migrations that create them. `migrations/README.md` has the rules.

/// A numbered change of the tables. It may be repeated.
#[derive(Debug, Clone, Copy)]
pub struct Migration {
    /// Its file's name, without the ending.
    pub name: &'static str,
    /// Its statements.
    pub sql: &'static str,
}

macro_rules! migrations {
    ($($name:literal),+ $(,)?) => {
        /// All migrations, oldest first.
        pub const MIGRATIONS: &[Migration] = &[$(
            Migration { name: $name, sql: include_str!(concat!("migrations/", $name, ".sql")) },
        )+];

        /// All migrations as one script. The database's owner runs it once, and again before each new version.
        pub const SCHEMA: &str = concat!($(include_str!(concat!("migrations/", $name, ".sql")), "\n"),+);
    };
}

migrations!(
    "0001_orders_and_failures",
    "0002_claims_queue_outbox",
    "0003_claims_on_folders",
    "0004_claims_in_order",
    "0005_blocked_claims",
    "0006_orders_inside_orders",
    "0007_indexes_by_subject",
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_are_numbered_and_all_in_the_script() {
        for (number, migration) in (1..).zip(MIGRATIONS) {
            assert!(migration.name.starts_with(&format!("{number:04}_")), "{}", migration.name);
            assert!(SCHEMA.contains(migration.sql), "{}", migration.name);
        }
    }

    #[test]
    fn every_file_is_a_migration() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/migrations");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name());
        let mut names: Vec<String> =
            files.filter_map(|name| name.to_str().unwrap().strip_suffix(".sql").map(str::to_owned)).collect();
        names.sort();
        assert_eq!(names, MIGRATIONS.iter().map(|migration| migration.name).collect::<Vec<_>>());
    }
}
