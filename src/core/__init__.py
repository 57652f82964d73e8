# SPDX-License-Identifier: Apache-2.0
"""The C half, and the modules that compile it (Python 2.7.5 and 3.4 or later, standard library only)."""
