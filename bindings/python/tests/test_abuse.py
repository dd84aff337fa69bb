"""What nobody should do: each has an outcome, and none ends the interpreter."""

from __future__ import annotations

import copy
import gc
import pickle
import random
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest

import butterfly
from butterfly import inputs, outputs, packed, timers, values

from .conftest import summing

HANDLES = ["Keys", "Roster", "Node", "Ledger", "Party", "Session", "Simulation", "VoteRecord"]


@pytest.fixture
def handles(
    roster: butterfly.Roster, keys: list[butterfly.Keys], client_keys: butterfly.Keys, tmp_path: Path
) -> dict[str, butterfly.Node]:
    """One object of each class that holds a pointer."""
    records = b"".join(one.key_record(roster) for one in keys)
    party = butterfly.Party(roster, keys[0], records)
    request = roster.sign_request(client_keys, butterfly.Request(1, b"\1", 1))
    record = butterfly.VoteRecord.provision(tmp_path / "record", roster.member_name(0), roster.first_record(0))
    objects = [
        keys[0],
        roster,
        butterfly.Node(roster, keys[0], roster.first_record(0)),
        butterfly.Ledger(roster, request),
        party,
        butterfly.Session(party),
        butterfly.Simulation(1, [summing]),
        record,
    ]
    return {type(one).__name__: one for one in objects}  # type: ignore[misc]


@pytest.mark.parametrize("name", HANDLES)
def test_a_handle_is_neither_copied_nor_pickled(handles: dict[str, butterfly.Node], name: str) -> None:
    handle = handles[name]
    for attempt in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            attempt(handle)
    assert not handle.closed


@pytest.mark.parametrize("name", HANDLES)
def test_a_handle_says_what_it_is_and_that_it_is_closed(handles: dict[str, butterfly.Node], name: str) -> None:
    handle = handles[name]
    assert name in repr(handle) and "object at 0x" not in repr(handle)
    handle.close()
    handle.close()
    assert handle.closed
    if name != "Roster":
        assert "closed" in repr(handle)


def test_use_after_close_is_an_error(handles: dict[str, butterfly.Node], roster: butterfly.Roster) -> None:
    node = handles["Node"]
    node.close()
    for use in (node.start, node.status, node.record, lambda: node.step_packed(b"\0"), lambda: node.falsify(b"")):
        with pytest.raises(butterfly.ClosedError, match="this Node is closed"):
            use()
    with butterfly.Keys.generate() as keys:
        pass
    with pytest.raises(butterfly.ClosedError):
        butterfly.Node(roster, keys, None)


def test_closing_while_others_use_it_ends_in_closed_errors(
    roster: butterfly.Roster, keys: list[butterfly.Keys]
) -> None:
    node = butterfly.Node(roster, keys[0], roster.first_record(0))
    frame = packed.pack_inputs([inputs.Timer(timers.Retransmit())] * 200)
    ended: list[BaseException] = []

    def use() -> None:
        try:
            while True:
                node.step_packed(frame)
        except butterfly.ClosedError as error:
            ended.append(error)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    node.step_packed(frame)
    node.close()
    for thread in threads:
        thread.join()
    assert len(ended) == 4


def test_threads_may_share_a_node(roster: butterfly.Roster, keys: list[butterfly.Keys]) -> None:
    node = butterfly.Node(roster, keys[0], roster.first_record(0))
    node.start()
    frame = packed.pack_inputs([inputs.Timer(timers.View(99, 0))] * 100)
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: answers.extend(node.step_packed(frame) for _ in range(50))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 200 and len(set(answers)) == 1


def test_a_node_works_in_a_thread_with_a_small_stack(roster: butterfly.Roster, keys: list[butterfly.Keys]) -> None:
    stepped: list[outputs.Step] = []
    before = threading.stack_size(512 * 1024)
    try:
        thread = threading.Thread(
            target=lambda: stepped.append(butterfly.Node(roster, keys[0], roster.first_record(0)).start())
        )
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    assert stepped


