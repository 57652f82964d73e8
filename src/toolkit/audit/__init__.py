# SPDX-License-Identifier: Apache-2.0
"""The gates of `make audit`: what the builds promise, measured."""
