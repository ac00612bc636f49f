"""The items of a map: each in exactly one place, whatever happens to them in whatever order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from prodigy.kernel.items import Disposition, Item, Items, begun, failures, item_list, of, purged, requeued, settled
from prodigy.plan.nodes import ErrorPolicy

KEYS = ("a", "b", "c", "d", "e")
DISPOSITIONS: tuple[Disposition, ...] = ("succeeded", "skipped", "dead", "failed")


def items(*keys: str) -> Items:
    return Items(listed=item_list(keys, keys))


def done(disposition: Disposition, error: str = "") -> Item:
    return Item(disposition=disposition, error=error)


def places(items: Items) -> dict[str, str]:
    """Return where each item is."""
    return {
        key: "active"
        if key in items.active
        else str(items.settled[key].disposition)
        if key in items.settled
        else "pending"
        for key in items.listed.keys
    }


def counts(items: Items) -> tuple[int, int, int, int, int, int]:
    return items.pending, len(items.active), items.succeeded, items.skipped, items.dead, items.failed


def test_items_begin_in_their_order() -> None:
    """The next is the first to which nothing happened."""
    now = begun(begun(items("a", "b", "c"), "a"), "b")
    assert ("c", (1, 2, 0, 0, 0, 0)) == (now.next_key(), counts(now))


def test_when_all_have_begun_there_is_no_next() -> None:
    """Nor of a list without items."""
    assert (None, None) == (begun(items("a"), "a").next_key(), items().next_key())


def test_a_settled_item_is_not_at_work_any_more() -> None:
    """It is counted once, by what became of it."""
    now = settled(begun(items("a", "b"), "a"), "a", done("dead", "boom"))
    assert ({"a": "dead", "b": "pending"}, (1, 0, 0, 0, 1, 0)) == (places(now), counts(now))


def test_items_put_back_begin_in_their_place() -> None:
    """Before those that stand after them."""
    now = begun(items("a", "b", "c"), "a")
    now = requeued(settled(now, "a", done("dead", "boom")), ("a",))
    assert ("a", "b") == (now.next_key(), begun(now, "a").next_key())


def test_an_item_at_work_can_be_put_back() -> None:
    """It is pending, and nothing else."""
    now = requeued(begun(items("a"), "a"), ("a",))
    assert ({"a": "pending"}, (1, 0, 0, 0, 0, 0), "a") == (places(now), counts(now), now.next_key())


def test_a_success_ends_a_row_of_failures() -> None:
    """Also of failures that are let go."""
    now = items("a", "b", "c")
    streaks = []
    for key, item in zip("abc", (done("dead", "boom"), done("skipped", "boom"), done("succeeded")), strict=True):
        now = settled(begun(now, key), key, item)
        streaks.append(now.streak)
    assert [1, 2, 0] == streaks


def test_items_of_a_kind_are_in_list_order() -> None:
    """Whoever settled first."""
    now = items("a", "b")
    for key in ("b", "a"):
        now = settled(begun(now, key), key, done("dead", "boom"))
    assert ["a", "b"] == [key for key, _, _ in of(now, "dead")]


def test_what_is_let_go_has_failed_where_the_policy_lets_go() -> None:
    """Where it does not, skipped items are dead letters that were purged."""
    now = settled(begun(items("a"), "a"), "a", done("skipped", "boom"))
    assert (1, 0) == (failures(now, ErrorPolicy(on_item_failure="skip")), failures(now, ErrorPolicy()))


def test_excused_are_never_more_than_the_dead_letters_that_are_left() -> None:
    """Else as many new failures would pass unseen."""
    now = items("a", "b", "c")
    for key in "abc":
        now = settled(begun(now, key), key, done("dead", "boom"))
    excused = Items(**{**{name: getattr(now, name) for name in now.__struct_fields__}, "excused": 3})
    assert (1, 2) == (requeued(excused, ("a", "b")).excused, purged(excused, ("a",), "me").excused)


def test_purged_items_say_who_gave_them_up() -> None:
    """They count as skipped."""
    now = purged(settled(begun(items("a"), "a"), "a", done("dead", "boom")), ("a",), "me")
    assert (done("skipped", "purged by me"), (0, 0, 0, 1, 0, 0)) == (now.settled["a"], counts(now))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(KEYS), st.sampled_from(["begin", "requeue", "purge", *DISPOSITIONS]))))
def test_every_item_is_in_one_place(deeds: list[tuple[str, str]]) -> None:
    """After any deeds the kept counts are those of a model that only knows places, and whoever is pending can begin."""
    now, model = items(*KEYS), dict.fromkeys(KEYS, "pending")
    for key, deed in deeds:
        following = now.next_key()
        if deed == "begin" and following is not None:
            now, model[following] = begun(now, following), "active"
        elif deed == "requeue" and model[key] != "pending":
            now, model[key] = requeued(now, (key,)), "pending"
        elif deed == "purge" and model[key] == "dead":
            now, model[key] = purged(now, (key,), "me"), "skipped"
        elif deed in DISPOSITIONS and model[key] == "active":
            now, model[key] = settled(now, key, Item(disposition=deed, error="boom")), deed
        kept = dict(zip(("pending", "active", *DISPOSITIONS), counts(now), strict=True))
        assert {name: list(model.values()).count(name) for name in kept} == kept
        assert model == places(now)
    reached = set()
    while (next_key := now.next_key()) is not None:
        reached.add(next_key)
        now = begun(now, next_key)
    assert reached == {key for key, place in model.items() if place == "pending"}
