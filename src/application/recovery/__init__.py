"""What we find out: unknown outcomes and the broker's state, after a start and after a lost connection.

1. Nothing is sent that could already be at the broker.
2. An unknown outcome ends by evidence or by a person, never by time alone.
3. Answers change orders only through `orders.apply_reports`, as in normal operation.
4. A broker's pushes are hints; its answers to questions count.
"""
