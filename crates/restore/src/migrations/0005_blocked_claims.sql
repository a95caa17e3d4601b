-- Claims on packages that the platform is still deleting are looked up by themselves.
CREATE INDEX IF NOT EXISTS restore_claims_blocked_idx
    ON packages_service.restore_claims (workspace_id, dataset_id) WHERE is_blocked;

-- The version of 0001 wrote -infinity where another service had moved the package.
UPDATE packages_service.restore_orders SET ordered_at = now() WHERE ordered_at = '-infinity';