def test_what_is_forgotten_is_freed_in_any_order(roster: butterfly.Roster, keys: list[butterfly.Keys]) -> None:
    node = butterfly.Node(roster, keys[0], roster.first_record(0))
    roster.close()
    for one in keys:
        one.close()
    del roster
    gc.collect()
    assert node.start().refusal is None


GARBAGE = [b"", b"\0", b"\xff" * 9, bytes(100), b"\x01\x01\xff\xff\xff\xff\x0f", bytes(range(256))]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_refused_by_whatever_reads_bytes(
    handles: dict[str, butterfly.Node], roster: butterfly.Roster, client_keys: butterfly.Keys, garbage: bytes
) -> None:
    reads: list[Callable[[bytes], object]] = [
        butterfly.Roster,
        roster.verify_proof,
        roster.verify_evidence,
        roster.verify_decision,
        roster.verify_message,
        roster.read_request,
        butterfly.read_document,
        butterfly.read_message,
        lambda it: butterfly.Ledger(roster, it),
        lambda it: butterfly.Node(roster, butterfly.Keys.generate(), it),
    ]
    for read in reads:
        with pytest.raises(butterfly.ButterflyError):
            read(garbage)
    if garbage != b"\0":
        with pytest.raises(butterfly.MalformedError):
            handles["Node"].step_packed(garbage)
        with pytest.raises(butterfly.MalformedError):
            packed.unpack_inputs(garbage)
        with pytest.raises(butterfly.MalformedError):
            packed.unpack_steps(garbage)
    for one in (inputs.Receive(garbage), inputs.Submit(garbage)):
        assert handles["Node"].step(one).refusal in (butterfly.Refusal.MALFORMED, butterfly.Refusal.TRAILING_BYTES)


def test_random_garbage_changes_nothing(node: butterfly.Node) -> None:
    draw = random.Random(1)
    before = node.record()
    frame = packed.pack_inputs([inputs.Receive(draw.randbytes(draw.randrange(300))) for _ in range(2_000)])
    steps = packed.unpack_steps(node.step_packed(frame))
    assert all(step.refusal is not None and step.outputs == () for step in steps)
    assert node.record() == before


def test_random_frames_never_do_more_than_raise(node: butterfly.Node) -> None:
    draw = random.Random(2)
    for _ in range(2_000):
        frame = draw.randbytes(draw.randrange(40))
        read: list[inputs.Input] | None
        try:
            read = packed.unpack_inputs(frame)
        except butterfly.MalformedError:
            read = None
        if read is None:
            with pytest.raises(butterfly.MalformedError):
                node.step_packed(frame)
        else:
            assert len(packed.unpack_steps(node.step_packed(frame))) == len(read)


