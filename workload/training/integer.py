"""The integer model again, in numpy: an independent reading of ARITHMETIC.md.

It measures the integer loss at the end of training. The digest of its logits
is pinned in the crate's tests, so two implementations in two languages must
agree on every bit; this prints it:

    python3 workload/training/integer.py workload/weights/butterfly.weights
"""

import hashlib
import pathlib
import sys

import numpy as np

import export
import dimensions

RESIDUAL_LIMIT = 2**19
LOGIT_LIMIT = 2**23
ONE = 2**14


def rounded_shift(values, shift):
    return (values + (1 << (shift - 1))) >> shift


def saturated(values, bits):
    return np.clip(values, -(1 << (bits - 1)), (1 << (bits - 1)) - 1)


def bounded(values, limit):
    return np.clip(values, -limit, limit)


def project(pair, inputs):
    weights, multipliers = pair
    # Every partial sum is below 2^53, so the float product is exact; numpy
    # has no fast integer matrix product.
    sums = (inputs.astype(np.float64) @ weights.T.astype(np.float64)).astype(np.int64)
    return rounded_shift(sums * multipliers.astype(np.int64), export.PROJECTION_SHIFT)


def normalised(residual):
    mean = (residual * residual).sum(axis=-1, keepdims=True) // dimensions.WIDTH
    root = np.sqrt(mean.astype(np.float64)).astype(np.int64)
    root -= root * root > mean
    root += (root + 1) * (root + 1) <= mean
    return saturated((residual << export.NORMALISED) // np.maximum(root, 1), 16)


def power_of_two(exponent):
    """2^-exponent for a non-negative exponent, both with 14 fractional bits."""
    whole, fraction = exponent >> 14, exponent & (ONE - 1)
    slope = (11003 << 14) - 2811 * fraction
    return (ONE - ((slope * fraction) >> 28)) >> np.minimum(whole, 15)


def attention(layer, inputs):
    """[length, WIDTH] normalised rows -> what the heads read, [length, WIDTH]."""
    length = len(inputs)
    query = saturated(project(layer["query"], inputs), 16)
    key = saturated(project(layer["key"], inputs), 8)
    value = saturated(project(layer["value"], inputs), 8)
    distance = np.arange(length)[:, None] - np.arange(length)[None, :]
    mixed = np.zeros_like(inputs)
    for head in range(dimensions.HEADS):
        part = slice(head * dimensions.HEAD_WIDTH, (head + 1) * dimensions.HEAD_WIDTH)
        scores = (query[:, part].astype(np.float64) @ key[:, part].T.astype(np.float64)).astype(np.int64)
        bias = layer["distance"][head].astype(np.int64) << 8
        scores = scores + bias[np.maximum(distance, 0)]
        scores = np.where(distance >= 0, scores, -(1 << 40))
        weights = power_of_two(scores.max(axis=1, keepdims=True) - scores)
        total = weights.sum(axis=1, keepdims=True)
        sums = weights @ value[:, part]
        mixed[:, part] = (2 * (sums << 7) + total) // (2 * total)
    return saturated(mixed, 16)


def logits(quantised, tokens):
    """Token ids of one sequence -> [length, VOCABULARY] logits (log2, Q14)."""
    weights, multipliers = quantised["embedding"]
    embedded = weights[tokens].astype(np.int64) * multipliers[tokens].astype(np.int64)[:, None]
    residual = bounded(rounded_shift(embedded, export.EMBEDDING_SHIFT), RESIDUAL_LIMIT)
    for layer in quantised["layers"]:
        change = project(layer["mix"], attention(layer, normalised(residual)))
        residual = bounded(residual + bounded(change, RESIDUAL_LIMIT), RESIDUAL_LIMIT)
        hidden = np.maximum(saturated(project(layer["expand"], normalised(residual)), 16), 0)
        change = project(layer["contract"], hidden)
        residual = bounded(residual + bounded(change, RESIDUAL_LIMIT), RESIDUAL_LIMIT)
    return bounded(project(quantised["head"], normalised(residual)), LOGIT_LIMIT)


def loss(quantised, windows):
    """Mean nats per character, each window predicted from its own start."""
    total = 0.0
    for window in windows:
        scores = logits(quantised, window[:-1]).astype(np.float64) * (np.log(2.0) / 2.0**export.LOGIT)
        top = scores.max(axis=1, keepdims=True)
        normaliser = top[:, 0] + np.log(np.exp(scores - top).sum(axis=1))
        total += (normaliser - scores[np.arange(len(scores)), window[1:]]).mean()
    return total / len(windows)


def logits_digest(quantised):
    """SHA-256 of the logits, as i32, for a full context of assorted tokens."""
    position = np.arange(dimensions.CONTEXT)
    tokens = (position * position + 7 * position) % dimensions.VOCABULARY
    return hashlib.sha256(logits(quantised, tokens).astype("<i4").tobytes()).hexdigest()


if __name__ == "__main__":
    print(logits_digest(export.parse(pathlib.Path(sys.argv[1]).read_bytes())))
