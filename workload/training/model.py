"""The float model that is trained, with the integer model's rounding in it.

The shapes and number formats are those of workload/ARITHMETIC.md. During
quantisation-aware training the forward pass rounds weights, keys and values
the way the integer model stores them, and the gradient passes straight
through, so that the trained weights already sit well with the rounding.
"""

import jax
import jax.numpy as jnp

from dimensions import CONTEXT, HEAD_WIDTH, HEADS, HIDDEN, LAYERS, VOCABULARY, WIDTH

# Keys and values are stored as i8 with four fractional bits.
CACHE_SCALE = 16.0


def initial(key):
    """Fresh parameters; matrices are [input, output]."""
    keys = iter(jax.random.split(key, 2 + 6 * LAYERS))

    def matrix(rows, columns, gain=1.0):
        return gain * rows**-0.5 * jax.random.normal(next(keys), (rows, columns))

    # Each head starts with its own horizon, from one character to the whole
    # context; training then moves the bias of every distance freely.
    distance = jnp.arange(CONTEXT, dtype=jnp.float32)
    slopes = jnp.array([1.0, 0.2, 0.04, 0.008])
    layers = [
        {
            "query": matrix(WIDTH, WIDTH),
            "key": matrix(WIDTH, WIDTH),
            "value": matrix(WIDTH, WIDTH),
            "mix": matrix(WIDTH, WIDTH, (2 * LAYERS) ** -0.5),
            "expand": matrix(WIDTH, HIDDEN),
            "contract": matrix(HIDDEN, WIDTH, (2 * LAYERS) ** -0.5),
            "distance": -slopes[:, None] * distance[None, :],
        }
        for _ in range(LAYERS)
    ]
    return {
        "embedding": jax.random.normal(next(keys), (VOCABULARY, WIDTH)),
        "head": matrix(WIDTH, VOCABULARY, 0.5),
        "layers": layers,
    }


def straight_through(exact, rounded):
    return exact + jax.lax.stop_gradient(rounded - exact)


def rounded_weight(weight, axis, quantised):
    """Symmetric int8 with one scale per output channel (`axis` is summed over)."""
    if not quantised:
        return weight
    scale = jnp.max(jnp.abs(weight), axis=axis, keepdims=True) / 127.0 + 1e-12
    return straight_through(weight, jnp.round(weight / scale) * scale)


def rounded_cache(values, quantised):
    if not quantised:
        return values
    clipped = jnp.clip(values, -128.0 / CACHE_SCALE, 127.0 / CACHE_SCALE)
    return straight_through(clipped, jnp.round(clipped * CACHE_SCALE) / CACHE_SCALE)


def normalised(x):
    return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + 1e-6)


def by_distance(bias, length):
    """[HEADS, CONTEXT] -> [HEADS, i, j] holding bias[i - j] for j <= i, else 0.

    A row repeated with period 2n and cut into rows of 2n - 1 moves one place
    to the right per row: the values of a gather, with a much cheaper gradient.
    """
    period = jnp.concatenate([bias[:, :length][:, ::-1], jnp.zeros((HEADS, length))], axis=1)
    width = 2 * length - 1
    rows = jnp.tile(period, (1, length))[:, : length * width].reshape(HEADS, length, width)
    return rows[:, :, length - 1 :]


def attention(layer, x, quantised):
    batch, length, _ = x.shape

    def project(name):
        y = x @ rounded_weight(layer[name], 0, quantised)
        return y.reshape(batch, length, HEADS, HEAD_WIDTH).transpose(0, 2, 1, 3)

    mask = jnp.tril(jnp.ones((length, length), bool))
    bias = jnp.where(mask, by_distance(layer["distance"], length), -1e9)

    # One sequence at a time, recomputed for the gradient: the score matrices
    # then stay in the processor's cache, which is worth a factor of two.
    @jax.checkpoint
    def one_sequence(projected):
        query, key, value = projected
        scores = jnp.einsum("hid,hjd->hij", query, key) * HEAD_WIDTH**-0.5 + bias
        # Scores stay far below this; the exact maximum costs another pass.
        weights = jnp.exp(jnp.minimum(scores, 40.0))
        return jnp.einsum("hij,hjd->hid", weights, value) / weights.sum(-1, keepdims=True)

    key = rounded_cache(project("key"), quantised)
    value = rounded_cache(project("value"), quantised)
    mixed = jax.lax.map(one_sequence, (project("query"), key, value))
    mixed = mixed.transpose(0, 2, 1, 3).reshape(batch, length, WIDTH)
    return mixed @ rounded_weight(layer["mix"], 0, quantised)


def logits(parameters, tokens, quantised):
    """[batch, length] token ids -> [batch, length, VOCABULARY] in nats."""
    x = rounded_weight(parameters["embedding"], 1, quantised)[tokens]
    for layer in parameters["layers"]:
        x = x + attention(layer, normalised(x), quantised)
        hidden = jax.nn.relu(normalised(x) @ rounded_weight(layer["expand"], 0, quantised))
        x = x + hidden @ rounded_weight(layer["contract"], 0, quantised)
    return normalised(x) @ rounded_weight(parameters["head"], 0, quantised)


def loss(parameters, window, quantised):
    """Mean nats per character over windows of CONTEXT + 1 tokens."""
    predicted = jax.nn.log_softmax(logits(parameters, window[:, :-1], quantised))
    chosen = jnp.take_along_axis(predicted, window[:, 1:, None], axis=-1)
    return -jnp.mean(chosen)
