"""What the tests share that let an engine crash, fail and live again: in virtual time, in real processes, and by the thousand."""
