"""Frames of many inputs, and of what came of them, in the kernel's own encoding.

Integers of more than one byte are varints of seven bits, lowest first, with no
byte more than needed; bytes and lists stand behind their length, variants behind
their number, options behind 0 or 1. The golden vectors in `frames.json` are
written and read by every language.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from . import inputs as i
from . import outputs as o
from . import timers as t
from ._errors import MalformedError
from .values import Commit, Fault, Path, Refusal, Sampling, Transmission, Work


_Kind = TypeVar("_Kind")


def pack_inputs(inputs: Iterable[i.Input]) -> bytes:
    """The frame of these inputs, for `Node.step_packed`."""
    body = bytearray()
    count = 0
    for one in inputs:
        _put_input(body, one)
        count += 1
    head = bytearray()
    _put_number(head, count)
    return bytes(head + body)


def unpack_inputs(frame: bytes) -> list[i.Input]:
    """The inputs of a frame."""
    return _whole(frame, _get_input)


def pack_steps(steps: Iterable[o.Step]) -> bytes:
    """The frame that answers one with as many inputs."""
    body = bytearray()
    count = 0
    for step in steps:
        _put_optional_variant(body, step.refusal)
        _put_number(body, len(step.outputs))
        for output in step.outputs:
            _put_output(body, output)
        count += 1
    head = bytearray()
    _put_number(head, count)
    return bytes(head + body)


def unpack_steps(frame: bytes) -> list[o.Step]:
    """What came of each input, from what `Node.step_packed` gave."""
    return _whole(frame, _get_step)


class _Reader:
    __slots__ = ("at", "bytes")

    def __init__(self, frame: bytes) -> None:
        self.bytes = frame
        self.at = 0

    def byte(self) -> int:
        at = self.at
        if at >= len(self.bytes):
            raise MalformedError("the frame ends too early")
        self.at = at + 1
        return self.bytes[at]

    def number(self, bits: int) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >> bits or (byte == 0 and shift):
                    raise MalformedError("a number of the frame is too large or too long")
                return value
            shift += 7
            if shift >= bits:
                raise MalformedError("a number of the frame is too large or too long")

    def take(self, length: int) -> bytes:
        taken = self.bytes[self.at : self.at + length]
        if len(taken) != length:
            raise MalformedError("the frame ends too early")
        self.at += length
        return taken

    def run(self) -> bytes:
        return self.take(self.number(64))

    def optional(self) -> bool:
        mark = self.byte()
        if mark > 1:
            raise MalformedError("an option of the frame is neither there nor not")
        return mark == 1

    def variant(self, kinds: tuple[_Kind, ...]) -> _Kind:
        number = self.number(32)
        if number >= len(kinds):
            raise MalformedError("the frame has a variant that there is not")
        return kinds[number]


def _whole(frame: bytes, get: Callable[[_Reader], _Kind]) -> list[_Kind]:
    reader = _Reader(bytes(frame))
    got = [get(reader) for _ in range(reader.number(64))]
    if reader.at != len(reader.bytes):
        raise MalformedError("bytes are left over behind the frame")
    return got


def _put_number(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _put_run(out: bytearray, run: bytes) -> None:
    _put_number(out, len(run))
    out += run


def _put_optional_variant(out: bytearray, kind: Refusal | None) -> None:
    if kind is None:
        out.append(0)
    else:
        out.append(1)
        _put_number(out, kind.value)


def _put_timer(out: bytearray, timer: t.Timer) -> None:
    match timer:
        case t.View(epoch, view):
            out.append(0)
            _put_number(out, epoch)
            _put_number(out, view)
        case t.Retransmit():
            out.append(1)
        case t.Escalate(epoch, stage):
            out.append(2)
            _put_number(out, epoch)
            out.append(stage)


def _get_timer(reader: _Reader) -> t.Timer:
    match reader.variant((0, 1, 2)):
        case 0:
            return t.View(reader.number(64), reader.number(32))
        case 1:
            return t.Retransmit()
        case _:
            return t.Escalate(reader.number(64), reader.byte())


def _put_input(out: bytearray, one: i.Input) -> None:
    match one:
        case i.Start(nonce):
            if len(nonce) != 16:
                raise MalformedError(f"a nonce of {len(nonce)} bytes; it has 16")
            out.append(0)
            out += nonce
        case i.Receive(message):
            out.append(1)
            _put_run(out, message)
        case i.Submit(request):
            out.append(2)
            _put_run(out, request)
        case i.Computed(ticket, output):
            out.append(3)
            _put_number(out, ticket)
            _put_run(out, output)
        case i.Timer(timer):
            out.append(4)
            _put_timer(out, timer)
        case i.Revise(speed, zone):
            out.append(5)
            _put_number(out, speed)
            out.append(zone)
        case _:
            raise TypeError(f"{one!r} is no input of a node")


def _get_input(reader: _Reader) -> i.Input:
    match reader.variant((0, 1, 2, 3, 4, 5)):
        case 0:
            return i.Start(reader.take(16))
        case 1:
            return i.Receive(reader.run())
        case 2:
            return i.Submit(reader.run())
        case 3:
            return i.Computed(reader.number(64), reader.run())
        case 4:
            return i.Timer(_get_timer(reader))
        case _:
            return i.Revise(reader.number(32), reader.byte())


def _put_output(out: bytearray, output: o.Output) -> None:
    match output:
        case o.Persist(record):
            out.append(0)
            _put_run(out, record)
        case o.Send(to, message, transmission):
            out.append(1)
            _put_run(out, to)
            _put_run(out, message)
            out.append(transmission.value)
        case o.SetTimer(timer, after):
            out.append(2)
            _put_timer(out, timer)
            _put_number(out, after)
        case o.Compute(work):
            out.append(3)
            _put_work(out, work)
        case o.Commit(commit):
            out.append(4)
            _put_number(out, commit.epoch)
            _put_number(out, commit.view)
            out.append(commit.path.value)
            _put_run(out, commit.tokens)
            out += b"\0" if commit.notice is None else bytes((1, commit.notice))
            _put_run(out, commit.decided)
        case o.Evidence(accused, fault, evidence):
            out += bytes((5, accused, fault.value))
            _put_run(out, evidence)
        case o.Blocked(silent, learners):
            out.append(6)
            _put_run(out, silent)
            _put_run(out, learners)
        case o.Resumed():
            out.append(7)
        case o.EnterView(epoch, view):
            out.append(8)
            _put_number(out, epoch)
            _put_number(out, view)


_OUTPUTS = tuple(range(9))
_TRANSMISSIONS = tuple(Transmission)
_PATHS = tuple(Path)
_FAULTS = tuple(Fault)
_REFUSALS = tuple(Refusal)


def _get_output(reader: _Reader) -> o.Output:
    match reader.variant(_OUTPUTS):
        case 0:
            return o.Persist(reader.run())
        case 1:
            return o.Send(reader.run(), reader.run(), reader.variant(_TRANSMISSIONS))
        case 2:
            return o.SetTimer(_get_timer(reader), reader.number(32))
        case 3:
            return o.Compute(_get_work(reader))
        case 4:
            return o.Commit(
                Commit(
                    reader.number(64),
                    reader.number(32),
                    reader.variant(_PATHS),
                    reader.run(),
                    reader.byte() if reader.optional() else None,
                    reader.run(),
                )
            )
        case 5:
            return o.Evidence(reader.byte(), reader.variant(_FAULTS), reader.run())
        case 6:
            return o.Blocked(reader.run(), reader.run())
        case 7:
            return o.Resumed()
        case _:
            return o.EnterView(reader.number(64), reader.number(32))


def _put_work(out: bytearray, work: Work) -> None:
    _put_number(out, work.ticket)
    out += work.run
    out.append(work.stage)
    _put_run(out, work.cut)
    _put_number(out, work.position)
    _put_number(out, work.first)
    _put_number(out, len(work.inputs))
    for signal in work.inputs:
        _put_run(out, signal)
    if work.sampling.seed is None:
        out.append(0)
    else:
        out.append(1)
        _put_number(out, work.sampling.seed)
        _put_number(out, work.sampling.temperature)


def _get_work(reader: _Reader) -> Work:
    ticket, run, stage, cut = reader.number(64), reader.take(32), reader.byte(), reader.run()
    position, first = reader.number(16), reader.number(16)
    signals = tuple(reader.run() for _ in range(reader.number(64)))
    seeded = reader.variant((False, True))
    sampling = Sampling(reader.number(64), reader.number(16)) if seeded else Sampling()
    return Work(ticket, run, stage, cut, position, first, signals, sampling)


def _get_step(reader: _Reader) -> o.Step:
    refusal = reader.variant(_REFUSALS) if reader.optional() else None
    return o.Step(refusal, tuple(_get_output(reader) for _ in range(reader.number(64))))
