"""`replay`: a run folded again, as lines, as JSON, step by step, and proved."""

import json
import os
import pty
import select
import signal
import subprocess
import termios
import time
from pathlib import Path
from typing import Any

import pytest

from prodigy.cli import replay_stepper
from prodigy.cli.replay_frames import replayed
from prodigy.cli.replay_stepper import Stepper, Values, screen
from prodigy.kernel import events as ev
from prodigy.projections.replay import Frame
from prodigy.store.history import lineage
from tests.cli.looks import begin, golden, looks, piped, settle, told
from tests.cli.made import PROGRAM, House, changed

RUN = "story-000001"


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A project in which the story has run."""
    built = settle(tmp_path, monkeypatch)
    told(built)
    return built


def seqs(*words: str) -> list[int]:
    """Return the events that a replay shows."""
    said = piped("replay", RUN, "--jsonl", *words)
    return [json.loads(line)["seq"] for line in said.out.splitlines()]


def rewound(house: House) -> None:
    """Begin a second generation that goes on from event 8, v1 of the first."""
    from prodigy.store.journal import Journal
    from prodigy.store.log import Log, Position
    from prodigy.store.values import Values

    folder = house.run(RUN)
    chain = json.loads(folder.events(1).read_text().splitlines()[7])["chain"]
    start = ev.GenerationStarted(
        generation=2, parent=1, from_seq=8, from_chain=chain, version=5, reason="resume --from-checkpoint v1"
    )
    journal = Journal(Log.create(folder.events(2), Position(8, chain)), Values(folder.values))
    marked = ev.CheckpointMarked(version=6, at="build.greet")
    journal.append([("2026-02-01T09:00:00.000000Z", event) for event in (start, marked)], sync=False)
    journal.close()


def test_it_looks_like_this(house: House, monkeypatch: pytest.MonkeyPatch, rewrites: bool) -> None:
    """In a pipe nothing is cut; on a terminal nothing either, but wrapped."""
    golden("replay", looks(monkeypatch, "replay", RUN), rewrites=rewrites)


def test_the_document_is_a_contract(house: House) -> None:
    """Its keys, and those of an event and of a change."""
    document = json.loads(piped("replay", "story", "--json").out)
    event = document["events"][3]
    assert [list(document), list(event), event["changes"]] == [
        ["schema_version", "workflow_id", "events"],
        ["generation", "seq", "time", "type", "at", "changes"],
        [
            {"kind": "node", "name": "build.greet", "field": "status", "before": "pending", "after": "running"},
            {"kind": "node", "name": "build.greet", "field": "attempt", "before": 0, "after": 1},
        ],
    ]


@pytest.mark.parametrize(("until", "last"), [("1", 1), ("12", 12), ("33", 33), ("v1", 8), ("v5", 31), ("lint", 17)])
def test_it_stops_where_it_is_told_to(house: House, until: str, last: int) -> None:
    """After an event, after a version, or where a step began."""
    assert seqs("--until", until) == list(range(1, last + 1))


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("--until", "34"), 6, "story-000001 has no event 34\n  It has 1 to 33: `prodigy events ls --job-id"),
        (("--until", "0"), 6, "story-000001 has no event 0\n"),
        (("--until", "v6"), 6, "story-000001 has no version v6\n  It has v1 to v5."),
        (("--until", "v0"), 6, "story-000001 has no version v0\n"),
        (("--until", "v"), 2, "story-000001 has neither a version nor a step or stage 'v'\n"),
        (("--until", "-1"), 2, "neither a version nor a step or stage '-1'\n"),
        (("--until", "9" * 30), 2, "neither a version nor a step or stage '999"),
        (("--generation", "2"), 6, "story-000001 has no generation 2\n  It has 1."),
        (("--check", "--until", "3"), 2, "--check proves the whole run\n"),
    ],
)
def test_what_is_not_there_is_said(house: House, words: tuple[str, ...], code: int, message: str) -> None:
    """With what there is."""
    said = piped("replay", RUN, *words)
    assert (said.code, message in said.err, said.out) == (code, True, "")


def test_a_history_goes_on_over_its_generations(house: House) -> None:
    """What was gone back over is another history, which stays readable; so does a version in it."""
    rewound(house)
    shown = [json.loads(line) for line in piped("replay", RUN, "--jsonl").out.splitlines()]
    assert [
        [(event["generation"], event["seq"]) for event in shown[-3:]],
        seqs("--generation", "1")[-1],
        seqs("--until", "v5")[-1],
        seqs("--until", "v6")[-1],
        seqs("--until", "9"),
    ] == [[(1, 8), (2, 9), (2, 10)], 33, 31, 10, list(range(1, 10))]


def test_damage_is_met_when_it_is_reached(house: House) -> None:
    """What is before it can still be looked at."""
    changed(house.run(RUN).events(1), '"name":"greeting"', '"name":"greedily"')
    said = piped("replay", RUN)
    assert (said.code, said.out.count("\n"), "is not what was written" in said.err) == (7, 4, True)


def test_a_hostile_value_cannot_drive_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is shown in letters."""
    from tests.cli.made import Ending

    built = settle(tmp_path, monkeypatch)
    built.make("odd-1", ends=lambda spawn: Ending(output="\x1b]0;x\x07\u202e"))
    assert [mark for mark in "\x1b\x07\u202e" if mark in piped("replay", "odd-1").out] == []


