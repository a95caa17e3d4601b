//! Whether the service's own tables are those of this program version.

use database::{Db, Error};
use restore::SCHEMA;

use crate::queries::text_array;

/// What `packages-service schema` would add.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SchemaGaps {
    /// Tables, columns (`table.column`) and indexes.
    pub missing: Vec<String>,
}

/// What a schema script creates.
#[derive(Debug, Default, PartialEq, Eq)]
struct SchemaObjects {
    columns: Vec<TableColumn>,
    indexes: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct TableColumn {
    table: String,
    column: String,
}

/// Compares the schema of this program with the database. The catalogue is readable for every role.
pub async fn load_schema_gaps(db: &Db) -> Result<SchemaGaps, Error> {
    let SchemaObjects { columns, indexes } = parse_schema(SCHEMA);
    let (tables, columns): (Vec<String>, Vec<String>) =
        columns.into_iter().map(|TableColumn { table, column }| (table, column)).unzip();
    // A missing table is listed once, without its columns.
    let sql = "SELECT DISTINCT CASE WHEN c.oid IS NULL THEN n.tab ELSE n.tab || '.' || n.col END AS name
               FROM unnest($1::text[], $2::text[]) AS n (tab, col)
               LEFT JOIN pg_class c ON c.relname = n.tab
                     AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = 'packages_service')
               LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = n.col AND NOT a.attisdropped
               WHERE a.attname IS NULL
               UNION ALL
               SELECT n.name FROM unnest($3::text[]) AS n (name)
               WHERE NOT EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace s ON s.oid = c.relnamespace
                                 WHERE s.nspname = 'packages_service' AND c.relname = n.name AND c.relkind = 'i')
               ORDER BY name";
    let params = [text_array(&tables), text_array(&columns), text_array(&indexes)];
    let rows = db.query_read_only(sql, &params).await?;
    let missing = rows.iter().map(|row| Ok(row.try_get("name")?)).collect::<Result<_, Error>>()?;
    Ok(SchemaGaps { missing })
}

/// Parses our own script, where each column and each index begins a line.
fn parse_schema(schema: &str) -> SchemaObjects {
    let mut objects = SchemaObjects::default();
    let mut table = String::new();
    for line in schema.lines() {
        let after = |start: &str| line.split_once(start).map(|(_, rest)| parse_identifier(rest));
        if let Some(name) =
            after("TABLE IF NOT EXISTS packages_service.").or(after("ALTER TABLE packages_service."))
        {
            table = name;
        }
        if let Some(column) = after("ADD COLUMN IF NOT EXISTS ") {
            objects.columns.push(TableColumn { table: table.clone(), column });
        } else if let Some(column) = after("DROP COLUMN IF EXISTS ") {
            objects.columns.retain(|known| known.table != table || known.column != column);
        } else if let Some(index) = after("CREATE INDEX IF NOT EXISTS ") {
            objects.indexes.push(index);
        } else if let Some(index) = after("DROP INDEX IF EXISTS packages_service.") {
            objects.indexes.retain(|known| *known != index);
        } else if let Some(column) = line.strip_prefix("    ").map(parse_identifier)
            && column.starts_with(|first: char| first.is_ascii_lowercase())
        {
            objects.columns.push(TableColumn { table: table.clone(), column });
        }
    }
    objects
}

fn parse_identifier(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_our_own_script() {
        let objects = parse_schema(
            "CREATE TABLE IF NOT EXISTS packages_service.a (\n    -- why\n    id integer,\n    PRIMARY KEY (id)\n);\n\
             ALTER TABLE packages_service.a\n    ADD COLUMN IF NOT EXISTS b text;\n\
             ALTER TABLE packages_service.c ADD COLUMN IF NOT EXISTS d text;\n\
             ALTER TABLE packages_service.c ADD COLUMN IF NOT EXISTS gone text;\n\
             ALTER TABLE packages_service.c DROP COLUMN IF EXISTS gone;\n\
             CREATE INDEX IF NOT EXISTS e\n    ON packages_service.a (b);\n\
             CREATE INDEX IF NOT EXISTS former\n    ON packages_service.a (b);\n\
             DROP INDEX IF EXISTS packages_service.former;\n",
        );
        let column =
            |table: &str, column: &str| TableColumn { table: table.to_owned(), column: column.to_owned() };
        assert_eq!(objects.columns, [column("a", "id"), column("a", "b"), column("c", "d")]);
        assert_eq!(objects.indexes, ["e"]);
        let objects = parse_schema(SCHEMA);
        assert!(objects.columns.contains(&column("restore_outbox", "created_at")));
        assert!(objects.indexes.contains(&"restore_claims_position_idx".to_owned()));
        assert!(!objects.indexes.contains(&"restore_claims_next_idx".to_owned()), "0007 replaces it");
        assert!(objects.columns.contains(&column("restore_claims", "position")));
        assert!(!objects.columns.contains(&column("restore_claims", "depth")));
    }
}
