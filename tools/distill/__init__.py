"""Distillation of the bundled backbone; see ``python -m tools.distill --help``."""
