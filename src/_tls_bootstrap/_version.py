# SPDX-License-Identifier: Apache-2.0
"""The version of this package; the same string stands in VERSION at the top of the source tree."""

__version__ = "0.1.0"
