"""What is known about a question as a whole: its type, its parts, what it is about."""
