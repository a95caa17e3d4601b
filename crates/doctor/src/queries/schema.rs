//! Whether the service's own tables are those that this program was written for.

use crate::queries::texts;
use database::{Db, Error};
use restore::SCHEMA;

/// What `packages-service schema` would add.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaGaps {
    /// Tables, columns (`table.column`) and indexes.
    pub missing: Vec<String>,
}

/// What [`SCHEMA`] makes: columns as table and name, and indexes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Made {
    columns: Vec<(String, String)>,
    indexes: Vec<String>,
}

/// Compares the schema of this program with what is there. The catalogue is asked, which everybody may read.
pub async fn find_schema_gaps(db: &Db) -> Result<SchemaGaps, Error> {
    let Made { columns, indexes } = made_by(SCHEMA);
    let (tables, names): (Vec<String>, Vec<String>) = columns.into_iter().unzip();
    let sql = "SELECT DISTINCT CASE WHEN c.oid IS NULL THEN n.tab ELSE n.tab || '.' || n.name END
               FROM unnest($1::text[], $2::text[]) AS n (tab, name)
               LEFT JOIN pg_class c ON c.relname = n.tab
                     AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'packages_service')
               LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = n.name AND NOT a.attisdropped
               WHERE a.attname IS NULL
               UNION ALL
               SELECT n.name FROM unnest($3::text[]) AS n (name)
               WHERE NOT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
                                 WHERE s.nspname = 'packages_service' AND c.relname = n.name AND c.relkind = 'i')
               ORDER BY 1";
    let rows = db.query_read_only(sql, &[texts(&tables), texts(&names), texts(&indexes)]).await?;
    let missing = rows.iter().map(|row| Ok(row.try_get(0)?)).collect::<Result<_, Error>>()?;
    Ok(SchemaGaps { missing })
}

/// Reads our own file, in which each column and each index begins a line of its own.
fn made_by(schema: &str) -> Made {
    let mut made = Made::default();
    let mut table = String::new();
    for line in schema.lines() {
        let after = |start: &str| line.split_once(start).map(|(_, rest)| identifier(rest));
        if let Some(name) =
            after("TABLE IF NOT EXISTS packages_service.").or(after("ALTER TABLE packages_service."))
        {
            table = name;
        }
        if let Some(column) = after("ADD COLUMN IF NOT EXISTS ") {
            made.columns.push((table.clone(), column));
        } else if let Some(column) = after("DROP COLUMN IF EXISTS ") {
            made.columns.retain(|known| *known != (table.clone(), column.clone()));
        } else if let Some(index) = after("CREATE INDEX IF NOT EXISTS ") {
            made.indexes.push(index);
        } else if let Some(column) = line.strip_prefix("    ").map(identifier)
            && column.starts_with(|first: char| first.is_ascii_lowercase())
        {
            made.columns.push((table.clone(), column));
        }
    }
    made
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_file_is_read() {
        let made = made_by(
            "CREATE TABLE IF NOT EXISTS packages_service.a (\n    -- why\n    id integer,\n    PRIMARY KEY (id)\n);\n\
             ALTER TABLE packages_service.a\n    ADD COLUMN IF NOT EXISTS b text;\n\
             ALTER TABLE packages_service.c ADD COLUMN IF NOT EXISTS d text;\n\
             ALTER TABLE packages_service.c ADD COLUMN IF NOT EXISTS gone text;\n\
             ALTER TABLE packages_service.c DROP COLUMN IF EXISTS gone;\n\
             CREATE INDEX IF NOT EXISTS e\n    ON packages_service.a (b);\n",
        );
        let column = |table: &str, name: &str| (table.to_owned(), name.to_owned());
        assert_eq!(made.columns, [column("a", "id"), column("a", "b"), column("c", "d")]);
        assert_eq!(made.indexes, ["e"]);
        let made = made_by(SCHEMA);
        assert!(made.columns.contains(&column("restore_outbox", "created_at")) && made.indexes.len() > 3);
        assert!(made.columns.contains(&column("restore_claims", "position")));
        assert!(!made.columns.contains(&column("restore_claims", "depth")));
    }
}
