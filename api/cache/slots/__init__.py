"""What a question means, as typed slots: pure functions over its words and a lexicon in data files."""
