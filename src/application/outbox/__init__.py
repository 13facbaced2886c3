"""Effects outside the store: confirmations and alerts.

1. Each is delivered at least once, in the order of the log, with an id that never changes.
2. A failing destination delays no other, and continues where it stopped.
3. A replay sends nothing.
"""
