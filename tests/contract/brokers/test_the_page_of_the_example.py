"""The snippets of docs/writing-a-broker.md: they run at the example's broker, and name what there is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import fields
from decimal import Decimal
from types import FunctionType

import pytest

from liveorder.application.ports.brokerage import Brokerage
from liveorder.application.ports.instruments import InstrumentQuery
from liveorder.domain.values import TradingMode
from liveorder.testing.broker_contract import BrokerContract
from liveorder.testing.certification import Certification
from liveorder.testing.exchange import open_exchange
from liveorder.testing.stage import Stage, on_stage, stage_settings
from liveorder.testing.trials import TinyOrder
from liveorder.testing.venue.settings import VenueAccount
from tests.contract.brokers import test_the_example as example
from tests.contract.brokers.test_certification import QuickClock
from tests.documentation import SNIPPETS

PAGE = "docs/writing-a-broker.md"
OUTLINE, SHOWN, CERTIFYING = (SNIPPETS[f"{PAGE}-{number}"] for number in (1, 2, 3))
IN_THE_OUTLINE = {each.__name__ for each in (VenueAccount, BrokerContract, Stage, on_stage, open_exchange, pytest, stage_settings)}
AROUND_THE_CERTIFICATION = {
    each.__name__: each for each in (Brokerage, Certification, Decimal, InstrumentQuery, TinyOrder, TradingMode)
}


async def test_the_certification_runs(capsys: pytest.CaptureFixture[str]) -> None:
    code = compile(CERTIFYING.text, PAGE, "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    async with example.corner_stage() as stage:
        parts = {each.name: getattr(stage.brokerage, each.name) for each in fields(stage.brokerage)}
        await FunctionType(code, {**AROUND_THE_CERTIFICATION, **parts, "SystemClock": QuickClock})()
    assert "agrees=True" in capsys.readouterr().out


def test_the_outline_has_names_that_there_are() -> None:
    names = [each for each in ast.walk(ast.parse(OUTLINE.text)) if isinstance(each, ast.Name)]
    made = {each.id for each in names if isinstance(each.ctx, ast.Store)}
    assert {each.id for each in names} - made == IN_THE_OUTLINE


def test_the_number_of_cases_is_that_of_the_example() -> None:
    listing = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", str(example.__file__)]
    count = len(re.findall("::test_", subprocess.run(listing, check=True, capture_output=True, text=True).stdout))
    assert f"{count - len(example.CANNOT)} passed, {len(example.CANNOT)} xfailed" in SHOWN.text
