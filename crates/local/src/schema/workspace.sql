-- The tables of one workspace. Only what this service and its tests use. WORKSPACE stands for the name of the schema, which is
-- the workspace's number.
--
-- The platform's foreign keys to the shared tables are left out: creating one locks the shared table against writers, and
-- tests create workspaces concurrently.

CREATE SCHEMA "WORKSPACE";

CREATE TABLE "WORKSPACE".dataset_status (
    id serial PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 60),
    display_name text NOT NULL UNIQUE CHECK (length(display_name) BETWEEN 1 AND 60),
    original_name text,
    color text,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
INSERT INTO "WORKSPACE".dataset_status (name, display_name, original_name, color) VALUES
    ('NO_STATUS', 'No Status', 'NO_STATUS', '#71747C'),
    ('WORK_IN_PROGRESS', 'Work in Progress', 'WORK_IN_PROGRESS', '#2760FF'),
    ('IN_REVIEW', 'In Review', 'IN_REVIEW', '#FFB000'),
    ('COMPLETED', 'Completed', 'COMPLETED', '#17BB62');

CREATE TABLE "WORKSPACE".datasets (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL,
    state varchar(40) NOT NULL,
    description varchar(255),
    node_id varchar(255),
    permission_bit integer,
    type varchar(255) DEFAULT 'research',
    role varchar(50),
    status varchar(255) DEFAULT 'NO_STATUS',
    automatically_process_packages boolean DEFAULT false,
    license varchar(255),
    tags varchar(255)[] NOT NULL DEFAULT '{}',
    contributors varchar(255)[] NOT NULL DEFAULT '{}',
    status_id integer NOT NULL REFERENCES "WORKSPACE".dataset_status ON DELETE RESTRICT,
    size bigint,
    etag timestamp NOT NULL DEFAULT now(),
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX datasets_tmp_node_id_idx ON "WORKSPACE".datasets (node_id);

CREATE TABLE "WORKSPACE".packages (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL,
    type varchar(40) NOT NULL,
    state varchar(40) NOT NULL,
    dataset_id integer NOT NULL REFERENCES "WORKSPACE".datasets ON DELETE CASCADE,
    parent_id integer REFERENCES "WORKSPACE".packages ON DELETE CASCADE,
    attributes jsonb,
    node_id varchar(255),
    size bigint,
    owner_id integer,
    import_id uuid,
    replaces_package_id integer REFERENCES "WORKSPACE".packages ON DELETE SET NULL,
    replaced_by_package_id integer REFERENCES "WORKSPACE".packages ON DELETE SET NULL,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    CONSTRAINT unique_node_id UNIQUE (node_id),
    CONSTRAINT packages_dataset_id_import_id_key UNIQUE (dataset_id, import_id),
    CONSTRAINT packages_only_files_replace CHECK (type <> 'Collection' OR replaces_package_id IS NULL),
    CONSTRAINT packages_only_files_replaced_by CHECK (type <> 'Collection' OR replaced_by_package_id IS NULL)
);
CREATE UNIQUE INDEX packages_name_dataset_id__parent_id_null_idx
    ON "WORKSPACE".packages (name, dataset_id) WHERE parent_id IS NULL;
CREATE UNIQUE INDEX packages_name_dataset_id_parent_id__parent_id_not_null_idx
    ON "WORKSPACE".packages (name, dataset_id, parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX packages_parent_id_idx ON "WORKSPACE".packages (parent_id);
CREATE TRIGGER packages_update_updated_at BEFORE UPDATE ON "WORKSPACE".packages
    FOR EACH ROW EXECUTE FUNCTION pennsieve.touch_updated_at();

CREATE TABLE "WORKSPACE".files (
    id serial PRIMARY KEY,
    package_id integer NOT NULL REFERENCES "WORKSPACE".packages ON DELETE CASCADE,
    name varchar(255),
    file_type varchar(255),
    s3_bucket varchar(255),
    s3_key varchar(255),
    object_type varchar(255) NOT NULL,
    size bigint DEFAULT 0,
    checksum jsonb,
    processing_state varchar(255) NOT NULL,
    uuid uuid NOT NULL DEFAULT gen_random_uuid(),
    uploaded_state varchar(255),
    properties jsonb,
    asset_type varchar(255),
    provenance_id uuid,
    published boolean NOT NULL DEFAULT false,
    published_s3_version_id text CHECK (published_s3_version_id <> ''),
    scan_status varchar(50) NOT NULL DEFAULT 'pending',
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    CONSTRAINT unique_uuid UNIQUE (uuid),
    CONSTRAINT processing_state_constraint CHECK (
        (object_type = 'source') = (processing_state IN ('processed', 'unprocessed'))
        AND (object_type IN ('file', 'view')) = (processing_state = 'not_processable')
    )
);
CREATE INDEX files_package_id_idx ON "WORKSPACE".files (package_id);
CREATE TRIGGER files_update_updated_at BEFORE UPDATE ON "WORKSPACE".files
    FOR EACH ROW EXECUTE FUNCTION pennsieve.touch_updated_at();

CREATE TABLE "WORKSPACE".package_storage (
    package_id integer PRIMARY KEY REFERENCES "WORKSPACE".packages ON DELETE CASCADE,
    size bigint
);

CREATE TABLE "WORKSPACE".dataset_storage (
    dataset_id integer PRIMARY KEY REFERENCES "WORKSPACE".datasets ON DELETE CASCADE,
    size bigint
);

CREATE TABLE "WORKSPACE".dataset_user (
    dataset_id integer NOT NULL REFERENCES "WORKSPACE".datasets ON DELETE CASCADE,
    user_id integer NOT NULL,
    permission_bit integer NOT NULL DEFAULT 0,
    role varchar(50),
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    PRIMARY KEY (dataset_id, user_id)
);

CREATE TABLE "WORKSPACE".dataset_team (
    dataset_id integer NOT NULL REFERENCES "WORKSPACE".datasets ON DELETE CASCADE,
    team_id integer NOT NULL,
    permission_bit integer NOT NULL DEFAULT 0,
    role varchar(50),
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    PRIMARY KEY (dataset_id, team_id)
);

SELECT pennsieve.track_datasets(WORKSPACE);
