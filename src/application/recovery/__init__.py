"""What we find out: outcomes that are unknown, what the broker holds, after a start and after a lost connection.

1. Nothing is sent that could be at the broker already.
2. An unknown outcome ends by evidence or by a person, never by time alone.
3. Answers change orders the ordinary way, through `orders.apply_reports`: recovery is no second way of doing things.
4. What a broker pushes is a hint; what it answers when asked counts.
"""
