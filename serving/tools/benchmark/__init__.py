"""How fast an OpenAI-compatible server answers, seen from a client."""
