"""`make mutations`: each field ignored, one after the other. A row that does not notice is told, and the exit code is 1.

`python -m tests.effects PREFIX…` looks at the fields whose paths begin so.
"""

from __future__ import annotations

import os
import sys

from tests.effects.fields import every_field, ignored
from tests.effects.rows import ROWS
from tests.memory import folder_in_memory


def noticed(path: str) -> str | None:
    """How the row of a field that is ignored fails; None: it does not."""
    with folder_in_memory() as folder, ignored(every_field()[path]):
        os.chdir(folder)
        try:
            ROWS[path].check(folder)
        except Exception as error:  # noqa: BLE001 - whatever it is, the row fails
            return f"{type(error).__name__}: {error}"
        finally:
            os.chdir("/")
    return None


def main(prefixes: list[str]) -> int:
    paths = [path for path in ROWS if not prefixes or path.startswith(tuple(prefixes))]
    survived = 0
    for path in paths:
        how = noticed(path)
        survived += how is None
        sys.stdout.write(f"{path:<40} {'NOT NOTICED' if how is None else ' '.join(how.split())[:150]}\n")
    sys.stdout.write(f"{len(paths)} fields ignored, one after the other: {len(paths) - survived} rows fail, {survived} do not.\n")
    return 1 if survived else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
