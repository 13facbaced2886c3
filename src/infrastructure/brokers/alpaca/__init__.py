"""Alpaca, through alpaca-py. The SDK's types stay inside this package. Its models are not used: they turn numbers into floats."""
