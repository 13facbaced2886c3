"""Alpaca, through alpaca-py. The SDK's types stay in this package, and its models are not used: they turn numbers into floats."""
