"""A server that speaks Alpaca's wire protocol over the simulated exchange."""
