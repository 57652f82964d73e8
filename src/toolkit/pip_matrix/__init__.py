# SPDX-License-Identifier: Apache-2.0
"""`make pip-matrix`: every pip of the release matrix, and the installations of pip that the tests use."""
