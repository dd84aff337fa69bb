"""Between the public values and those of the generated code."""

from __future__ import annotations

from typing import Any

from ._library import ffi as _ffi
from .values import Commit, Doing, Fault, Model, Path, Request, Role, Sampling


def fault(generated: Any) -> Fault:
    return Fault(generated.value)


def path(generated: Any) -> Path:
    return Path(generated.value)


def role(generated: Any) -> Role:
    return Role[generated.name]


def doing(generated: Any) -> Doing:
    return Doing[generated.name]


def sampling_to(sampling: Sampling) -> Any:
    if sampling.seed is None:
        return _ffi.Sampling.GREEDY()
    return _ffi.Sampling.SEEDED(sampling.seed, sampling.temperature)


def sampling_from(generated: Any) -> Sampling:
    if generated.is_GREEDY():
        return Sampling()
    return Sampling(int(generated.seed), int(generated.temperature))


def model_to(model: Model) -> Any:
    return _ffi.Model(
        manifest=bytes(model.manifest),
        layers=model.layers,
        stages=model.stages,
        vocabulary=model.vocabulary,
        context=model.context,
        signal=model.signal,
        tokens_per_epoch=model.tokens_per_epoch,
    )


def model_from(generated: Any) -> Model:
    return Model(
        manifest=bytes(generated.manifest),
        layers=generated.layers,
        stages=generated.stages,
        vocabulary=generated.vocabulary,
        context=generated.context,
        signal=generated.signal,
        tokens_per_epoch=generated.tokens_per_epoch,
    )


def request_to(request: Request) -> Any:
    return _ffi.Request(
        sequence=request.sequence,
        prompt=bytes(request.prompt),
        tokens=request.tokens,
        sampling=sampling_to(request.sampling),
    )


def request_from(generated: Any) -> Request:
    return Request(
        sequence=generated.sequence,
        prompt=bytes(generated.prompt),
        tokens=generated.tokens,
        sampling=sampling_from(generated.sampling),
    )


def commit(generated: Any) -> Commit:
    return Commit(
        epoch=generated.epoch,
        view=generated.view,
        path=path(generated.path),
        tokens=bytes(generated.tokens),
        notice=generated.notice,
        decided=bytes(generated.decided),
    )
