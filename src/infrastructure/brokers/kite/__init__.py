"""Zerodha Kite, through `kiteconnect`. Nothing of that library leaves this package."""
