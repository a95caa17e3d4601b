-- The platform's shared tables. Only what this service and its tests use.

CREATE SCHEMA IF NOT EXISTS pennsieve;

CREATE TABLE IF NOT EXISTS pennsieve.organizations (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL,
    slug varchar(255),
    encryption_key_id varchar(255) NOT NULL,
    status varchar(255),
    node_id varchar(255),
    size bigint,
    storage_bucket text CHECK (length(storage_bucket) BETWEEN 3 AND 63),
    publish_bucket text CHECK (length(publish_bucket) BETWEEN 3 AND 63),
    embargo_bucket text CHECK (length(embargo_bucket) BETWEEN 3 AND 63),
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);

CREATE TABLE IF NOT EXISTS pennsieve.users (
    id serial PRIMARY KEY,
    email varchar(255) NOT NULL,
    first_name varchar(255),
    last_name varchar(255),
    is_super_admin boolean,
    preferred_org_id integer,
    status boolean,
    node_id varchar(255),
    cognito_id uuid,
    is_integration_user boolean NOT NULL DEFAULT false,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);
CREATE INDEX IF NOT EXISTS users_cognito_id_idx ON pennsieve.users (cognito_id);

CREATE TABLE IF NOT EXISTS pennsieve.organization_user (
    organization_id integer NOT NULL REFERENCES pennsieve.organizations ON DELETE CASCADE,
    user_id integer NOT NULL REFERENCES pennsieve.users ON DELETE CASCADE,
    permission_bit integer DEFAULT 0,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    PRIMARY KEY (organization_id, user_id)
);

CREATE TABLE IF NOT EXISTS pennsieve.teams (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL,
    node_id varchar(255),
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
);

CREATE TABLE IF NOT EXISTS pennsieve.organization_team (
    organization_id integer NOT NULL REFERENCES pennsieve.organizations ON DELETE CASCADE,
    team_id integer NOT NULL REFERENCES pennsieve.teams ON DELETE CASCADE,
    permission_bit integer DEFAULT 0,
    system_team_type varchar(255),
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    PRIMARY KEY (organization_id, team_id),
    CONSTRAINT unique_system_team_type UNIQUE (organization_id, system_team_type)
);

CREATE TABLE IF NOT EXISTS pennsieve.team_user (
    team_id integer NOT NULL REFERENCES pennsieve.teams ON DELETE CASCADE,
    user_id integer NOT NULL REFERENCES pennsieve.users ON DELETE CASCADE,
    permission_bit integer DEFAULT 0,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    PRIMARY KEY (team_id, user_id)
);

CREATE TABLE IF NOT EXISTS pennsieve.tokens (
    id serial PRIMARY KEY,
    name varchar(255) NOT NULL,
    token varchar(255) NOT NULL,
    organization_id integer NOT NULL REFERENCES pennsieve.organizations ON DELETE CASCADE,
    user_id integer NOT NULL REFERENCES pennsieve.users ON DELETE CASCADE,
    cognito_id uuid NOT NULL,
    last_used timestamp,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    CONSTRAINT unique_token UNIQUE (token),
    CONSTRAINT unique_cognito_id UNIQUE (cognito_id)
);

CREATE TABLE IF NOT EXISTS pennsieve.organization_storage (
    organization_id integer PRIMARY KEY REFERENCES pennsieve.organizations ON DELETE CASCADE,
    size bigint
);

CREATE OR REPLACE FUNCTION pennsieve.touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;

-- Which workspace each dataset belongs to. Triggers on the workspaces' datasets keep it.
CREATE TABLE IF NOT EXISTS pennsieve.dataset_organization (
    dataset_node_id varchar(255) PRIMARY KEY,
    organization_id integer NOT NULL REFERENCES pennsieve.organizations ON DELETE CASCADE
);

-- The schema of the changed table is the workspace's number.
CREATE OR REPLACE FUNCTION pennsieve.keep_dataset_organization() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM pennsieve.dataset_organization
        WHERE dataset_node_id = OLD.node_id AND organization_id = TG_TABLE_SCHEMA::int;
    END IF;
    IF TG_OP <> 'DELETE' AND NEW.node_id IS NOT NULL THEN
        INSERT INTO pennsieve.dataset_organization VALUES (NEW.node_id, TG_TABLE_SCHEMA::int)
        ON CONFLICT (dataset_node_id) DO UPDATE SET organization_id = excluded.organization_id;
    END IF;
    RETURN NULL;
END
$$;

-- Lists the datasets that a workspace has, and keeps the list from then on.
CREATE OR REPLACE FUNCTION pennsieve.track_datasets(workspace integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE TRIGGER datasets_keep_organization AFTER INSERT OR DELETE OR UPDATE OF node_id ON %I.datasets
         FOR EACH ROW EXECUTE FUNCTION pennsieve.keep_dataset_organization()', workspace);
    EXECUTE format(
        'INSERT INTO pennsieve.dataset_organization
         SELECT DISTINCT node_id, %s FROM %I.datasets WHERE node_id IS NOT NULL ON CONFLICT DO NOTHING', workspace, workspace);
END
$$;
