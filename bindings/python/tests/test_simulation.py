"""Whole clusters in virtual time."""

from __future__ import annotations

import pytest

import butterfly

from .conftest import alone, summing


def answer_of(simulation: butterfly.Simulation, prompt: bytes, tokens: int) -> butterfly.Report:
    simulation.submit(prompt, tokens)
    assert simulation.run()
    return simulation.report()


def test_a_cluster_answers_what_one_machine_answers_and_proves_it() -> None:
    simulation = butterfly.Simulation(4, [summing] * 3, liars=[1], seed=5)
    report = answer_of(simulation, b"\1\2", 6)
    assert report.tokens == alone(3, b"\1\2", 6)
    assert report.proof is not None
    assert simulation.roster.verify_proof(report.proof).tokens == report.tokens
    assert {blame.accused for blame in report.blamed} == {1}
    assert all(simulation.roster.verify_evidence(blame.evidence).accused == 1 for blame in report.blamed)


def test_a_seed_gives_the_same_run_and_another_seed_another() -> None:
    def run(seed: int) -> butterfly.Report:
        return answer_of(butterfly.Simulation(4, [summing] * 2, seed=seed, loss=50), b"\1", 8)

    assert run(1) == run(1)
    assert run(1).sent != run(2).sent
    assert run(1).tokens == run(2).tokens


def test_losses_cost_time_and_nothing_else() -> None:
    calm = answer_of(butterfly.Simulation(4, [summing] * 2, seed=3), b"\3", 8)
    wild = answer_of(butterfly.Simulation(4, [summing] * 2, seed=3, loss=200), b"\3", 8)
    assert wild.tokens == calm.tokens
    assert wild.now > calm.now
    assert any(sent.arrives is None for sent in wild.sent)


def test_a_member_that_crashes_begins_again_from_its_record() -> None:
    simulation = butterfly.Simulation(4, [summing] * 2, seed=4)
    answer_of(simulation, b"\1", 4)
    simulation.crash(2)
    report = answer_of(simulation, b"\2", 8)
    assert report.tokens == alone(2, b"\2", 8)
    simulation.restart(2)
    report = answer_of(simulation, b"\3", 8)
    assert report.tokens == alone(2, b"\3", 8)
    last = max(decision.commit.epoch for decision in report.decisions)
    assert any(decision.member == 2 and decision.commit.epoch == last for decision in report.decisions)


def test_more_than_f_silent_members_stop_a_cluster() -> None:
    simulation = butterfly.Simulation(4, [summing], silent=[1, 2])
    simulation.submit(b"\1", 1)
    assert not simulation.run(5_000)
    assert simulation.report().tokens == b""


def test_a_stage_that_raises_is_told_and_made_up_for() -> None:
    def broken_at_one(task: butterfly.Task) -> bytes:
        if task.member == 1:
            raise ArithmeticError("only here")
        return summing(task)

    report = answer_of(butterfly.Simulation(4, [broken_at_one] * 4), b"\1", 4)
    assert report.tokens == alone(4, b"\1", 4)
    assert any("only here" in failure and failure.startswith("member 1") for failure in report.failures)
    assert report.blamed == ()


def test_a_stage_that_gives_no_bytes_is_told() -> None:
    simulation = butterfly.Simulation(1, [lambda task: "text"])  # type: ignore[list-item,return-value]
    simulation.submit(b"\1", 1)
    assert not simulation.run(100)
    assert any("an output is bytes" in failure for failure in simulation.report().failures)


def test_a_stage_that_calls_back_is_told_that_the_simulation_is_busy() -> None:
    raised: list[Exception] = []

    def calls_back(task: butterfly.Task) -> bytes:
        try:
            simulation.report()
        except butterfly.BusyError as error:
            raised.append(error)
        return summing(task)

    simulation = butterfly.Simulation(1, [calls_back])
    answer_of(simulation, b"\1", 1)
    assert raised


def test_a_second_request_waits_for_the_first() -> None:
    simulation = butterfly.Simulation(4, [summing])
    simulation.submit(b"\1", 1)
    with pytest.raises(butterfly.BusyError):
        simulation.submit(b"\2", 1)


def test_the_transformer_runs_in_simulations_too() -> None:
    model = butterfly.transformer_model(2)
    stages: dict[tuple[int, int], butterfly.Transformer] = {}

    def run(task: butterfly.Task) -> bytes:
        return stages.setdefault((task.member, task.stage), butterfly.Transformer())(task)

    simulation = butterfly.Simulation(4, [run, run], model=model)
    sampling = butterfly.Sampling(seed=7, temperature=128)
    simulation.submit(butterfly.tokens_of_text("Return the "), 16, sampling=sampling)
    assert simulation.run()
    assert butterfly.text_of_tokens(simulation.report().tokens) == "state of the dic"


@pytest.mark.parametrize(
    "arguments",
    [{"liars": [4]}, {"silent": [9]}, {"delay": (200, 100)}, {"loss": 1000}, {"members": 0}, {"members": 17}],
)
def test_a_plan_that_cannot_be_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(butterfly.RosterError):
        butterfly.Simulation(**{"members": 4, "stages": [summing], **arguments})  # type: ignore[arg-type]
