"""Which claim a signal is, and which client order ids a store knows as its own."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from liveorder.domain.claim import IdempotencyClaim, claims_meant, recognition
from liveorder.domain.identifiers import KEY_VERSIONS, KeyRing, SignalKey
from liveorder.domain.resent_signal import SignalContentDiffers, SignalKnownOnSeveralAccounts, claim_meant, claim_of, same_order
from liveorder.domain.signal import Signal
from tests.builders import intent, order_of

KEYS = KeyRing("here", 1, ("before",), (0, 1))


def claim(
    account_id: str, namespace: str = "here", age: int = 1, signal_id: str = "sig", client_order_id: str = ""
) -> IdempotencyClaim:
    return IdempotencyClaim(namespace, account_id, signal_id, 1, client_order_id or f"{namespace}-{account_id}", UUID(int=age), "f")


HERE, OLDER, B, C = claim("A", age=3), claim("A", "before", age=1), claim("B"), claim("C", age=2)
ELSEWHERE = claim("B", "before")


@pytest.mark.parametrize(
    ("claims", "named", "meant"),
    [
        ([], None, []),
        ([HERE], "A", [HERE]),
        ([HERE], None, [HERE]),
        ([OLDER], "A", [OLDER]),
        ([OLDER, HERE], "A", [HERE]),
        ([claim("A", "long ago", 2), OLDER], "A", [OLDER]),
        ([B], None, [B]),
        ([B, HERE], None, [HERE]),
        ([B, C], None, [B, C]),
        ([ELSEWHERE, C], None, [C]),
        ([ELSEWHERE], None, [ELSEWHERE]),
    ],
)
def test_the_claim_that_is_meant(claims: list[IdempotencyClaim], named: str | None, meant: list[IdempotencyClaim]) -> None:
    """The signal's account or the default one first, the store's own namespace before others, the oldest before younger ones."""
    assert list(claims_meant(claims, KEYS, named, "A")) == meant


def test_a_signal_is_recognised_by_id_or_by_any_key_that_it_may_have_had() -> None:
    named, unnamed = recognition(KEYS, "sig", "A", ("A", "B")), recognition(KEYS, "sig", None, ("A", "B"))
    assert (named.fits(HERE), named.fits(B)) == (True, False)
    assert (unnamed.fits(HERE), unnamed.fits(B)) == (True, True)
    adopted = claim("B", signal_id="adopted-order-7", client_order_id=SignalKey("before", "B", "sig").derived(0))
    assert (named.fits(adopted), unnamed.fits(adopted)) == (False, True)
    assert not unnamed.fits(claim("A", signal_id="another"))


def test_every_derivation_is_of_one_form_and_its_own() -> None:
    ids = KEYS.possible_ids("A", "sig")
    assert len(set(ids)) == len(ids) == len(KEY_VERSIONS) * 2
    assert {len(each) for each in ids} == {20}
    assert ids[0] == KEYS.client_order_id("A", "sig") == SignalKey("here", "A", "sig").derived(1)
    assert [KEYS.version_of(each, "A", "sig") for each in ids[:2]] == [1, 0]
    assert KEYS.version_of("ADOPTEDKEYOFANOTHER2", "A", "sig") == 1


def test_derivations_are_for_ever() -> None:
    """As commits 472a3ea and 0288cbd made them: stores hold them."""
    assert SignalKey("default", "acc_us", "s-other-account").derived(0) == "VAVZ3H2D7V3OT6H7BWZ3"
    assert SignalKey("default", "acc_us", "s-other-account").derived(1) == "YDQGVAVZ3H2D7V3OT6H7"
    assert SignalKey("a", "b", "c").text == '["v1", "a", "b", "c", 0]'


@pytest.mark.parametrize(
    ("keys", "is_ours"),
    [
        (KeyRing("here"), {"here 1": True, "before 1": False, "here 0": False, "stranger": False}),
        (KeyRing("here", 1, ("before",)), {"here 1": True, "before 1": True, "here 0": False, "stranger": False}),
        (KeyRing("here", 0, (), (0,)), {"here 1": True, "before 1": True, "here 0": True, "stranger": True}),
    ],
    ids=["new", "two namespaces", "of version 0"],
)
def test_what_a_store_takes_for_its_own(keys: KeyRing, is_ours: dict[str, bool]) -> None:
    """Version 0 bears no mark, so a store that used it may have made any id of this form."""
    ids = {
        "here 1": SignalKey("here", "A", "sig").derived(1),
        "before 1": SignalKey("before", "A", "sig").derived(1),
        "here 0": SignalKey("here", "A", "sig").derived(0),
        "stranger": SignalKey("another's", "A", "sig").derived(1),
    }
    assert {name: keys.is_ours(each, "A") for name, each in ids.items()} == is_ours
    assert not any(keys.is_ours(each, "A") for each in (None, "", "manual", "lowercase2345672345", ids["here 1"] + "A"))


# --- a signal that comes again -------------------------------------------------------------------------------------------------

SIGNAL = Signal(signal_id="signal-1", symbol="SPY", side="BUY", quantity=Decimal(100))


def test_the_same_content_is_the_same_order_and_other_content_is_for_a_person() -> None:
    known = order_of(intent(signal_fingerprint=SIGNAL.fingerprint))
    assert same_order(known, SIGNAL) is known
    with pytest.raises(SignalContentDiffers) as differs:
        same_order(known, SIGNAL.model_copy(update={"quantity": Decimal(99)}))
    assert (differs.value.known_order_id, differs.value.known_fingerprint) == (known.order_id, SIGNAL.fingerprint)


def test_of_an_adopted_order_nobody_knows_what_its_signal_said() -> None:
    adopted = order_of(intent(signal_id="adopted-order-7"))
    assert same_order(adopted, SIGNAL) is adopted


def test_a_signal_that_is_known_on_several_accounts_and_names_none_is_for_a_person() -> None:
    assert claim_meant([], KEYS, SIGNAL, "A") is None
    assert claim_meant([B, HERE], KEYS, SIGNAL, "A") == HERE
    with pytest.raises(SignalKnownOnSeveralAccounts, match=r"B \(order .*C \(order"):
        claim_meant([B, C], KEYS, SIGNAL, "A")
    assert claim_meant([B, C], KEYS, SIGNAL.model_copy(update={"account_id": "B"}), "A") == B


def test_the_claim_of_an_intent_names_the_version_of_its_key() -> None:
    key = SignalKey("here", "A", "sig")
    for version in KEY_VERSIONS:
        wanted = intent(client_order_id=key.derived(version), namespace="here", account_id="A", signal_id="sig")
        claimed = claim_of(wanted, KEYS)
        assert (claimed.key_version, claimed.client_order_id, claimed.order_id) == (version, key.derived(version), wanted.order_id)
