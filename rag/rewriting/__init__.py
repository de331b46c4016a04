"""Questions that need nothing before them, in the words that documents use. Pure."""
