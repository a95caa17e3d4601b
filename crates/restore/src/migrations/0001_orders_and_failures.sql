-- The tables that packages-service adds to the platform's. Run this script as the database's owner: once, and again before
-- each new version. It may be repeated, and keeps what is there.

CREATE SCHEMA IF NOT EXISTS packages_service;

-- An order: a person ordered one package, with all that is in the trash beneath it. One row for each package, however often
-- it is ordered. ordered_at: when it was last ordered. A row stays for a week after its end, to tell how it ended.
CREATE TABLE IF NOT EXISTS packages_service.restore_orders (
    workspace_id integer NOT NULL,
    package_id integer NOT NULL,
    dataset_id integer NOT NULL,
    user_node_id text NOT NULL,
    ordered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, package_id)
);

-- Why a package is still in the trash.
CREATE TABLE IF NOT EXISTS packages_service.restore_failures (
    workspace_id integer NOT NULL,
    package_id integer NOT NULL,
    reason text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, package_id)
);
