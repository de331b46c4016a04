"""A corpus in Postgres with pgvector: what is stored, who may see it, and how it is found."""
