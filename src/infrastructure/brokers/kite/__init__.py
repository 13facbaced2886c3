"""Zerodha Kite, through `kiteconnect`. That library's types stay inside this package."""
