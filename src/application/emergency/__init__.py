"""Stop trading, close positions.

1. A halt stops submissions of this process at once, and stands in the store as soon as that can be written.
2. A cancel waits at most two seconds for the store; then it is sent, and recorded later from the emergency journal.
3. FLAT is what the broker reports after the closing orders, never what was asked for.
"""
