"""A broker, a source, a publisher and a notifier for liveorder, each a file of its own."""
