-- The role that statements of a tenant run as: it owns nothing and may bypass nothing. Roles belong to the server, so
-- another of its databases may make it in the same instant.
DO $$ BEGIN
    IF to_regrole('rag_tenant') IS NULL THEN
        CREATE ROLE rag_tenant NOLOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$;
