"""Content policy: what may be asked and answered."""
