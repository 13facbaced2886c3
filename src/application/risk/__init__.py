"""Whether an order may be sent.

1. An account's figures change in the transaction of the event that changes them.
2. What is decided but not yet committed counts: two orders decided at once do not both take what is left.
3. An order that only reduces a position is not refused for want of a price or of buying power.
4. A halt is looked up in memory first, and checked again in the store's transaction.
"""
