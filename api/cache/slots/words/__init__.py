"""What each word or group of words is: the lexicon, names, and a question as a row of items."""
