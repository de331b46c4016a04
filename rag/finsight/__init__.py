"""The worked example: questions about the financials of fictional companies. The only room that knows FinSight."""