# Step by step ------------------------------------------------------------------------------------------------


@pytest.fixture
def stepper(house: House) -> Stepper:
    """The story's replay, at its first event."""
    folder = house.run(RUN)
    return Stepper(replayed(lineage(folder, 1)))


def at(stepper: Stepper) -> int:
    frame = stepper.frame
    assert frame is not None, "the story has events"
    return frame.seq


@pytest.mark.parametrize(
    ("keys_", "seq"),
    [
        ([], 1),
        ([b" "], 2),
        ([b"\r", b"\n", b"\x1b[C", b"\x1bOC"], 5),
        ([b" ", b" ", b"b"], 2),
        ([b" ", b" ", b"\x1b[D"], 2),
        ([b"b"], 1),
        ([b" ", b"b", b"b"], 1),
        ([b"1", b"2", b"\r"], 12),
        ([b"1", b"2", b"\x7f", b"\r"], 1),
        ([b"1", b"2", b"b"], 1),
        ([b"9", b"9", b"9", b"\r"], 33),
        ([b"0", b"\r"], 1),
        ([b"G"], 33),
        ([b"G", b" "], 33),
        ([b"G", b"b"], 32),
        ([b"G", b"g"], 1),
        ([b"?", b"\x1b[Z"], 1),
    ],
)
def test_keys_move_forwards_and_backwards(stepper: Stepper, keys_: list[bytes], seq: int) -> None:
    """And to any event by its number."""
    assert all(stepper.press(key) for key in keys_)
    assert at(stepper) == seq


@pytest.mark.parametrize("key", [b"q", b"Q", b"\x04", b""])
def test_a_key_ends_it(stepper: Stepper, key: bytes) -> None:
    """So does a terminal that is gone."""
    assert stepper.press(key) is False


def test_going_back_shows_the_state_as_it_was(stepper: Stepper) -> None:
    """Not as it was to become."""
    stepper.press(b" ")
    earlier = stepper.frame
    stepper.press(b"G")
    for key in (b"2", b"\r"):
        stepper.press(key)
    assert stepper.frame == earlier


def test_a_screen_shows_the_event_the_steps_and_the_variables(stepper: Stepper) -> None:
    """And the keys."""
    for key in (b"1", b"2", b"\r"):
        stepper.press(key)
    assert screen(RUN, stepper, columns=80, rows=24) == [
        "story-000001  run: running",
        "",
        "    12  09:00:11  command_started     build.flaky: waiting → running,",
        "                    build.flaky.attempt = 2  (shell: make all)",
        "",
        "  build.greet  succeeded",
        "▸ build.flaky  running",
        "  check.lint   pending",
        "  check.never  pending",
        "",
        '  who = "world"',
        '  greeting = "hello world"',
        '  shell.output = ""',
        "",
        "→ next   ← back   number ⏎ go to   g first   G last   q quit",
    ]


