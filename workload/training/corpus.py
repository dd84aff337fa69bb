"""The training text: English reference prose that ships with Python.

Two sources, both read from the running interpreter's own installation, so
nothing is downloaded: the language reference behind `help()`
(`pydoc_data.topics`) and the docstrings of the standard library. Only
paragraphs that read as prose are kept; each becomes one line.
"""

import ast
import hashlib
import inspect
import pathlib
import pydoc
import re

from pydoc_data import topics

# Index 0 is the newline; 1..=95 are the printable ASCII characters in order.
ALPHABET = "\n" + "".join(map(chr, range(0x20, 0x7F)))

# SHA-256 of `clean_text()` under CPython 3.11.7, the text that the committed
# weights were trained on. Another patch release may word a paragraph
# differently, and the weights made from it would not be these weights.
EXPECTED_SHA256 = "34207f8b3570bb15f8cc9b85eab2ccfe3a8b885885a0d747d797aa3b65512811"

# Directories whose docstrings describe tests, vendored code or other
# packages rather than the language's library.
EXCLUDED = {"test", "tests", "site-packages", "dist-packages", "idlelib", "lib2to3", "_pyrepl"}

TYPOGRAPHY = str.maketrans({
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"',
    "\u2013": "-", "\u2014": "-", "\u2026": "...", "\u00a0": " ",
})

MARKUP = [
    (re.compile(r":[a-z:]+:`~?([^`<]+?)(?:\s*<[^>]*>)?`"), r"\1"),  # reST roles
    (re.compile(r"`{1,2}([^`']+)(?:`{1,2}|')"), r"\1"),
    (re.compile(r"\*{1,2}([^\s*](?:[^*]*[^\s*])?)\*{1,2}"), r"\1"),
    (re.compile(r"\[\d+\]_?"), ""),
]

PROSE_START = re.compile(r"[A-Z][a-z]* |A |I ")
CODE = re.compile(r"::=|>>>|\$ |==|->|[{}<>|\\^~@]|\w\(\w+, \w+, \w+|__\w+__.*__\w+__.*__\w+__")


def paragraphs(document):
    """Splits a document at blank lines and yields the text of plain blocks."""
    for block in re.split(r"\n\s*\n", document):
        lines = block.rstrip().split("\n")
        bullet = re.match(r"\s*(?:\*|-|\d+\.) +", lines[0])
        if bullet:
            lines[0] = " " * len(bullet.group()) + lines[0][bullet.end():]
        indents = {len(line) - len(line.lstrip()) for line in lines}
        # Uneven indentation is a table, a listing or a signature.
        if len(indents) == 1:
            yield " ".join(line.strip() for line in lines)


def prose(paragraph):
    """Returns the paragraph in the 96 characters, or None if it is not prose."""
    text = paragraph.translate(TYPOGRAPHY)
    for pattern, replacement in MARKUP:
        text = pattern.sub(replacement, text)
    text = re.sub(r"\s+", " ", text).strip()
    if len(text) < 60 or not PROSE_START.match(text) or text[-1] not in ".:":
        return None
    if CODE.search(text) or any(character not in ALPHABET for character in text):
        return None
    words = text.split(" ")
    plain = sum(bool(re.fullmatch(r"[\"'(]?[A-Za-z][a-z'-]*[\"')]*[.,:;]?[\"')]*", word)) for word in words)
    return text if plain >= 0.8 * len(words) else None


def library_docstrings():
    """Yields every docstring of the standard library, in order of path."""
    root = pathlib.Path(inspect.getfile(pydoc)).parent
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).parts
        if EXCLUDED.intersection(parts):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (SyntaxError, ValueError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                docstring = ast.get_docstring(node)
                if docstring:
                    yield docstring


def clean_text():
    """Returns the whole text, one paragraph per line, without repetitions."""
    documents = [topics.topics[name] for name in sorted(topics.topics)]
    documents.extend(library_docstrings())
    kept = {}
    for document in documents:
        for paragraph in paragraphs(document):
            text = prose(paragraph)
            if text is not None:
                kept.setdefault(text)
    return "\n".join(kept) + "\n"


def digest(text):
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def split(text):
    """(training text, held-out text): every 20th run of ten paragraphs is held out."""
    lines = text.splitlines(keepends=True)
    runs = ["".join(lines[start:start + 10]) for start in range(0, len(lines), 10)]
    held_out = "".join(run for index, run in enumerate(runs) if index % 20 == 10)
    training = "".join(run for index, run in enumerate(runs) if index % 20 != 10)
    return training, held_out
