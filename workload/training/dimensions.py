"""The model's dimensions, as in workload/src/lib.rs."""

VOCABULARY = 96
CONTEXT = 256
LAYERS = 4
WIDTH = 96
HEADS = 4
HEAD_WIDTH = WIDTH // HEADS
HIDDEN = 320
