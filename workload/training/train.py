"""Trains the workload's weights and writes them as the crate embeds them.

    python3 workload/training/train.py --out workload/weights/butterfly.weights

See workload/README.md for the environment. Every random choice derives from
SEED and the step's number, so a run that resumes from a checkpoint continues
exactly as one that was never interrupted. The float arithmetic of training
may differ in its last bits from one processor to another: the loss can be
reproduced anywhere, the bytes only on a similar machine. What the cluster
attests is the integer arithmetic on the finished file, which is exact.
"""

import os

# One device per core halves the time of an iteration on two cores.
os.environ.setdefault("XLA_FLAGS", "--xla_force_host_platform_device_count=2")

import argparse
import dataclasses
import pathlib
import pickle
import time

import jax
import numpy as np
import optax

import corpus
import dimensions
import export
import integer
import model

SEED = 20
RATE = 4e-3
WARM_UP = 100
WEIGHT_DECAY = 0.1

REPORT_EVERY = 50
CHECKPOINT_EVERY = 250


@dataclasses.dataclass(frozen=True)
class Plan:
    steps: int
    # The rate is constant up to here and then falls linearly to zero.
    decay_from: int
    # Rounding in the forward pass is pointless while the weights still move far.
    quantise_from: int
    # Short windows are cheaper per character; the far distances come last.
    full_window_from: int
    short_window: int
    tokens_per_step: int


FULL = Plan(4200, 2750, 1000, 3900, 128, 4096)
# Long enough to pass through every part of the program, not to learn.
QUICK = Plan(30, 15, 10, 20, 64, 512)


def encode(text):
    index = {character: token for token, character in enumerate(corpus.ALPHABET)}
    return np.array([index[character] for character in text], dtype=np.int32)


def windows(tokens, plan, step):
    """The step's batch, one token longer than its window; depends on nothing else."""
    length = plan.short_window if step < plan.full_window_from else dimensions.CONTEXT
    chooser = np.random.default_rng([SEED, step])
    starts = chooser.integers(0, len(tokens) - length, size=plan.tokens_per_step // length)
    return tokens[starts[:, None] + np.arange(length + 1)]


def consecutive_windows(tokens):
    """The whole text in rows of CONTEXT + 1; a last short piece is left out."""
    starts = np.arange((len(tokens) - 1) // dimensions.CONTEXT) * dimensions.CONTEXT
    return tokens[starts[:, None] + np.arange(dimensions.CONTEXT + 1)]


def optimiser(plan):
    rate = optax.join_schedules(
        [
            optax.linear_schedule(0.0, RATE, WARM_UP),
            optax.constant_schedule(RATE),
            optax.linear_schedule(RATE, 0.0, plan.steps - plan.decay_from),
        ],
        [WARM_UP, plan.decay_from],
    )
    # Everything but the distance bias, which has no reason to be small.
    decayed = lambda parameters: jax.tree.map(lambda leaf: leaf.shape[0] != dimensions.HEADS, parameters)
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(rate, b2=0.98, weight_decay=WEIGHT_DECAY, mask=decayed),
    )


def make_update(optimise, quantised):
    """The jitted training step; rows are shared out among the devices."""
    mesh = jax.make_mesh((jax.device_count(),), ("rows",))
    rows = jax.sharding.PartitionSpec("rows")
    everywhere = jax.sharding.PartitionSpec()

    def gradient(parameters, window):
        value = jax.value_and_grad(lambda tried: model.loss(tried, window, quantised))(parameters)
        return jax.lax.pmean(value, "rows")

    shared = jax.shard_map(
        gradient, mesh=mesh, in_specs=(everywhere, rows), out_specs=everywhere, check_vma=False
    )
    placement = jax.sharding.NamedSharding(mesh, rows)

    @jax.jit
    def update(parameters, state, window):
        value, slope = shared(parameters, window)
        change, state = optimise.update(slope, state, parameters)
        return optax.apply_updates(parameters, change), state, value

    return lambda parameters, state, window: update(parameters, state, jax.device_put(window, placement))


def mean_loss(parameters, rows, quantised):
    measure = jax.jit(lambda tried, piece: model.loss(tried, piece, quantised))
    pieces = np.array_split(rows, max(len(rows) // 16, 1))
    return sum(float(measure(parameters, piece)) * len(piece) for piece in pieces) / len(rows)


def train(plan, tokens, checkpoint):
    """Returns the trained parameters; continues from the checkpoint if there is one."""
    optimise = optimiser(plan)
    step, parameters = 0, model.initial(jax.random.PRNGKey(SEED))
    state = optimise.init(parameters)
    if checkpoint and checkpoint.exists():
        step, parameters, state = pickle.loads(checkpoint.read_bytes())
    updates = {quantised: make_update(optimise, quantised) for quantised in (False, True)}
    began, total, since = time.monotonic(), 0.0, 0
    while step < plan.steps:
        update = updates[step >= plan.quantise_from]
        parameters, state, loss = update(parameters, state, windows(tokens, plan, step))
        step, total, since = step + 1, total + float(loss), since + 1
        if step % REPORT_EVERY == 0 or step == plan.steps:
            print(f"step {step}: {total / since:.4f} nats, {time.monotonic() - began:.0f} s", flush=True)
            total, since = 0.0, 0
        if checkpoint and (step % CHECKPOINT_EVERY == 0 or step == plan.steps):
            save(checkpoint, step, parameters, state)
    return jax.device_get(parameters)


def save(path, step, parameters, state):
    partial = path.with_suffix(".partial")
    partial.write_bytes(pickle.dumps((step, jax.device_get(parameters), jax.device_get(state))))
    partial.rename(path)


def main():
    parser = argparse.ArgumentParser(description="Makes the workload's weights file from nothing.")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="where the weights file goes")
    parser.add_argument("--quick", action="store_true", help="a few steps only, to try the path")
    parser.add_argument("--checkpoint", type=pathlib.Path, help="save here now and then, and continue from it")
    parser.add_argument("--held-out", type=pathlib.Path, help="write the held-out text here")
    parser.add_argument("--any-text", action="store_true", help="accept another Python's wording of the text")
    arguments = parser.parse_args()

    text = corpus.clean_text()
    digest = corpus.digest(text)
    if digest != corpus.EXPECTED_SHA256 and not arguments.any_text:
        raise SystemExit(f"the text has the SHA-256 {digest}, not the recorded one; see --any-text")
    training, held_out = corpus.split(text)
    print(f"text {digest}: {len(training)} characters to train on, {len(held_out)} held out", flush=True)
    if arguments.held_out:
        arguments.held_out.write_text(held_out, encoding="ascii")

    plan = QUICK if arguments.quick else FULL
    parameters = train(plan, encode(training), arguments.checkpoint)
    quantised = export.quantise(parameters)
    arguments.out.write_bytes(export.serialise(quantised))

    rows = consecutive_windows(encode(held_out))
    if arguments.quick:
        rows = rows[:4]
    print(f"held out, float:   {mean_loss(parameters, rows, False):.4f} nats per character")
    print(f"held out, rounded: {mean_loss(parameters, rows, True):.4f} nats per character")
    print(f"held out, integer: {integer.loss(quantised, rows):.4f} nats per character")
    print(f"digest of the integer logits: {integer.logits_digest(quantised)}")


if __name__ == "__main__":
    main()
