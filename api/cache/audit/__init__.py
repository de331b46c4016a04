"""Whether hits were right: some are asked again of an engine, and the answers compared."""
