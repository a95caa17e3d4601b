-- What this service keeps in Postgres beside the platform's own tables. Make it once per database, as its owner.

CREATE SCHEMA IF NOT EXISTS packages_service;

-- A restore that was asked for and is not finished. ordered_at: when the order took the package out of the trash;
-- -infinity where something else had done so before.
CREATE TABLE IF NOT EXISTS packages_service.restore_orders (
    workspace_id integer NOT NULL,
    package_id integer NOT NULL,
    dataset_id integer NOT NULL,
    user_node_id text NOT NULL,
    ordered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, package_id)
);

-- Why a package is still in the trash after its last restore.
CREATE TABLE IF NOT EXISTS packages_service.restore_failures (
    workspace_id integer NOT NULL,
    package_id integer NOT NULL,
    reason text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, package_id)
);
