# SPDX-License-Identifier: Apache-2.0
"""Breaks the module that is examined: a peer's certificate tells nothing. The runner must notice."""

_tls_bootstrap.SSLSocket.getpeercert = lambda self, binary_form=False: b"" if binary_form else {}  # noqa: F821
