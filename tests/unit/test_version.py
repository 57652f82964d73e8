# SPDX-License-Identifier: Apache-2.0
"""The package's version is the one of the source tree."""

import os

import _tls_bootstrap as tls


def test_the_package_has_the_version_of_the_tree():
    top = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir)
    with open(os.path.join(top, "VERSION")) as stream:
        assert tls.__version__ == stream.read().strip()
