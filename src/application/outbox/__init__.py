"""Effects outside the store: confirmations and alerts.

1. They leave at least once, in the order of the log, with ids that never change.
2. A destination that fails waits alone, and goes on where it was.
3. A replay sends nothing.
"""
