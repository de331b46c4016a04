-- Collections and documents. Every table has a policy by which a row is there only for its own tenant, named by the
-- setting `rag.tenant` of the transaction; FORCE binds the owner of the tables too. Nothing is granted to PUBLIC.
CREATE TABLE rag.schema_version (version integer NOT NULL);

-- One sequence for all collections: a collection that is deleted and made again has a version it never had.
CREATE SEQUENCE rag.versions;
CREATE SEQUENCE rag.chunk_ids;

CREATE TABLE rag.collections (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant     text NOT NULL CHECK (tenant <> ''), -- '' is what is left of `rag.tenant` after its transaction
    name       text NOT NULL,
    embedder   text NOT NULL,
    dimensions integer NOT NULL CHECK (dimensions BETWEEN 1 AND 16000),
    version    bigint NOT NULL DEFAULT 0, -- 0: a place kept for the first document, which is not there yet
    documents  bigint NOT NULL DEFAULT 0,
    chunks     bigint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (tenant, name),
    UNIQUE (tenant, id) -- what references it names the tenant too: nothing can be hung onto another tenant's rows
);

CREATE TABLE rag.documents (
    id            text PRIMARY KEY,
    tenant        text NOT NULL,
    collection_id bigint NOT NULL,
    filename      text NOT NULL,
    title         text NOT NULL,
    media_type    text NOT NULL,
    bytes         bigint NOT NULL,
    chunks        integer NOT NULL,
    content_hash  text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (tenant, collection_id, id),
    UNIQUE (collection_id, content_hash),
    FOREIGN KEY (tenant, collection_id) REFERENCES rag.collections (tenant, id) ON DELETE CASCADE
);
CREATE INDEX documents_newest ON rag.documents (collection_id, created_at DESC, id DESC);

ALTER TABLE rag.collections ENABLE ROW LEVEL SECURITY;
ALTER TABLE rag.collections FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON rag.collections USING (tenant = (SELECT current_setting('rag.tenant', true)));

ALTER TABLE rag.documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE rag.documents FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON rag.documents USING (tenant = (SELECT current_setting('rag.tenant', true)));
