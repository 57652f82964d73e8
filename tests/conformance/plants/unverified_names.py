# SPDX-License-Identifier: Apache-2.0
"""Breaks the module that is examined: host names are never checked. The runner must notice."""

_tls_bootstrap.SSLContext.check_hostname = property(lambda self: False, lambda self, value: None)  # noqa: F821
