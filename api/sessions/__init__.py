"""What an agent's conversation remembers."""