@pytest.mark.parametrize("rows", [10, 12, 24])
def test_a_screen_is_never_larger_than_the_terminal(stepper: Stepper, rows: int) -> None:
    """However much there is to show."""
    stepper.press(b"G")
    lines = screen(RUN, stepper, columns=40, rows=rows)
    assert (len(lines) <= rows, max(map(len, lines)) <= 40) == (True, True)


def test_a_value_is_encoded_once_for_all_screens(stepper: Stepper, monkeypatch: pytest.MonkeyPatch) -> None:
    """However large it is, and however many frames have it."""
    encoded: list[object] = []

    def note(value: object) -> str:
        encoded.append(value)
        return "…"

    monkeypatch.setattr(replay_stepper, "_beginning", note)
    for _ in range(30):
        screen(RUN, stepper, columns=80, rows=24)
        stepper.press(b"n")
    assert encoded == ["world", "hello world", "hello world", ""]


def test_of_a_long_text_only_what_can_be_seen_is_encoded() -> None:
    """A screen has no room for more."""
    assert Values().shown("text", "x" * 1_000_000) == '"' + "x" * 999


def test_an_empty_log_has_a_screen_too() -> None:
    """With nothing on it."""
    nothing: list[Frame] = []
    assert screen(RUN, Stepper(iter(nothing)), columns=80, rows=24)[0] == "story-000001 has no events yet"


def test_on_a_terminal_keys_are_read_and_the_terminal_is_left_as_it_was(house: House) -> None:
    """The screen is one of its own, and goes away."""
    above, below = pty.openpty()
    before = termios.tcgetattr(below)
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"}
    words = (PROGRAM, "replay", RUN, "--step")
    process = subprocess.Popen(words, cwd=house.root, env=environment, stdin=below, stdout=below, stderr=below)
    shown = read_until(above, b"run_started")
    os.write(above, b" ")
    shown += read_until(above, b"node_started")
    os.write(above, b"q")
    shown += read_until(above, b"\x1b[?1049l")
    assert (process.wait(), shown.startswith(b"\x1b[?1049h"), termios.tcgetattr(below)) == (0, True, before)
    os.close(above)
    os.close(below)


def read_until(descriptor: int, words: bytes) -> bytes:
    """Return what a terminal shows up to these words."""
    shown, deadline = b"", time.monotonic() + 20
    while words not in shown:
        assert time.monotonic() < deadline, shown
        if select.select([descriptor], [], [], 0.5)[0]:
            shown += os.read(descriptor, 65536)
    return shown


def test_ctrl_c_ends_it_like_any_command(house: House) -> None:
    """130, the terminal as it was, no traceback."""
    above, below = pty.openpty()
    words = (PROGRAM, "replay", RUN, "--step")
    process = subprocess.Popen(words, cwd=house.root, env={**os.environ}, stdin=below, stdout=below, stderr=below)
    os.close(below)
    shown = read_until(above, b"q quit")
    process.send_signal(signal.SIGINT)
    shown += read_until(above, b"\x1b[?1049l")
    os.close(above)
    assert (process.wait(), b"Traceback" in shown) == (130, False)


def test_without_a_terminal_steps_are_lines(house: House) -> None:
    """There is nobody to press a key."""
    assert piped("replay", RUN, "--step") == piped("replay", RUN)


# The proof ---------------------------------------------------------------------------------------------------


def check(*words: str) -> tuple[int, str, str]:
    return piped("replay", RUN, "--check", *words)


def test_a_run_proves_to_fold_to_what_it_was(house: House) -> None:
    """Every digest and the checkpoint."""
    expected = "story-000001: 2 digests and the checkpoint of event 33: all is as the log folds\n"
    assert check() == (0, expected, "")


