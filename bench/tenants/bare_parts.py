"""What a bare gateway may be asked to leave out."""

LIMITS, LEDGER = "limits", "ledger"
