# SPDX-License-Identifier: Apache-2.0
"""The bundled OpenSSL: its pinned source, its options, and how it is built.

These modules run inside a distribution's build too: Python 2.7.5 and 3.4 or later, standard library only.
"""
