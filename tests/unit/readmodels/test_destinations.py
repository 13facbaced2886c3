import json
from datetime import timedelta
from pathlib import Path

from liveorder.application.outbox.notifier import Notice
from liveorder.application.outbox.publisher import Confirmation
from liveorder.application.ports.activity_log import REPEATED
from liveorder.application.reporting.views import confirmation_view
from liveorder.infrastructure.notifiers.log import BELATED, LogNotifier
from liveorder.infrastructure.publishers.jsonl import JsonLinesPublisher
from tests.builders import SENT, START, fill, order_of

VIEW = confirmation_view(order_of(SENT, fill("e1", 100, "235.15")))


def confirmation(number: int) -> Confirmation:
    return Confirmation(f"order:{number}", VIEW)


def ids(path: Path) -> list[str]:
    return [json.loads(line)["message_id"] for line in path.read_text().splitlines()]


async def test_confirmations_become_lines_with_the_fields_of_the_order(tmp_path: Path) -> None:
    path = tmp_path / "out" / "confirmations.jsonl"
    await JsonLinesPublisher(path).publish([confirmation(1), confirmation(2)])
    assert ids(path) == ["order:1", "order:2"]
    assert json.loads(path.read_text().splitlines()[0]) == {"message_id": "order:1"} | VIEW.to_dict()


async def test_later_confirmations_follow_those_of_an_earlier_run(tmp_path: Path) -> None:
    path = tmp_path / "confirmations.jsonl"
    for number in range(3):
        await JsonLinesPublisher(path).publish([confirmation(number)])
    assert ids(path) == ["order:0", "order:1", "order:2"]


async def test_a_line_that_a_crash_left_unfinished_is_cut_off_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "confirmations.jsonl"
    await JsonLinesPublisher(path).publish([confirmation(1)])
    with path.open("a") as file:
        file.write('{"message_id": "order:2", "ord')
    await JsonLinesPublisher(path).publish([confirmation(2)])
    assert ids(path) == ["order:1", "order:2"]


def test_a_publisher_is_named_by_its_file() -> None:
    assert JsonLinesPublisher(Path("/var/confirmations.jsonl")).name == "jsonl:confirmations.jsonl"


class Lines:
    def __init__(self) -> None:
        self.written: list[tuple[str, str, dict[str, object]]] = []

    def write(self, category: str, sentence: str, **fields: object) -> None:
        self.written.append((category, sentence, fields))


async def test_a_notice_becomes_a_line_that_can_be_followed_by_its_ids() -> None:
    lines = Lines()
    notifier = LogNotifier(lines, since=START)
    await notifier.notify([Notice("order:4", "EXECUTION", "Order filled: 100 @ 235.15", START, "order", "signal-1")])
    ((category, sentence, fields),) = lines.written
    assert (notifier.name, category, sentence) == ("log", "EXECUTION", "Order filled: 100 @ 235.15")
    assert fields.items() >= {"notice_id": "order:4", "order_id": "order", "signal_id": "signal-1"}.items()


async def test_a_notice_of_an_earlier_run_is_news_and_one_of_this_run_is_not() -> None:
    lines = Lines()
    moments = (START - timedelta(seconds=1), START)
    await LogNotifier(lines, since=START).notify([Notice("o:1", "WARNING", "Trading halted", moment) for moment in moments])
    assert [fields["event_type"] for _, _, fields in lines.written] == [BELATED, REPEATED]
