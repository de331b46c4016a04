"""The OpenAI wire format: requests in, replies and chunks out."""
