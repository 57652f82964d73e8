# SPDX-License-Identifier: Apache-2.0
"""The `tls-bootstrap` command. Runs on any Python from 2.7.5 and 3.4, standard library only."""
