-- Batches are taken by position: folders from the top down, then files as S3 lists them.

DO $$ BEGIN
    -- Only once: the column is gone afterwards, and with it an index on it.
    IF EXISTS (SELECT FROM information_schema.columns WHERE table_schema = 'packages_service'
               AND table_name = 'restore_claims' AND column_name = 'depth')
    THEN
        ALTER TABLE packages_service.restore_claims ADD COLUMN IF NOT EXISTS position bigint;
        UPDATE packages_service.restore_claims SET position = depth;
        ALTER TABLE packages_service.restore_claims ALTER COLUMN position SET NOT NULL;
        ALTER TABLE packages_service.restore_claims DROP COLUMN IF EXISTS depth;
    END IF;
END $$;
CREATE INDEX IF NOT EXISTS restore_claims_next_idx
    ON packages_service.restore_claims (workspace_id, dataset_id, position, package_id);

-- Rows live for a moment: compressing them would cost more than it saves.
ALTER TABLE packages_service.restore_outbox
    ALTER COLUMN message SET STORAGE EXTERNAL, ALTER COLUMN record_node_ids SET STORAGE EXTERNAL;
