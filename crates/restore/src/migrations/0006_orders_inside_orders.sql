-- An order inside a folder that is ordered too counts for both.

ALTER TABLE packages_service.restore_orders
    -- Since when these numbers count.
    ADD COLUMN IF NOT EXISTS begun_at timestamptz NOT NULL DEFAULT now(),
    -- The order of the nearest folder above that was unfinished at the same time: this one's numbers count for it too.
    ADD COLUMN IF NOT EXISTS within_id integer;
CREATE INDEX IF NOT EXISTS restore_orders_within_idx
    ON packages_service.restore_orders (workspace_id, within_id) WHERE within_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS restore_claims_order_idx
    ON packages_service.restore_claims (workspace_id, order_id);
