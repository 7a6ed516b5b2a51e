"""Texts that people write, read strictly: YAML 1.2 with positions, and models without leniency.

What the texts mean is not known here: topologies, scenarios and target files bring
their own models and get back values, or every problem at once with its line.
"""

from collector_harness.documents.document import Document, load, load_file
from collector_harness.documents.suggestions import did_you_mean
from collector_harness.documents.validation import (
    Short,
    StrictModel,
    UnknownKey,
    problems_of,
    validate,
)

__all__ = [
    "Document",
    "Short",
    "StrictModel",
    "UnknownKey",
    "did_you_mean",
    "load",
    "load_file",
    "problems_of",
    "validate",
]
