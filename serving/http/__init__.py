"""A small HTTP/1.1 client for the calls to engines: see docs/adr/008-http-client.md for why it is our own."""
