"""Stop trading, close positions.

1. A halt stops this process's submissions at once, and is stored as soon as the store can be written.
2. A cancel waits at most two seconds for the store. Then it is sent, and recorded later from the emergency journal.
3. FLAT is what the broker reports after the closing orders, never what was requested; and no strategy holds what it lacks.
4. What is one closing is one order, whatever dies in between: see `flatten`.
"""
