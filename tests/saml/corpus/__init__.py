"""The parts of generate.py: keys, signatures, messages, and a file for each group of vectors."""

from . import encrypted, honest, rules, signatures, wrapping

GROUPS = [honest, wrapping, signatures, encrypted, rules]