def test_the_proof_is_a_document_too(house: House) -> None:
    """For an upgrade that is tried against many runs."""
    assert json.loads(check("--json")[1]) == {
        "schema_version": 1,
        "workflow_id": RUN,
        "digests": 2,
        "labelled_without_digest": 0,
        "checkpoint_seq": 33,
        "differences": [],
    }


def test_a_log_that_folds_to_something_else_is_said(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after an upgrade that reads it in another way: here it forgets to count the attempts."""
    from prodigy.kernel import evolve

    folds: dict[Any, Any] = evolve.FOLDS
    started = folds[ev.CommandStarted]
    monkeypatch.setitem(folds, ev.CommandStarted, lambda state, event, now: started(state, _first_again(event), now))
    code, _, err = check()
    assert (code, "v5 (check, event 31 of generation 1) had the digest" in err, "v1 (greet" in err) == (7, True, False)


def _first_again(event: ev.CommandStarted) -> ev.CommandStarted:
    return ev.CommandStarted(at=event.at, attempt=1, command=event.command)


@pytest.mark.parametrize(
    ("old", "new", "difference"),
    [
        ('"greeting":"hello world"}', '"greeting":"hello earth"}', "holds the state"),
        (
            '"status":"completed","current_step_index":4',
            '"status":"failed","current_step_index":4',
            "`execution_state`",
        ),
        ('"last_seq":33', '"last_seq":30', "is of another history than the log"),
        ('"workflow_id":"story-000001","workflow_path":"workflow.yaml","timestamp"', '"', "is not a checkpoint"),
    ],
)
def test_a_checkpoint_that_is_not_of_the_log_is_said(house: House, old: str, new: str, difference: str) -> None:
    """Whatever of it was changed; the way out is named."""
    path = house.project.checkpoint(RUN)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    code, _, err = check()
    assert (code, difference in err, f"`prodigy checkpoints validate {RUN} --repair`" in err) == (7, True, True)
    assert json.loads(check("--json")[1])["differences"] != []


def test_a_log_that_lost_its_end_has_a_way_out(house: House) -> None:
    """The checkpoint is not to be made again from it."""
    path = house.project.checkpoint(RUN)
    path.write_text(path.read_text().replace('"last_seq":33', '"last_seq":34'))
    code, _, err = check()
    assert (code, "lost its end" in err, f"`prodigy resume {RUN} --from-checkpoint " in err) == (7, True, True)
    assert "which the log does not have" in json.loads(check("--json")[1])["differences"][0]


def test_a_run_without_a_checkpoint_is_proved_by_its_digests(house: House) -> None:
    """A checkpoint is a cache."""
    house.project.checkpoint(RUN).unlink()
    assert check() == (0, "story-000001: 2 digests and no checkpoint file: all is as the log folds\n", "")


def test_every_generation_is_proved(house: House) -> None:
    """Each once; the checkpoint is of the first."""
    rewound(house)
    assert json.loads(check("--json")[1])["digests"] == 2


def test_labelled_versions_of_an_older_prodigy_have_no_digest(house: House) -> None:
    """Which is said, and no difference."""
    house.project.checkpoint(RUN).unlink()
    begin(house, "old-000001", *_old())
    expected = "  1 labelled version without a digest: an older prodigy made them\n"
    assert piped("replay", "old-000001", "--check").out.endswith(expected)


def _old() -> list[ev.Event]:
    from tests.kernel.story import begun, starts
    from tests.simulation.plans import compiled, step

    return [*begun(compiled(step("a"))), starts("a"), ev.CheckpointMarked(version=1, at="a", label="a")]


def test_nothing_is_changed_by_reading(house: House) -> None:
    """The disk is the same before and after, whatever is asked for."""
    before = house.disk()
    for words in ((), ("--json",), ("--jsonl",), ("--until", "v2"), ("--step",), ("--check",), ("--check", "--json")):
        assert piped("replay", RUN, *words).code == 0
    assert house.disk() == before
