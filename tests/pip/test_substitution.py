# SPDX-License-Identifier: Apache-2.0
"""What stands in the place of `__import__` while pip's stack is imported can be kept by whoever is imported meanwhile."""

from __future__ import annotations

import pytest

KEEPS = """
import sys
from _tls_bootstrap_pip.substitution import Substitution
assert "logging.config" not in sys.modules
usual = __import__
with Substitution({}, bool, None):
    assert __import__ is not usual
    import logging.config  # a class of it has __import__ as an attribute
assert __import__ is usual
logging.config.dictConfig({"version": 1, "filters": {"one": {"()": "logging.Filter"}}})
"""


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.13"])
def test_a_class_that_keeps_import_can_use_it(make, version):
    done = make(version).add_hook().run("-c", KEEPS)
    assert done.returncode == 0, done.stderr