@pytest.mark.parametrize("wrong", [None, 7, "text", [1, 2], object()])
def test_what_is_no_bytes_is_a_type_error(node: butterfly.Node, wrong: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        node.step_packed(wrong)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        node.step(wrong)  # type: ignore[arg-type]
    assert node.status().epoch == 1


@pytest.mark.parametrize("number", [-1, 256, 1 << 64, 1 << 70])
def test_numbers_outside_their_bounds_are_refused(roster: butterfly.Roster, node: butterfly.Node, number: int) -> None:
    with pytest.raises((ValueError, OverflowError)):
        roster.first_record(number)
    with pytest.raises((butterfly.ButterflyError, ValueError, OverflowError)):
        node.step(inputs.Revise(1 << 32, number))


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_nonce_has_sixteen_bytes(node: butterfly.Node, length: int) -> None:
    with pytest.raises(butterfly.MalformedError):
        node.step(inputs.Start(bytes(length)))


def test_keys_have_their_length_and_their_place(roster: butterfly.Roster) -> None:
    with pytest.raises(butterfly.MalformedError):
        butterfly.Keys(b"short", bytes(32))
    with pytest.raises(butterfly.KeysError):
        butterfly.Node(roster, butterfly.Keys.generate(), None)
    with pytest.raises(butterfly.KeysError):
        roster.sign_request(butterfly.Keys.generate(), butterfly.Request(1, b"\1", 1))


ERRORS = [
    error
    for error in vars(butterfly).values()
    if isinstance(error, type) and issubclass(error, butterfly.ButterflyError)
]


@pytest.mark.parametrize("error", ERRORS)
def test_errors_survive_pickling_and_copying(error: type[butterfly.ButterflyError]) -> None:
    raised = error("why")
    for again in (pickle.loads(pickle.dumps(raised)), copy.copy(raised), copy.deepcopy(raised)):
        assert type(again) is error
        assert (again.reason, str(again)) == ("why", "why")


def raise_in_a_process(encoded: bytes) -> None:
    """Runs in another process."""
    butterfly.Roster(encoded)


def test_errors_come_back_from_another_process() -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        raised = pool.submit(raise_in_a_process, b"garbage").exception()
    assert type(raised) is butterfly.MalformedError
    assert raised.reason == "the bytes are not a value of this type"


SAMPLES: list[object] = [
    inputs.Start(bytes(16)),
    inputs.Receive(b"a"),
    inputs.Submit(b"b"),
    inputs.Computed(1, b"c"),
    inputs.Timer(timers.View(1, 2)),
    inputs.Timer(timers.Escalate(1, 2)),
    inputs.Revise(1, 2),
    outputs.Persist(b"d"),
    outputs.Send(b"\1", b"e", values.Transmission.AGAIN),
    outputs.SetTimer(timers.Retransmit(), 5),
    outputs.Commit(values.Commit(1, 0, values.Path.FAST, b"f", None, b"g")),
    outputs.Evidence(1, values.Fault.VOTES, b"h"),
    outputs.Blocked(b"\1", b""),
    outputs.Resumed(),
    outputs.EnterView(1, 2),
    outputs.Step(values.Refusal.STALE, ()),
    values.Model(),
    values.Request(1, b"a", 2),
    values.Answer(b"a", b"b", range(1, 2)),
    values.Blame(1, values.Fault.ATTESTATION, b"c"),
    butterfly.Task(0, 1, b"", (b"a",), butterfly.GREEDY),
]


@pytest.mark.parametrize("value", SAMPLES, ids=lambda value: type(value).__qualname__)
def test_values_are_frozen_comparable_and_safe_to_pickle(value: object) -> None:
    assert pickle.loads(pickle.dumps(value)) == value
    assert copy.deepcopy(value) == value
    assert hash(value) == hash(copy.copy(value))
    assert type(value).__name__ in repr(value)
    with pytest.raises((AttributeError, TypeError)):
        value.anything = 1  # type: ignore[attr-defined]


def test_a_vote_record_is_held_once_and_closed_for_good(roster: butterfly.Roster, tmp_path: Path) -> None:
    path, owner = tmp_path / "vote-record", roster.member_name(0)
    with butterfly.VoteRecord.provision(path, owner, roster.first_record(0)) as record:
        with pytest.raises(butterfly.RecordError, match="must not run twice"):
            butterfly.VoteRecord(path, owner)
        with pytest.raises(butterfly.RecordError):
            butterfly.VoteRecord.provision(path, owner, roster.first_record(0))
        record.write(b"one")
        with pytest.raises(butterfly.RecordError, match="too long"):
            record.write(bytes(20_000))
        assert record.record() is not None
    with pytest.raises(butterfly.ClosedError):
        record.write(b"two")
    with butterfly.VoteRecord(path, owner) as record:
        assert record.record() == b"one"
    with butterfly.VoteRecord(path, roster.member_name(1)) as record:
        assert record.record() is None, "a record of another member is none"
