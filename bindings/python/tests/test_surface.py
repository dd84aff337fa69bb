"""The surface: both ways across say the same, and what is said of it stands once."""

from __future__ import annotations

import inspect
import pydoc
import re
from typing import Any

import pytest

import butterfly
from butterfly import inputs, outputs, packed, timers, values
from butterfly._library import ffi as generated
from butterfly._stages import Desk

from .conftest import summing


def typed_input(one: inputs.Input) -> Any:
    """The same for the typed surface."""
    kinds = generated.Input
    match one:
        case inputs.Start(nonce):
            return kinds.START(nonce)
        case inputs.Receive(message):
            return kinds.RECEIVE(message)
        case inputs.Submit(request):
            return kinds.SUBMIT(request)
        case inputs.Computed(ticket, output):
            return kinds.COMPUTED(ticket, output)
        case inputs.Timer(timer):
            return kinds.TIMER(typed_timer(timer))
        case inputs.Revise(speed, zone):
            return kinds.REVISE(speed, zone)


def typed_timer(timer: timers.Timer) -> Any:
    match timer:
        case timers.View(epoch, view):
            return generated.Timer.VIEW(epoch, view)
        case timers.Retransmit():
            return generated.Timer.RETRANSMIT()
        case timers.Escalate(epoch, stage):
            return generated.Timer.ESCALATE(epoch, stage)


def plain(value: Any) -> Any:
    """A value of either surface as names and numbers."""
    if isinstance(value, bytes | int | str | None):
        return value
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, values.Sampling):
        return "GREEDY" if value.seed is None else ["SEEDED", value.seed, value.temperature]
    if hasattr(value, "name") and hasattr(value, "value"):
        return value.name
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(value).__name__).upper()
    slots = getattr(value, "__slots__", None) or vars(value)
    return [name, *(plain(getattr(value, slot)) for slot in slots)]


def test_both_surfaces_take_and_give_the_same(
    roster: butterfly.Roster, keys: list[butterfly.Keys], client_keys: butterfly.Keys
) -> None:
    request = roster.sign_request(client_keys, butterfly.Request(1, b"\1\2", 4))
    typed = [generated.Node(roster._held(), one._held(), roster.first_record(at)) for at, one in enumerate(keys)]
    nodes = [butterfly.Node(roster, one, roster.first_record(at)) for at, one in enumerate(keys)]
    waiting: list[tuple[int, inputs.Input]] = [(at, inputs.Start(bytes([at] * 16))) for at in range(4)]
    waiting += [(0, inputs.Submit(request)), (1, inputs.Receive(b"garbage")), (2, inputs.Timer(timers.View(1, 0)))]
    desks = [Desk(at) for at in range(4)]
    kinds: set[str] = set()
    commits = 0
    while waiting and commits < 4:
        at, one = waiting.pop(0)
        step, same = nodes[at].step(one), typed[at].step(typed_input(one))
        assert plain(step.refusal) == plain(same.refusal)
        assert len(step.outputs) == len(same.outputs)
        for output, other in zip(step.outputs, same.outputs, strict=True):
            kinds.add(type(output).__name__)
            match output:
                case outputs.Send(to, message):
                    assert (to, message) == (other.to, other.message)
                    waiting += [(receiver, inputs.Receive(message)) for receiver in to]
                case outputs.Compute(work):
                    assert plain(work)[1:] == plain(
                        [getattr(other.work, field) for field in list(values.Work.__slots__)[:-1]]
                    ) + ["GREEDY"]
                    waiting.append((at, inputs.Computed(work.ticket, summing(desks[at].task(work)))))
                case outputs.Commit(commit):
                    assert (commit.epoch, commit.tokens, commit.decided) == (
                        other.commit.epoch,
                        other.commit.tokens,
                        other.commit.decided,
                    )
                    commits += 1
                case outputs.Persist(record):
                    assert record == other.record
                case outputs.SetTimer(timer, after):
                    assert (plain(typed_timer(timer)), after) == (plain(other.timer), other.after)
                case _:
                    pass
    assert commits == 4
    assert kinds >= {"Persist", "Send", "Compute", "Commit", "SetTimer"}


def test_a_frame_is_taken_as_its_inputs_one_by_one(roster: butterfly.Roster, keys: list[butterfly.Keys]) -> None:
    several: list[inputs.Input] = [inputs.Start(bytes(16)), inputs.Timer(timers.Retransmit()), inputs.Receive(b"no")]
    one = butterfly.Node(roster, keys[0], roster.first_record(0))
    other = butterfly.Node(roster, keys[0], roster.first_record(0))
    assert one.step_all(several) == [other.step(single) for single in several]


def public() -> list[tuple[str, Any]]:
    modules = [("", butterfly), ("inputs.", inputs), ("outputs.", outputs), ("timers.", timers), ("values.", values)]
    return [
        (prefix + name, item)
        for prefix, module in modules
        for name, item in vars(module).items()
        if not name.startswith("_") and (inspect.isclass(item) or inspect.isfunction(item))
        if getattr(item, "__module__", "").startswith("butterfly")
    ]


@pytest.mark.parametrize(("name", "item"), public(), ids=[name for name, _ in public()])
def test_everything_public_is_documented(name: str, item: Any) -> None:
    assert item.__doc__ and not item.__doc__.startswith(f"{item.__name__}("), f"{name} has no documentation"
    for member, value in vars(item).items() if inspect.isclass(item) else ():
        if not member.startswith("_") and (inspect.isfunction(value) or isinstance(value, property | classmethod)):
            assert inspect.getdoc(value), f"{name}.{member} has no documentation"


def words(documentation: str | None) -> str:
    """The first sentence."""
    return re.split(r"[.:?](?:\s|$)", " ".join((documentation or "").split()))[0]


COUNTERPARTS = ["Keys", "Roster", "Node", "Ledger", "Party", "Session", "Simulation", "VoteRecord"]
OTHER_WORDS = {
    # There the library is given what Python reads from a record or a file.
    ("Roster", "found"),
    ("Roster", "next_sequence"),
    ("Roster", "read_request"),
    ("Simulation", "run"),
}


@pytest.mark.parametrize("name", COUNTERPARTS)
def test_what_is_said_of_a_method_is_what_the_library_says(name: str) -> None:
    ours, theirs = getattr(butterfly, name), getattr(generated, name)
    compared = 0
    for member, value in vars(ours).items():
        counterpart = getattr(theirs, member, None)
        if member.startswith("_") or counterpart is None or (name, member) in OTHER_WORDS:
            continue
        said, meant = words(inspect.getdoc(value)), words(inspect.getdoc(counterpart))
        assert said == meant, f"{name}.{member}"
        compared += 1
    assert words(ours.__doc__) == words(theirs.__doc__)
    assert compared or name in ("Party", "Keys")


@pytest.mark.parametrize(
    "ours", [values.Work, values.Commit, values.Status, values.Model, values.Request, values.CommitProof]
)
def test_what_is_said_of_a_value_is_what_the_library_says(ours: type) -> None:
    assert words(ours.__doc__) == words(getattr(generated, ours.__name__).__doc__)


def test_help_shows_the_surface() -> None:
    shown = pydoc.plain(pydoc.render_doc(butterfly))
    for name in butterfly.__all__:
        assert name.strip("_") in shown.lower() or name in shown
    assert "A cluster in one process" in shown


def test_the_version_is_the_package_s() -> None:
    from importlib.metadata import version

    assert butterfly.__version__ == version("butterfly")
