"""JSON values that fit a JSON schema, for forced tool calls and structured output."""
