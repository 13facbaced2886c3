"""A small adapter for a made-up broker, Corner Exchange, and the server that stands in for it. See docs/writing-a-broker.md."""
