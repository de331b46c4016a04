"""Real services on this machine without root, Docker or a package manager: for `make up` and for the tests."""
