-- Where a vector fits a page. Of vectors of unit length the inner product orders as the cosine does, for less.
ALTER TABLE rag.{table} ALTER embedding SET STORAGE PLAIN;
CREATE INDEX {table}_graph ON rag.{table} USING hnsw (embedding halfvec_ip_ops) WITH (m = {m}, ef_construction = {ef_construction});
