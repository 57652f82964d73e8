# SPDX-License-Identifier: Apache-2.0
"""The build side: Python 3.9 or later, run from the top of the source tree with src/ on PYTHONPATH."""
