"""What stage functions are given, and what they make of it."""

from __future__ import annotations

import pytest

import butterfly
from butterfly import values
from butterfly._stages import Desk


def work(run: int, first: int, *inputs: bytes, stage: int = 1) -> values.Work:
    position = first + len(inputs) - 1
    return values.Work(0, bytes([run]) * 32, stage, b"\1\2", position, first, inputs, butterfly.GREEDY)


def test_a_task_has_every_input_although_works_have_new_ones_only() -> None:
    desk = Desk(3)
    assert desk.task(work(1, 0, b"a", b"b")).inputs == (b"a", b"b")
    assert desk.task(work(1, 2, b"c")).inputs == (b"a", b"b", b"c")
    assert desk.task(work(1, 0, b"z", stage=0)).inputs == (b"z",), "each stage has its own"


def test_inputs_that_were_replaced_are_forgotten_with_those_behind_them() -> None:
    desk = Desk(3)
    desk.task(work(1, 0, b"a", b"b", b"c"))
    assert desk.task(work(1, 1, b"B")).inputs == (b"a", b"B")


def test_another_run_begins_from_nothing() -> None:
    desk = Desk(3)
    desk.task(work(1, 0, b"a", b"b"))
    assert desk.task(work(2, 0, b"x")).inputs == (b"x",)
    desk.task(work(1, 0, b"a", stage=0))
    assert desk.task(work(2, 0, b"y", stage=0)).inputs == (b"y",)


def task(inputs: list[bytes], cut: bytes = b"\1\2\3\4", stage: int = 0) -> butterfly.Task:
    return butterfly.Task(0, stage, cut, tuple(inputs), butterfly.GREEDY)


def test_a_transformer_forgets_what_is_not_so_any_more() -> None:
    tokens = [bytes([token]) for token in butterfly.tokens_of_text("if x == None")]
    kept = butterfly.Transformer()
    for upto in range(1, len(tokens) + 1):
        kept(task(tokens[:upto]))
    for inputs in (tokens, tokens[:4] + tokens[6:], tokens, tokens[:4], tokens[:1]):
        assert kept(task(inputs)) == butterfly.Transformer()(task(inputs))
    whole = b"\4"
    assert kept(task(tokens, whole)) == butterfly.Transformer()(task(tokens, whole))
    assert "12 inputs taken" in repr(kept)
    drawn = butterfly.Task(0, 0, whole, tuple(tokens), butterfly.Sampling(seed=3, temperature=60_000))
    assert kept(drawn) == butterfly.Transformer()(drawn) != kept(task(tokens, whole))


def test_a_transformer_refuses_what_is_no_input() -> None:
    for wrong in (b"", b"\xff", bytes(5)):
        with pytest.raises(butterfly.ButterflyError):
            butterfly.Transformer()(task([wrong]))
    with pytest.raises(butterfly.StageError):
        butterfly.Transformer()(task([b"\1"], stage=1))
    with pytest.raises(butterfly.StageError):
        butterfly.Transformer()(task([b"\1"], cut=b"\3"))
    with pytest.raises(butterfly.StageError):
        butterfly.transformer_model(5)


def test_text_and_tokens() -> None:
    text = "Return the state of\nthe dictionary ~"
    assert butterfly.text_of_tokens(butterfly.tokens_of_text(text)) == text
    with pytest.raises(butterfly.MalformedError):
        butterfly.tokens_of_text("é")
    with pytest.raises(butterfly.MalformedError):
        butterfly.text_of_tokens(b"\xff")
