"""Messages of the sources become orders or dead letters.

1. A message is acknowledged only once its order, its refusal or its dead letter is stored.
2. A message that is read again adds nothing.
3. A dead letter stands until a person retries it.
4. A source waits while the dispatcher is full; nothing is dropped.
"""
