"""Failure drills, driven over HTTP and Docker from the outside."""
