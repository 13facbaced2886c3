"""`python -m liveorder.interfaces.cli` is the `liveorder` command."""

from liveorder.interfaces.cli.main import app

app(prog_name="liveorder")
