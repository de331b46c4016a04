-- Without a list of pending rows, which every search would read from end to end.
CREATE INDEX {table}_words ON rag.{table} USING gin (words rag.words_ops) WITH (fastupdate = off);
