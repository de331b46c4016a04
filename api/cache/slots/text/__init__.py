"""The text of a question: taken out of its wrapping, respelled, and cut into words."""
