-- No index begins with workspace_id, but the key of the queue, which has no other index. For a workspace that had no rows at
-- the last ANALYZE, the planner expects one row for workspace_id alone, by whichever index. It looked up packages by an index
-- on orders, and read all rows of the workspace for each package. The first column is now what a statement looks for, so only
-- one index fits each look-up.

DO $$ DECLARE changed text; BEGIN
    -- Only once. ON CONFLICT (workspace_id, package_id), as all versions write it, fits a key in either order.
    FOR changed IN
        SELECT c.relname FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        WHERE k.connamespace = 'packages_service'::regnamespace AND k.contype = 'p'
          AND c.relname IN ('restore_orders', 'restore_claims', 'restore_failures')
          AND pg_get_constraintdef(k.oid) = 'PRIMARY KEY (workspace_id, package_id)'
    LOOP
        EXECUTE format('ALTER TABLE packages_service.%1$I DROP CONSTRAINT %2$I,
                        ADD CONSTRAINT %2$I PRIMARY KEY (package_id, workspace_id)', changed, changed || '_pkey');
    END LOOP;
END $$;

-- The new indexes come first: a version that still runs is never without one.
CREATE INDEX IF NOT EXISTS restore_claims_position_idx
    ON packages_service.restore_claims (dataset_id, workspace_id, position, package_id);
CREATE INDEX IF NOT EXISTS restore_claims_held_idx
    ON packages_service.restore_claims (order_id, workspace_id);
CREATE INDEX IF NOT EXISTS restore_claims_waiting_idx
    ON packages_service.restore_claims (dataset_id, workspace_id) WHERE is_blocked;
CREATE INDEX IF NOT EXISTS restore_failures_counted_idx
    ON packages_service.restore_failures (order_id, workspace_id, package_id);
CREATE INDEX IF NOT EXISTS restore_orders_unfinished_idx
    ON packages_service.restore_orders (dataset_id, workspace_id) WHERE finished_at IS NULL;
CREATE INDEX IF NOT EXISTS restore_orders_inner_idx
    ON packages_service.restore_orders (within_id, workspace_id) WHERE within_id IS NOT NULL;

DROP INDEX IF EXISTS packages_service.restore_claims_next_idx;
DROP INDEX IF EXISTS packages_service.restore_claims_order_idx;
DROP INDEX IF EXISTS packages_service.restore_claims_blocked_idx;
DROP INDEX IF EXISTS packages_service.restore_failures_order_idx;
DROP INDEX IF EXISTS packages_service.restore_orders_open_idx;
DROP INDEX IF EXISTS packages_service.restore_orders_within_idx;
