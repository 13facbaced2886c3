"""What people and reports read of the log.

1. A read model is derived from events alone: deletable, rebuildable, equal after a rebuild.
2. Its rows and its place in the log change in one transaction.
3. No decision about an order reads one.
"""
