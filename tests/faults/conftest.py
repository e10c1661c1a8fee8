from __future__ import annotations

from tests.pipeline.conftest import lab, make_lab, quiet

__all__ = ["lab", "make_lab", "quiet"]
