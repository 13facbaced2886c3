"""`python -m liveorder` is the `liveorder` command."""

from liveorder.interfaces.cli.main import app

if __name__ == "__main__":
    app(prog_name="liveorder")
