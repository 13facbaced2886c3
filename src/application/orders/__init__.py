"""What we know of orders.

1. Decide, record durably, change memory: `order_register` alone appends events of an order.
2. The steps of one order follow one another; nobody holds an order while a broker is called.
3. A report never bounces: it changes the order that it matches, or is kept as unmatched.
4. A report that comes twice changes nothing the second time.
5. `position_register` alone appends what changes positions without an order, one event of a position after the other.
"""
