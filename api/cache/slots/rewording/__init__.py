"""One form for questions that ask the same in other words: passes over the items of a question."""
