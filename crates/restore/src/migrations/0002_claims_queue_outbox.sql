-- Restores work in batches, from a queue: claims, the queue, the outbox, and the progress of orders.

ALTER TABLE packages_service.restore_orders
    -- When the packages that it holds were recorded in restore_claims; null: not yet.
    ADD COLUMN IF NOT EXISTS claimed_at timestamptz,
    ADD COLUMN IF NOT EXISTS finished_at timestamptz,
    ADD COLUMN IF NOT EXISTS updated_at timestamptz NOT NULL DEFAULT now(),
    -- Packages that it holds or held, those that came back and those that did not; bytes that came back.
    ADD COLUMN IF NOT EXISTS total bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS restored bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS failed bigint NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS bytes bigint NOT NULL DEFAULT 0;
CREATE INDEX IF NOT EXISTS restore_orders_open_idx
    ON packages_service.restore_orders (workspace_id, dataset_id) WHERE finished_at IS NULL;
CREATE INDEX IF NOT EXISTS restore_orders_finished_idx
    ON packages_service.restore_orders (finished_at) WHERE finished_at IS NOT NULL;

-- What an order holds: one row for each package that is to come back. claimed_at distinguishes a claim from a later one on
-- the same package.
CREATE TABLE IF NOT EXISTS packages_service.restore_claims (
    workspace_id integer NOT NULL,
    package_id integer NOT NULL,
    dataset_id integer NOT NULL,
    -- The package that was ordered.
    order_id integer NOT NULL,
    -- Folders between the package and the dataset's top.
    depth integer NOT NULL,
    -- The package itself was ordered, so it is RESTORING until it is done or deleted again.
    is_ordered boolean NOT NULL DEFAULT false,
    -- A deleted folder above an ordered package.
    is_ancestor boolean NOT NULL DEFAULT false,
    -- The platform is still deleting it.
    is_blocked boolean NOT NULL DEFAULT false,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Failed attempts, and when the next one may begin.
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (workspace_id, package_id)
);

-- order_id: the ordered package whose restore left it in the trash.
ALTER TABLE packages_service.restore_failures
    ADD COLUMN IF NOT EXISTS order_id integer;
CREATE INDEX IF NOT EXISTS restore_failures_order_idx
    ON packages_service.restore_failures (workspace_id, order_id, package_id);

-- The queue of datasets that have unfinished orders. One worker at a time works on a dataset: the one whose lease has not
-- expired. woken_at changes with every order, so that a worker that stops sees what came in meanwhile.
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

-- What is to be delivered about restored packages, written with the commit that restored them: a message for the changelog,
-- and the packages whose delete records are removed. A row is removed when both are done.
CREATE TABLE IF NOT EXISTS packages_service.restore_outbox (
    id uuid PRIMARY KEY,
    workspace_id integer NOT NULL,
    message text,
    record_node_ids text[] NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    attempts integer NOT NULL DEFAULT 0,
    due_at timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX IF NOT EXISTS restore_outbox_due_idx ON packages_service.restore_outbox (due_at);

-- The orders of 0001 are put into the queue.
INSERT INTO packages_service.restore_queue (workspace_id, dataset_id)
SELECT DISTINCT workspace_id, dataset_id FROM packages_service.restore_orders WHERE finished_at IS NULL
ON CONFLICT (workspace_id, dataset_id) DO NOTHING;
