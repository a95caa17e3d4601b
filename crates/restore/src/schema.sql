-- What this service keeps in Postgres beside the platform's own tables. Run it as the database's owner: once, and again
-- with each new version. It may be repeated, and changes nothing that is there.

CREATE SCHEMA IF NOT EXISTS packages_service;

-- An order: a person asked for one package, with all that lies in the trash beneath it. One row a package, however often it
-- is asked for. ordered_at: when it was last asked for. A row stays for a week after its end, to tell how it ended.
CREATE TABLE IF NOT EXISTS packages_service.restore_orders (
    workspace_id integer NOT NULL,
    package_id integer NOT NULL,
    dataset_id integer NOT NULL,
    user_node_id text NOT NULL,
    ordered_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, package_id)
);
ALTER TABLE packages_service.restore_orders
    -- When the packages that it holds were recorded in restore_claims; null: they are yet to be.
    ADD COLUMN IF NOT EXISTS claimed_at timestamptz,
    ADD COLUMN IF NOT EXISTS finished_at timestamptz,
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now(),
    -- Packages that it holds or held, those that came back and those that did not; bytes that came back.
    ADD COLUMN IF NOT EXISTS total bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS restored bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS failed bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS bytes bigint NOT NULL DEFAULT 0,
    -- Since when these numbers count.
    ADD COLUMN IF NOT EXISTS begun_at timestamptz NOT NULL DEFAULT now(),
    -- The order of the nearest folder above that was unfinished at the same time: this one's numbers count for it, too.
    ADD COLUMN IF NOT EXISTS within_id integer;
CREATE INDEX IF NOT EXISTS restore_orders_within_idx
    ON packages_service.restore_orders (workspace_id, within_id) WHERE within_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS restore_orders_open_idx
    ON packages_service.restore_orders (workspace_id, dataset_id) WHERE finished_at IS NULL;
CREATE INDEX IF NOT EXISTS restore_orders_finished_idx
    ON packages_service.restore_orders (finished_at) WHERE finished_at IS NOT NULL;

-- What an order holds: one row a package that is to come back. claimed_at tells one claim from a later one on the same
-- package.
CREATE TABLE IF NOT EXISTS packages_service.restore_claims (
    workspace_id integer NOT NULL,
    package_id integer NOT NULL,
    dataset_id integer NOT NULL,
    -- The package that was ordered; null for a deleted folder above it, which comes back with the first package beneath.
    order_id integer,
    -- Batches are taken in this order: folders from the top down, then files as S3 lists them.
    position bigint NOT NULL,
    -- The package itself was ordered, so it is RESTORING until it is done or deleted again.
    is_ordered boolean NOT NULL DEFAULT false,
    -- The platform is still deleting it.
    is_blocked boolean NOT NULL DEFAULT false,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Failed attempts, and when the next one may begin.
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (workspace_id, package_id)
);
CREATE INDEX IF NOT EXISTS restore_claims_blocked_idx
    ON packages_service.restore_claims (workspace_id, dataset_id) WHERE is_blocked;
CREATE INDEX IF NOT EXISTS restore_claims_order_idx
    ON packages_service.restore_claims (workspace_id, order_id);
CREATE INDEX IF NOT EXISTS restore_claims_next_idx
    ON packages_service.restore_claims (workspace_id, dataset_id, position, package_id);

-- Why a package is still in the trash. order_id: the ordered package whose restore left it there.
CREATE TABLE IF NOT EXISTS packages_service.restore_failures (
    workspace_id integer NOT NULL,
    package_id integer NOT NULL,
    reason text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (workspace_id, package_id)
);
ALTER TABLE packages_service.restore_failures ADD COLUMN IF NOT EXISTS order_id integer;
CREATE INDEX IF NOT EXISTS restore_failures_order_idx
    ON packages_service.restore_failures (workspace_id, order_id, package_id);

-- The queue of datasets that have unfinished orders. A dataset is worked on by one worker at a time, the one whose lease
-- has not expired. woken_at changes with every order, so that a worker that stops sees what came in meanwhile.
CREATE TABLE IF NOT EXISTS packages_service.restore_queue (
    workspace_id integer NOT NULL,
    dataset_id integer NOT NULL,
    woken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    due_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 0,
    lease_id uuid,
    leased_until timestamptz,
    served_at timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (workspace_id, dataset_id)
);

-- What others are to be told of restored packages, written with the commit that restored them: a message for the changelog,
-- and the packages whose records of deletion end. A row goes when both are done.
CREATE TABLE IF NOT EXISTS packages_service.restore_outbox (
    id uuid PRIMARY KEY,
    workspace_id integer NOT NULL,
    message text,
    record_node_ids text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT '-infinity'
);
-- Kept for a moment: compressing them would cost more than it saves.
ALTER TABLE packages_service.restore_outbox
    ALTER COLUMN message SET STORAGE EXTERNAL, ALTER COLUMN record_node_ids SET STORAGE EXTERNAL;
CREATE INDEX IF NOT EXISTS restore_outbox_due_idx ON packages_service.restore_outbox (due_at);

-- Orders of a former version are put into the queue; it wrote -infinity where something else had moved the package before.
UPDATE packages_service.restore_orders SET ordered_at = now() WHERE ordered_at = '-infinity';
INSERT INTO packages_service.restore_queue (workspace_id, dataset_id)
SELECT DISTINCT workspace_id, dataset_id FROM packages_service.restore_orders WHERE finished_at IS NULL
ON CONFLICT (workspace_id, dataset_id) DO NOTHING;
