"""Quantises trained parameters and writes the weights file.

The layout is described in workload/README.md, the number formats in
workload/ARITHMETIC.md; the Rust side of both is workload/src/weights.rs.
"""

import hashlib
import math
import struct

import numpy as np

import dimensions

MAGIC = b"BFLYWGHT"
VERSION = 1

# Fractional bits of what each matrix reads and writes.
NORMALISED = 11
RESIDUAL = 12
QUERY = 10
CACHE = 4
HIDDEN = 10
LOGIT = 14
DISTANCE = 6

PROJECTION_SHIFT = 28
EMBEDDING_SHIFT = 16

LOG2_E = math.log2(math.e)
# Scores are powers of two, so the query carries the change of base as well
# as the usual scale.
QUERY_FACTOR = LOG2_E / math.sqrt(dimensions.HEAD_WIDTH)


MATRICES = ("query", "key", "value", "mix", "expand", "contract")
DIMENSIONS = tuple(
    getattr(dimensions, name) for name in ("VOCABULARY", "CONTEXT", "LAYERS", "WIDTH", "HEADS", "HIDDEN")
)
HEADER = MAGIC + struct.pack("<I6H", VERSION, *DIMENSIONS)


def matrix(rows, factor, fraction_in, fraction_out, shift=PROJECTION_SHIFT):
    """[output, input] floats -> (int8 rows, int32 multiplier per row).

    A row of zeros gets multiplier 0, which is what it computes.
    """
    rows = np.asarray(rows, np.float64)
    scale = np.abs(rows).max(axis=1) / 127.0
    weights = np.rint(rows / np.where(scale > 0.0, scale, 1.0)[:, None]).astype(np.int8)
    multipliers = np.rint(scale * factor * 2.0 ** (fraction_out - fraction_in + shift))
    if multipliers.max() >= 2**31:
        raise SystemExit("a channel's multiplier does not fit 31 bits")
    return weights, multipliers.astype(np.int32)


def quantise(parameters):
    """The integer model as numpy arrays, in the order of the file."""
    layers = []
    for layer in parameters["layers"]:
        bias = np.rint(np.asarray(layer["distance"], np.float64) * LOG2_E * 2.0**DISTANCE)
        across = {name: np.asarray(layer[name]).T for name in layer if name != "distance"}
        layers.append({
            "distance": np.clip(bias, -(2**15), 2**15 - 1).astype(np.int16),
            "query": matrix(across["query"], QUERY_FACTOR, NORMALISED, QUERY),
            "key": matrix(across["key"], 1.0, NORMALISED, CACHE),
            "value": matrix(across["value"], 1.0, NORMALISED, CACHE),
            "mix": matrix(across["mix"], 1.0, NORMALISED, RESIDUAL),
            "expand": matrix(across["expand"], 1.0, NORMALISED, HIDDEN),
            "contract": matrix(across["contract"], 1.0, HIDDEN, RESIDUAL),
        })
    return {
        "embedding": matrix(parameters["embedding"], 1.0, 0, RESIDUAL, EMBEDDING_SHIFT),
        "layers": layers,
        "head": matrix(np.asarray(parameters["head"]).T, LOG2_E, NORMALISED, LOGIT),
    }


def serialise(quantised):
    parts = [HEADER]

    def put(pair):
        weights, multipliers = pair
        parts.append(weights.tobytes())
        parts.append(multipliers.astype("<i4").tobytes())

    put(quantised["embedding"])
    for layer in quantised["layers"]:
        parts.append(layer["distance"].astype("<i2").tobytes())
        for name in MATRICES:
            put(layer[name])
    put(quantised["head"])
    body = b"".join(parts)
    return body + hashlib.sha256(body).digest()


def parse(file):
    """What `serialise` wrote, as the integer model reads it."""
    body, digest = file[:-32], file[-32:]
    if not body.startswith(HEADER) or hashlib.sha256(body).digest() != digest:
        raise SystemExit("not an undamaged weights file of this model")
    offset = len(HEADER)

    def take(kind, *shape):
        nonlocal offset
        count = int(np.prod(shape))
        values = np.frombuffer(body, kind, count, offset).reshape(shape)
        offset += values.nbytes
        return values

    def pair(inputs, outputs):
        return take("i1", outputs, inputs), take("<i4", outputs)

    width, hidden, vocabulary = dimensions.WIDTH, dimensions.HIDDEN, dimensions.VOCABULARY
    shapes = dict.fromkeys(MATRICES, (width, width)) | {"expand": (width, hidden), "contract": (hidden, width)}
    embedding = pair(width, vocabulary)
    layers = [
        {"distance": take("<i2", dimensions.HEADS, dimensions.CONTEXT)}
        | {name: pair(*shapes[name]) for name in MATRICES}
        for _ in range(dimensions.LAYERS)
    ]
    return {"embedding": embedding, "layers": layers, "head": pair(width, vocabulary)}
