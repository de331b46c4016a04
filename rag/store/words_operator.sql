-- What keyword search needs of a superuser, once in a database. Changes nothing when it is run again.
--
-- Postgres asks an index only about conditions that cannot tell of rows that a policy hides. Of its own `@@` it does
-- not know that; this one is the same function under a promise that only a superuser may give: it looks at a row and a
-- query, and says yes or no.
CREATE SCHEMA IF NOT EXISTS rag;

CREATE OR REPLACE FUNCTION rag.contains_words(tsvector, tsquery) RETURNS boolean
    LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF AS 'ts_match_vq';

DO $$ BEGIN
    IF to_regoperator('rag.@@(tsvector,tsquery)') IS NULL THEN
        CREATE OPERATOR rag.@@ (
            LEFTARG = tsvector, RIGHTARG = tsquery, FUNCTION = rag.contains_words,
            RESTRICT = tsmatchsel, JOIN = tsmatchjoinsel
        );
        -- As tsvector_ops, save for the operator.
        CREATE OPERATOR CLASS rag.words_ops FOR TYPE tsvector USING gin AS
            OPERATOR 1 rag.@@ (tsvector, tsquery),
            FUNCTION 1 gin_cmp_tslexeme(text, text),
            FUNCTION 2 gin_extract_tsvector(tsvector, internal, internal),
            FUNCTION 3 gin_extract_tsquery(tsvector, internal, smallint, internal, internal, internal, internal),
            FUNCTION 4 gin_tsquery_consistent(
                internal, smallint, tsvector, integer, internal, internal, internal, internal),
            FUNCTION 5 gin_cmp_prefix(text, text, smallint, internal),
            FUNCTION 6 gin_tsquery_triconsistent(
                internal, smallint, tsvector, integer, internal, internal, internal),
            STORAGE text;
    END IF;
END $$;
