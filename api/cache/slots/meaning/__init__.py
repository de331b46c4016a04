"""What the items of a question come to: which words count, whether their order does, and the slots."""
