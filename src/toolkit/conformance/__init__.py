# SPDX-License-Identifier: Apache-2.0
"""`make conformance`: the interpreters' own TLS tests with `_tls_bootstrap` in the place of `ssl`."""
