"""What is known of English here: words, periods and names in questions and passages. Pure."""
