"""What answering from documents comes to: how rightly passages are found, how fast, and how fast documents go in."""
