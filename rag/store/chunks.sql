-- The chunks of all collections with vectors of {dimensions} dimensions.
CREATE TABLE rag.{table} (
    id            bigint PRIMARY KEY DEFAULT nextval('rag.chunk_ids'),
    collection_id bigint NOT NULL,
    position      integer NOT NULL, -- in the document, from 0
    page          integer,
    tenant        text NOT NULL,
    document_id   text NOT NULL,
    embedding     halfvec({dimensions}) NOT NULL, -- of unit length; before the texts, which it is read without
    filename      text NOT NULL, -- here as in the document, so that a search reads one table
    title         text NOT NULL,
    headings      text NOT NULL, -- from the outermost to the innermost, U+001F between them
    text          text NOT NULL,
    -- The collection is a word too: a list of common words is then read only where it meets that of the collection.
    words         tsvector NOT NULL GENERATED ALWAYS AS (
        array_to_tsvector(ARRAY['@' || collection_id::text])
        || setweight(to_tsvector('english', title), 'B')
        || setweight(to_tsvector('english', headings), 'B')
        || to_tsvector('english', text)
    ) STORED,
    FOREIGN KEY (tenant, collection_id, document_id)
        REFERENCES rag.documents (tenant, collection_id, id) ON DELETE CASCADE
);
-- A row stays in one piece as long as it fits a page: ranking a hundred chunks would fetch each of their words by itself.
ALTER TABLE rag.{table} SET (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE rag.{table} ALTER text SET STORAGE EXTERNAL, ALTER words SET STORAGE EXTERNAL;
CREATE INDEX {table}_place ON rag.{table} (collection_id, document_id, position);

ALTER TABLE rag.{table} ENABLE ROW LEVEL SECURITY;
ALTER TABLE rag.{table} FORCE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON rag.{table} USING (tenant = (SELECT current_setting('rag.tenant', true)));
