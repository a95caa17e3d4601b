-- A claim without an order is one on a deleted folder above: it comes back with the first package beneath it.

DO $$ BEGIN
    -- Only once: the column is gone afterwards.
    IF EXISTS (SELECT FROM information_schema.columns WHERE table_schema = 'packages_service'
               AND table_name = 'restore_claims' AND column_name = 'is_ancestor')
    THEN
        ALTER TABLE packages_service.restore_claims ALTER COLUMN order_id DROP NOT NULL;
        UPDATE packages_service.restore_claims SET order_id = NULL WHERE is_ancestor;
        ALTER TABLE packages_service.restore_claims DROP COLUMN IF EXISTS is_ancestor;
    END IF;
END $$;
