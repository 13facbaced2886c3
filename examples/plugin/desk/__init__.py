"""A broker, a source, a publisher, a notifier and a projection for liveorder, each a file of its own."""
