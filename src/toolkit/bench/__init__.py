# SPDX-License-Identifier: Apache-2.0
"""`make bench`: speed and memory against raw C, `ssl` and pyOpenSSL; and the instructions of the hot paths."""
