"""Money per tenant and calendar month, never overspent."""
