-- Run again for each new table.
GRANT USAGE ON SCHEMA rag TO rag_tenant;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA rag TO rag_tenant;
REVOKE INSERT, UPDATE, DELETE ON rag.schema_version FROM rag_tenant;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA rag TO rag_tenant;
