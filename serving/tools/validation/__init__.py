"""Whether a deployment does what its clients rely on, seen from outside."""
